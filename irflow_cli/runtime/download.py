"""Files from the network: resumed, measured, hashed, and under their name only when they are what they should be."""

from __future__ import annotations

import contextlib
import errno
import glob
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import irflow_cli
from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.regular import digest_regular, read_regular
from irflow_cli.runtime.connection import Failed, Http, Https, Redirects, Refused, Watch, check_address

TIMEOUT = 30.0  # seconds without a byte
PAUSES = (1.0, 3.0, 9.0)  # seconds before the second, third and fourth attempt
CHUNK = 2**20
NOTE = 2**16  # bytes of a note beside a file
RESERVE = 2**26  # bytes of the disk that are never filled
LARGEST, UNTOLD = 2**32, 2**30  # bytes of a file: thousand times ours; and where the server does not say how long it is
SHA256 = re.compile(r"[0-9a-f]{64}")
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG)  # trouble on this side
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Origin:
    """Where a file came from; kept beside it, so that `verify` can tell whether it still is that file."""

    url: str
    sha256: str
    bytes: int


def address_of(source: str) -> str:
    """Return the URL of `https://...` or `hf://owner/name[@revision]/path`, on a mirror where one is set.

    `IRFLOW_MIRROR` takes the place of scheme and host; for hf:// `HF_ENDPOINT` comes first. Plain http is for this machine
    alone. Raises UsageError.
    """
    mirror = os.environ.get("IRFLOW_MIRROR", "").rstrip("/")
    if source.startswith("hf://"):
        parts = source.removeprefix("hf://").split("/", 2)
        if len(parts) < 3 or not all(parts):
            raise UsageError(f"{source} is not hf://owner/name/file")
        name, _, revision = parts[1].partition("@")
        url = f"{HUB}/{quote(parts[0])}/{quote(name)}/resolve/{quote(revision or 'main', safe='')}/{quote(parts[2])}"
        mirror = os.environ.get("HF_ENDPOINT", "").rstrip("/") or mirror
    else:
        url = source
    check_address(url, UsageError)
    if mirror:
        check_address(mirror, UsageError)
        url = mirror + urlsplit(url)._replace(scheme="", netloc="").geturl()
    return url


def offline() -> bool:
    """Return whether `IRFLOW_OFFLINE` or `HF_HUB_OFFLINE` forbids the network."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false", "no") for name in ("IRFLOW_OFFLINE", "HF_HUB_OFFLINE")
    )


def download(
    url: str,
    target: Path,
    check: Callable[[Path], Any],
    sha256: str | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Origin:
    """Bring a file to `target` and return where it came from, which is also written beside it.

    It grows as `target`.part, from where an earlier attempt ended if the server still has the same file. It gets its name when
    its sha256 is the one given, or the one the server names, and `check` does not raise CheckpointError; otherwise it is set
    aside. A server that is too slow, or sends too much, is refused and what it sent removed.

    One process at a time works on a target. progress: gets the share that is done.
    Raises CheckpointError that tells how to do it by hand.
    """
    from filelock import FileLock, Timeout

    by_hand = f"by hand: put {url} at {target}"
    by_hand += f", sha256 {sha256}" if sha256 else ", whose sha256 is not known"
    if offline():
        raise CheckpointError(f"{target.stem} is not here and IRFLOW_OFFLINE or HF_HUB_OFFLINE is set; {by_hand}")
    part = part_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=0):
            named = _fetch(url, part, progress)
            return _admit(url, part, target, check, sha256 or named)
    except Timeout:
        raise CheckpointError(f"another irflow is getting {target.stem}; wait for it, then try again") from None
    except Failed as error:
        if isinstance(error, Refused):
            for path in (part, _note_of(part)):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        raise CheckpointError(f"cannot get {url}: {error}; {by_hand}") from None
    except OSError as error:
        raise CheckpointError(f"cannot write {part}: {error.strerror or error}; {by_hand}") from None


def origin_of(target: Path) -> Origin | None:
    """Return where a downloaded file came from, None for others and where the note beside it cannot be read."""
    try:
        return Origin(**json.loads(read_regular(origin_path(target), NOTE)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def origin_path(target: Path) -> Path:
    """Return the path of the note that says where `target` came from."""
    return target.with_name(f"{target.name}.origin.json")


def part_path(target: Path) -> Path:
    """Return the path of what has come of `target` so far."""
    return target.with_name(f"{target.name}.part")


def rejected_paths(target: Path) -> list[Path]:
    """Return what was set aside in the place of `target`."""
    return sorted(target.parent.glob(f"{glob.escape(target.name)}.rejected*"))


def set_aside(path: Path, target: Path) -> Path:
    """Give a file that is not what it should be a name under which nothing loads it, and return that."""
    number, aside = 0, target.with_name(f"{target.name}.rejected")
    while aside.exists():
        number += 1
        aside = target.with_name(f"{target.name}.rejected-{number}")
    return path.rename(aside)


def _admit(url: str, part: Path, target: Path, check: Callable[[Path], Any], expected: str | None) -> Origin:
    """Give a whole file its name if it is what it should be; raise CheckpointError and set it aside if not."""
    found = digest_regular(part)
    if expected and found != expected:
        aside = set_aside(part, target)
        raise CheckpointError(
            f"{url} is not what it should be: sha256 {found}, expected {expected}; it was set aside as {aside}"
        )
    try:
        check(part)
    except CheckpointError as error:
        aside = set_aside(part, target)
        reason = str(error).replace(str(part), "it")
        raise CheckpointError(f"{url} is not a checkpoint of irflow ({reason}); it was set aside as {aside}") from None
    origin = Origin(url, found, part.stat().st_size)
    origin_path(target).write_text(json.dumps(asdict(origin)))
    part.replace(target)
    return origin


def _fetch(url: str, part: Path, progress: Callable[[float], None]) -> str | None:
    """Bring the whole file to `part`, in several attempts if need be; return the sha256 that the server names, if it does."""
    for pause in (*PAUSES, None):
        try:
            return _attempt(url, part, progress)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failed = Failed(_reason(error), again=getattr(error, "errno", None) not in HOPELESS)
        except Failed as error:
            failed = error
        if pause is None or not failed.again:
            raise failed
        time.sleep(pause)
    raise AssertionError


def _attempt(url: str, part: Path, progress: Callable[[float], None]) -> str | None:
    """Bring the file once, under watch. Raises what goes wrong, and Refused when it was the watch that ended it."""
    with Watch() as watch:
        try:
            named = _transfer(url, part, progress, watch)
        except Exception:
            if watch.reason:
                raise Refused(watch.reason) from None
            raise
    if watch.reason:
        raise Refused(watch.reason)
    return named


def _note_of(part: Path) -> Path:
    """Return the path of what says of which file on the server `part` is the beginning."""
    return part.with_name(f"{part.name}.etag")


def _transfer(url: str, part: Path, progress: Callable[[float], None], watch: Watch) -> str | None:
    note = _note_of(part)
    have, etag = _begun(part, note)
    headers = {"User-Agent": f"irflow/{irflow_cli.__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag}
    redirects = Redirects()
    opener = urllib.request.build_opener(redirects, Http(watch), Https(watch))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
            start, total = _extent(response, have, etag, note)
            if (total or 0) > LARGEST:
                raise Refused(f"it has {(total or 0) / 2**20:.0f} MiB, and no checkpoint has more than {LARGEST / 2**20:.0f}")
            _room(part, (total or start) - start)
            with part.open("r+b" if start else "wb") as file:
                file.seek(start)
                file.truncate()
                strong = response.headers.get("ETag", "")
                note.write_text(strong if strong.startswith('"') else "")
                _pour(response, file, part, (start, total), progress, watch)
                file.flush()
                os.fsync(file.fileno())
            named = redirects.named or response.headers.get("X-Linked-ETag", "")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is there is no beginning of it
            note.unlink(missing_ok=True)
        again = error.code in (408, 416, 429) or error.code >= 500
        raise Failed(f"the server says {error.code} {error.reason}", again=again) from None
    note.unlink(missing_ok=True)
    named = named.strip('"').lower()
    return named if SHA256.fullmatch(named) else None


def _begun(part: Path, note: Path) -> tuple[int, str]:
    """Return how many bytes an earlier attempt left that can be gone on from, and the etag of their file."""
    try:
        etag = read_regular(note, NOTE).decode()
        return (part.stat().st_size, etag) if etag else (0, "")
    except (OSError, UnicodeDecodeError):
        return 0, ""


def _extent(response: Any, have: int, etag: str, note: Path) -> tuple[int, int | None]:
    """Return at which byte a response begins and how long the whole file is, None where the server does not say.

    A part that was not asked for, or of another file, makes the next attempt begin anew.
    """
    if response.status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if not span or int(span[1]) != have or response.headers.get("ETag", etag) != etag:
            note.unlink(missing_ok=True)
            raise Failed("the server sent another part than the one asked for")
        return have, int(span[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _pour(
    response: Any,
    file: IO[bytes],
    part: Path,
    extent: tuple[int, int | None],
    progress: Callable[[float], None],
    watch: Watch,
) -> None:
    """Write what comes, from byte extent[0] on, up to the length extent[1] or, where that is not given, UNTOLD bytes."""
    done, total = extent
    most = UNTOLD if total is None else total
    while block := response.read1(CHUNK):
        watch.received += len(block)
        if done + len(block) > most:
            raise Refused(f"it sends more than {'the most that is taken' if total is None else 'it said'}, {most} bytes")
        try:
            _room(part, len(block))
        except Failed as error:
            raise error if total is not None else Refused(str(error)) from None
        file.write(block)
        done += len(block)
        progress(done / total if total else 0.0)
    if total is not None and done != total:
        raise Failed(f"the connection ended after {done} of {total} bytes")


def _room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed + RESERVE > free:
        raise Failed(
            f"{needed / 2**20:.0f} MiB do not fit on the disk of {part.parent} ({free / 2**20:.0f} MiB free)", again=False
        )


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    return f"{type(inner).__name__} {inner}".strip()
