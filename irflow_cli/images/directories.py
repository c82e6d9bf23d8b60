"""A TIFF's directories, walked through without reading what their entries hold: how many pages there are, and of which kind."""

from __future__ import annotations

import struct
from typing import NamedTuple

from irflow_cli.errors import ImageError

PAGES = 64  # that are looked at
ENTRIES = 2**12  # of a directory; files have some twenty
VALUES = 2**20  # numbers of an entry; a large picture has a strip for each of some 100 000 rows
BYTES = (1, 2, 6, 7)  # types of entries that stay the bytes they are
MASK = 4  # a bit of a page's kind (NewSubfileType): it is the transparency of another
BESIDE = 1 | MASK  # it is no picture of its own, but a smaller copy, or a mask
KIND, SHORT = 254, 3  # the entry that tells a page's kind, and numbers of 16 bits


class Order(NamedTuple):
    """How a TIFF counts.

    order: of bytes; first: where the place of its first directory stands; counted, place: the codes of `struct` for how many
    entries a directory has, and for a place; entry: its bytes; value: at which of them its value begins.
    """

    order: str
    first: int
    counted: str
    place: str
    entry: int
    value: int


ORDERS = {
    b"II*\0": Order("<", 4, "H", "I", 12, 8),
    b"MM\0*": Order(">", 4, "H", "I", 12, 8),
    b"II+\0": Order("<", 8, "Q", "Q", 20, 12),
    b"MM\0+": Order(">", 8, "Q", "Q", 20, 12),
}


def note_of_pages(data: bytes, name: str) -> tuple[str, ...]:
    """Return what to tell of a TIFF of several pages whose others are smaller copies and masks of the first. Raises ImageError
    for pages that are pictures of their own, for more than irflow looks at, and for directories that no writer makes."""
    kinds = _kinds_of(data, name)
    count = len(kinds)
    if count > PAGES or (count > 1 and (kinds[0] & BESIDE or not all(kind & BESIDE for kind in kinds[1:]))):
        masks = sum(bool(kind & MASK) for kind in kinds)
        more = f", {masks} of them masks" if masks else ""
        held = "several" if count > PAGES else count
        raise ImageError(f"{name}: holds {held} frames{more}; irflow works on still pictures, take them apart first")
    note = f"holds {count} pages; the others are smaller copies or masks of the first, which is taken"
    return (note,) if count > 1 else ()


def _kinds_of(data: bytes, name: str) -> list[int]:
    """Return the kind of each page, of up to PAGES and one more."""
    how = ORDERS[data[:4]]
    kinds: list[int] = []
    try:
        (place,) = struct.unpack_from(how.order + how.place, data, how.first)
        while place and len(kinds) <= PAGES:
            (count,) = struct.unpack_from(how.order + how.counted, data, place)
            start = place + struct.calcsize(how.order + how.counted)
            if count > ENTRIES:
                raise ImageError(f"{name}: damaged: a directory of {count} entries")
            kinds.append(_kind_of(data, how, start, count))
            (place,) = struct.unpack_from(how.order + how.place, data, start + count * how.entry)
    except OverflowError:
        raise ImageError(f"{name}: damaged: an entry of more than {VALUES} numbers") from None
    except struct.error:
        if not kinds:
            raise ImageError(f"{name}: damaged or incomplete: its directory lies beyond its end") from None
    return kinds


def _kind_of(data: bytes, how: Order, start: int, count: int) -> int:
    """Return the kind of a page. Raises OverflowError for an entry of more numbers than any has: each becomes an object."""
    kind_of_page = 0
    for place in range(start, start + count * how.entry, how.entry):
        tag, kind, values = struct.unpack_from(f"{how.order}HH{how.place}", data, place)
        if values > VALUES and kind not in BYTES:
            raise OverflowError
        if tag == KIND:
            kind_of_page = struct.unpack_from(how.order + ("H" if kind == SHORT else "I"), data, place + how.value)[0]
    return kind_of_page
