"""The parts that a file is made of, counted before its reader goes through them: each takes it microseconds and memory, and of
empty ones a few megabytes hold millions."""

from __future__ import annotations

from collections.abc import Iterator

from irflow_cli.errors import ImageError

USUAL = 10_000  # parts that any file may have
SHARE = 2**7  # bytes of a file for each part beyond those; writers give them 255 (GIF) to some thousands
PNG, GIF, RIFF = b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF"  # how files begin that are made of many
EXTENSION, IMAGE, END = 0x21, 0x2C, 0x3B  # what begins a block of a GIF
SCREEN, PLACE = 13, 9  # bytes of what stands before a GIF's blocks, and before the pixels of each picture


def check_parts(data: bytes, name: str) -> None:
    """Raise ImageError for a PNG, GIF or WebP of more parts than writers make of so many bytes."""
    walk = next((walk for begin, walk in WALKS.items() if data.startswith(begin)), None)
    most = USUAL + len(data) // SHARE
    for count, _ in enumerate(walk(data) if walk else ()):
        if count >= most:
            raise ImageError(f"{name}: more than {most} parts, which no encoder writes; save it anew with another program")


def _chunks(data: bytes) -> Iterator[int]:
    """Yield where the chunks of a PNG begin, up to its end."""
    place = len(PNG)
    while place + 8 <= len(data):
        yield place
        if data[place + 4 : place + 8] == b"IEND":
            return
        place += 12 + int.from_bytes(data[place : place + 4], "big")


def _riff(data: bytes) -> Iterator[int]:
    """Yield where the chunks of a WebP begin."""
    place = 12
    while place + 8 <= len(data):
        yield place
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2


def _blocks(data: bytes) -> Iterator[int]:
    """Yield where the blocks of a GIF begin, those within them, and bytes that begin none, which readers pass over."""
    place = SCREEN + _table(data, SCREEN - 3)
    while place < len(data) and data[place] != END:
        yield place
        if data[place] == EXTENSION:
            place += 2
        elif data[place] == IMAGE:
            place += 1 + PLACE + _table(data, place + PLACE) + 1
        else:
            place += 1
            continue
        while place < len(data) and (size := data[place]):
            yield place
            place += 1 + size
        place += 1


def _table(data: bytes, place: int) -> int:
    """Return the bytes of a GIF's table of colours, by the flags at a place."""
    flags = data[place] if place < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


WALKS = {PNG: _chunks, GIF: _blocks, RIFF: _riff}
