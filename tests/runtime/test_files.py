"""Files are written whole, or not at all."""

from __future__ import annotations

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from irflow_cli.errors import DiskFull, ImageError
from irflow_cli.runtime.files import _umask, takes_files, write_atomically, write_together


@pytest.fixture(autouse=True)
def _heic_is_an_extra(request: pytest.FixtureRequest) -> None:
    if "HEIF" in request.node.name:
        pytest.importorskip("pillow_heif")


def test_who_may_read_a_file_stays_when_it_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"1", overwrite=False)
    path.chmod(0o600)
    write_atomically(path, b"2", overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_files_are_replaced_only_when_asked_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file.bin"
    write_atomically(path, b"first", overwrite=False)
    with pytest.raises(ImageError, match="`overwrite`"):
        write_atomically(path, b"second", overwrite=False)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="make room"):
        write_atomically(path, b"third", overwrite=True)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_below_a_file_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert takes_files(tmp_path / "not" / "there")
    assert not takes_files(tmp_path / "file" / "below")
    assert not takes_files(tmp_path / "link")


@pytest.mark.parametrize("last", ["folder", "file/below"])
def test_files_that_belong_together_are_all_written_or_none(last: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ImageError, match=r"cannot write .*: (Is|Not) a directory"):
        write_together({tmp_path / "first": b"1", tmp_path / last: b"2"}, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before
    write_together({tmp_path / "first": b"1", tmp_path / "second": b"2"}, overwrite=False)
    assert (tmp_path / "second").read_bytes() == b"2"


@pytest.mark.parametrize("refusal", [None, errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.EMLINK])
def test_a_file_that_appears_while_another_is_written_stays(
    refusal: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, link = os.fsync, os.link

    def slow(handle: int) -> None:
        (tmp_path / "second").write_bytes(b"theirs")
        flush(handle)

    def linked(*names: object) -> None:
        if refusal:
            raise OSError(refusal, os.strerror(refusal))
        link(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", linked)
    write_atomically(tmp_path / "before", b"1", overwrite=False)
    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(ImageError, match="second exists; use `overwrite`"):
        write_together({tmp_path / "first": b"1", tmp_path / "second": b"2"}, overwrite=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "second"]
    assert (tmp_path / "second").read_bytes() == b"theirs"


def test_a_link_that_leads_nowhere_is_a_file_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(ImageError, match="link exists; use `overwrite`"):
        write_atomically(path, b"1", overwrite=False)
    write_atomically(path, b"1", overwrite=True)
    assert (path.is_symlink(), path.read_bytes(), list(tmp_path.iterdir())) == (False, b"1", [path])


@pytest.mark.skipif(os.name != "posix", reason="other systems have no umask to speak of")
def test_threads_that_write_leave_the_umask_as_it_was() -> None:
    interval, before = sys.getswitchinterval(), os.umask(0o77)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = set(pool.map(lambda _: _umask(), range(4000)))
        assert found == {0o77} and os.umask(0o77) == 0o77
    finally:
        sys.setswitchinterval(interval)
        os.umask(before)
