"""What each format of files can hold, and how results are written. No library here, so that the command line can read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from irflow_cli.errors import UsageError

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
METADATA = ("keep", "strip", "no-gps")
QUALITY = 92  # of lossy files whose source does not say


class Format(NamedTuple):
    """What a format holds: types of pixels, transparency, whether it is exact always, on demand, or never, and how many pixels
    a side."""

    dtypes: tuple[str, ...]
    alpha: bool
    exact: str
    side: int = 2**31 - 1


FORMATS = {
    "PNG": Format(("uint8", "uint16"), True, "always"),
    "TIFF": Format(("uint8", "uint16", "float32"), True, "always"),
    "BMP": Format(("uint8",), False, "always"),
    "WEBP": Format(("uint8",), True, "on demand", 16383),
    "JPEG": Format(("uint8",), False, "never", 65500),
    "AVIF": Format(("uint8",), True, "never", 65535),
    "HEIF": Format(("uint8",), True, "never"),
}


@dataclass(frozen=True)
class Coding:
    """How results are written. quality: 1 to 100, None as the source; metadata: keep EXIF and XMP, strip them, or keep
    all but the place. The colour profile is always kept, for the colours mean nothing without it."""

    quality: int | None = None
    lossless: bool = False
    metadata: str = "keep"

    def check(self) -> None:
        """Raise UsageError for values that make no sense."""
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"`quality` goes from 1 to 100, got {self.quality}")
        if self.metadata not in METADATA:
            raise UsageError(f"`metadata` is one of {', '.join(METADATA)}, got {self.metadata!r}")
        if self.lossless and self.quality is not None:
            raise UsageError("`lossless` and `quality` contradict each other; give one of them")
