"""A JPEG's parts as its markers tell them (ITU-T T.81, B.1), which show damage that decoders take for a picture.

A run of zero bits is one code again and again, the first of each Huffman table (F.2.2.3). Where that ends a block, the run is a
flat area; where it is a coefficient, no encoder writes it some forty times over. A progressive JPEG tells each coefficient in
several scans, from the highest bits to the lowest: where the lowest are missing, it was cut off between two scans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

RUN = bytes(16)  # as long a run of zeros is damage: 128 bits, two blocks of equal coefficients
LAST = 8  # zeros that are left: the codes of the last pixels may end in some
MOST_PARTS = 10_000  # before the pixels; a profile has 255 at most, and what readers keep of each costs far more than its bytes
MOST_SCANS = 100  # encoders write some ten; each goes over the whole picture, however short it is in the file
MOST_FILL = 2**16  # bytes between two parts that belong to none
COEFFICIENTS = 64  # of a block
FRAMES = {0xC0: False, 0xC1: False, 0xC2: True}  # how pixels are coded by Huffman's codes, and whether in steps
CODED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # frames of all kinds: what is among them is no frame
TABLE, START, END, ALONE = 0xC4, 0xDA, 0xD9, (0x01, 0xD8)
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # what ends a scan; stuffed bytes and restarts do not


class Scan(NamedTuple):
    """A scan: its place in the file, its components by number, the tables and coefficients it has, and their bits.

    first: code of zeros alone, by class and number of a table. last: coefficients from `begin` to `last` are given down to bit
    `low`, once those above bit `high` are known (0: none are).
    """

    start: int
    stop: int
    components: tuple[tuple[int, int], ...]  # (number, table of AC)
    begin: int
    last: int
    high: int
    low: int
    first: dict[int, int]


class Frame(NamedTuple):
    """How a JPEG is coded: the marker, and the numbers of its components."""

    mark: int
    components: tuple[int, ...]


def frame_size(data: bytes) -> tuple[int, int] | None:
    """Return height and width as a JPEG tells them, None where it does not."""
    body = next((body for mark, body, _ in _segments(data) if mark in CODED), b"")
    return (int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")) if len(body) > 5 else None


def unpadded(data: bytes) -> bytes | None:
    """Return a JPEG without the zeros before its end, None where there are few, or where they can be flat areas. Its reader
    tells whether they were pixels."""
    end = data.rfind(b"\xff\xd9")
    last = len(data[: max(end, 0)].rstrip(b"\0")) + LAST
    if end - last <= len(RUN):
        return None
    frame, scans = _parts(data)
    if frame is None or frame.mark not in FRAMES or not scans or not _has_no_runs(scans[-1], progressive=FRAMES[frame.mark]):
        return None
    return data[:last] + data[end:]


def damage_told(data: bytes) -> str | None:
    """Return what a JPEG's parts tell of damage, None where they tell of none. Not all damage is found so."""
    try:
        frame, scans = _parts(data)
    except ValueError as error:
        return str(error)
    if frame is None or frame.mark not in FRAMES or not scans:
        return None  # its reader will say what it is
    if any(_is_hollow(data, scan, progressive=FRAMES[frame.mark]) for scan in scans):
        return "a part of its pixels is zeros"
    return _missing(frame, scans)


def _parts(data: bytes) -> tuple[Frame | None, list[Scan]]:
    """Return how a JPEG is coded, and its scans. Raises ValueError for parts that would take a reader without end, and where no
    end follows the last of them."""
    frame, scans, first, mark = None, [], {}, 0
    for number, (mark, body, end) in enumerate(_segments(data)):
        if number >= MOST_PARTS:
            raise ValueError(f"more than {MOST_PARTS} parts, which no encoder writes")
        if mark == TABLE:
            first = first | _first_codes(body)
        elif mark in CODED and frame is None:
            count = body[5] if len(body) > 5 else 0
            frame = Frame(mark, tuple(body[6 + 3 * index] for index in range(count) if len(body) > 6 + 3 * index))
        elif mark == START:
            scan = _scan(data, body, end, first)
            scans += [scan] if scan else []
            if len(scans) > MOST_SCANS:
                raise ValueError(f"more than {MOST_SCANS} scans, which no encoder writes")
    if scans and mark != END:
        raise ValueError("its end is missing")
    return frame, scans


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield mark, body and end of the segments of a JPEG, up to the mark of its end, that too. What is between them is passed
    over, as readers do."""
    place = 2
    while found := MARKER.search(data, place):
        if found.start() - place > MOST_FILL:
            raise ValueError("long runs of bytes between its parts")
        mark, place = data[found.start() + 1], found.end()
        if mark == END:
            yield mark, b"", place
            return
        if mark in ALONE:
            continue
        end = place + int.from_bytes(data[place : place + 2], "big")
        yield mark, data[place + 2 : end], end
        place = end
        if mark == START:
            after = MARKER.search(data, end)
            place = after.start() if after else len(data)


def _first_codes(body: bytes) -> dict[int, int]:
    codes, place = {}, 0
    while place + 18 <= len(body):
        codes[body[place]] = body[place + 17]
        place += 17 + sum(body[place + 1 : place + 17])
    return codes


def _scan(data: bytes, body: bytes, start: int, first: dict[int, int]) -> Scan | None:
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return None
    found = MARKER.search(data, start)
    stop = found.start() if found else len(data)
    components = tuple((body[1 + 2 * index], body[2 + 2 * index] & 15) for index in range(count))
    begin, last, bits = body[1 + 2 * count : 4 + 2 * count]
    return Scan(start, stop, components, begin, last, bits >> 4, bits & 15, first)


def _has_no_runs(scan: Scan, *, progressive: bool) -> bool:
    """Return whether a run of zeros in a scan can only be damage: zeros are coefficients in one of its components."""
    if progressive and (scan.begin == 0 or scan.high):  # means alone, whose run is a slope, and bits without a code
        return False
    codes = [scan.first.get(0x10 | table, 0) for _, table in scan.components]
    return any(code & 15 or code == 0xF0 for code in codes)


def _is_hollow(data: bytes, scan: Scan, *, progressive: bool) -> bool:
    """Return whether a run of zeros stands in a scan in which it can only be damage."""
    stop = scan.start + len(data[scan.start : scan.stop].rstrip(b"\0"))  # what follows the last code is padding
    return _has_no_runs(scan, progressive=progressive) and data.find(RUN, scan.start, stop) >= 0


def _missing(frame: Frame, scans: list[Scan]) -> str | None:
    """Return what no scan tells of a picture. A decoder puts grey, or coarse blocks, in its place."""
    given: dict[int, list[int]] = {number: [COEFFICIENTS] * COEFFICIENTS for number in frame.components}  # lowest bit so far
    for scan in scans:
        begin, last, low = (scan.begin, scan.last, scan.low) if FRAMES[frame.mark] else (0, COEFFICIENTS - 1, 0)
        for number, _ in scan.components:
            bits = given.get(number, [])
            bits[begin : last + 1] = [low] * len(bits[begin : last + 1])
    if any(bits[0] == COEFFICIENTS for bits in given.values()):
        return "one of its channels is missing"
    return "its last scans are missing" if any(any(bits) for bits in given.values()) else None
