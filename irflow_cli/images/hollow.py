"""Zeroed parts of a JPEG, as failing disks and broken copies leave them: the decoder takes many of them for pixels.

A run of zero bits is one code again and again, the first of each Huffman table (ITU-T T.81, F.2.2.3). Where that ends a block,
the run is a flat area; where it is a coefficient, no encoder writes it some forty times over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

RUN = bytes(16)  # as long a run of zeros is damage: 128 bits, two blocks of equal coefficients
HUFFMAN = (0xC0, 0xC1, 0xC2)  # frames that are coded so: baseline, extended, progressive
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what ends a scan; stuffed bytes and restarts do not


def has_hollow(data: bytes) -> bool:
    """Return whether a JPEG has a run of zeros among its pixels that is damage. Not all damage is found so."""
    return RUN in data and any(data.find(RUN, start, end) >= 0 for start, end in _telling_scans(data))


def _telling_scans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the scans of a JPEG in which a run of zeros can only be damage."""
    first: dict[int, int] = {}  # code of zeros alone, by class and number of a table
    progressive, place = False, 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        mark = data[place + 1]
        if mark == 0xFF:  # fill
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : end]
        if mark == 0xC4:
            first |= _first_codes(body)
        elif mark in HUFFMAN:
            progressive = mark == 0xC2
        elif 0xC3 <= mark <= 0xCF:  # without loss, or coded otherwise
            return
        elif mark == 0xDA:
            found = MARKER.search(data, end)
            stop = found.start() if found else len(data)
            if _tells(body, first, progressive):
                yield end, len(data[end:stop].rstrip(b"\0")) + end  # what follows the last code is padding
            end = stop
        elif mark == 0xD9:
            return
        place = end


def _first_codes(body: bytes) -> dict[int, int]:
    codes, place = {}, 0
    while place + 18 <= len(body):
        codes[body[place]] = body[place + 17]
        place += 17 + sum(body[place + 1 : place + 17])
    return codes


def _tells(body: bytes, first: dict[int, int], progressive: bool) -> bool:
    """Return whether zeros are coefficients in one of the components of a scan, whose header `body` is."""
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return False
    start, refined = body[1 + 2 * count], body[3 + 2 * count] >> 4
    if progressive and (start == 0 or refined):  # means alone, whose run is a slope, and bits without a code
        return False
    codes = [first.get(0x10 | body[2 + 2 * index] & 15, 0) for index in range(count)]
    return any(code & 15 or code == 0xF0 for code in codes)
