"""Downloads from a server that stalls, truncates, redirects and lies."""

from __future__ import annotations

import hashlib
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from server import Server, serving

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.runtime import connection
from irflow_cli.runtime import download as module
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.runtime.download import Origin, address_of, download, origin_of


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("IRFLOW_MIRROR", "HF_ENDPOINT", "IRFLOW_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data(tiny_checkpoint) -> bytes:
    return tiny_checkpoint("derain").read_bytes()


@pytest.fixture
def server(data: bytes) -> Iterator[Server]:
    with serving(data) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "mine.safetensors"


def _get(server: Server, target: Path, sha256: str | None = None) -> Origin:
    return download(f"{server.address}/mine.safetensors", target, load_checkpoint, sha256)


def _left(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")}


WHOLE = {"mine.safetensors", "mine.safetensors.origin.json"}


def test_a_file_arrives_with_its_origin_and_progress(server: Server, target: Path, data: bytes) -> None:
    shares: list[float] = []
    origin = download(f"{server.address}/mine.safetensors", target, load_checkpoint, None, shares.append)
    assert target.read_bytes() == data
    assert origin == Origin(f"{server.address}/mine.safetensors", hashlib.sha256(data).hexdigest(), len(data))
    assert origin_of(target) == origin
    assert _left(target) == WHOLE
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("plan", "ranges"),
    [
        (["truncate"], ["", "bytes=HALF-"]),
        (["stall"], ["", "bytes=HALF-"]),
        (["silent"], ["", ""]),
        (["say 503", "say 429"], ["", "", ""]),
        (["truncate", "anew"], ["", "bytes=HALF-"]),
        (["truncate", "another"], ["", "bytes=HALF-", ""]),
        (["truncate", "mixed"], ["", "bytes=HALF-", ""]),
        (["truncate", "say 416"], ["", "bytes=HALF-", ""]),
        (["nameless"], ["", ""]),
        (["redirect /elsewhere"], ["", ""]),
        (["truncate", "redirect /elsewhere"], ["", "bytes=HALF-", "bytes=HALF-"]),
    ],
)
def test_what_can_be_mended_is(plan: list[str], ranges: list[str], server: Server, target: Path, data: bytes) -> None:
    server.plan[:] = plan
    _get(server, target)
    assert target.read_bytes() == data
    assert [asked for _, asked in server.asked] == [text.replace("HALF", str(len(data) // 2)) for text in ranges]
    assert _left(target) == WHOLE


def test_a_later_call_goes_on_where_an_earlier_one_ended(server: Server, target: Path, data: bytes) -> None:
    server.plan[:] = ["truncate", "say 404"]
    with pytest.raises(CheckpointError, match="404") as caught:
        _get(server, target)
    assert all(part in str(caught.value) for part in (server.address, str(target), "by hand", "sha256 is not known"))
    assert (target.parent / "mine.safetensors.part").stat().st_size == len(data) // 2
    _get(server, target)
    assert server.asked[-1][1] == f"bytes={len(data) // 2}-"
    assert target.read_bytes() == data


def test_another_file_under_the_same_address_begins_anew(server: Server, target: Path, data: bytes, tiny_checkpoint) -> None:
    server.plan[:] = ["truncate", "say 404"]
    with pytest.raises(CheckpointError):
        _get(server, target)
    server.data = tiny_checkpoint("denoise").read_bytes()
    _get(server, target)
    assert target.read_bytes() == server.data


@pytest.mark.parametrize("plan", [["truncate"] * 4, ["stall"] * 4, ["say 500"] * 4, ["say 404"], ["redirect /round"] * 12])
def test_what_cannot_be_mended_ends_and_leaves_no_name(plan: list[str], server: Server, target: Path) -> None:
    server.plan[:] = plan
    server.data = server.data[:64] * 100  # no checkpoint: whatever gets its name would be seen
    with pytest.raises(CheckpointError, match="cannot get"):
        _get(server, target, "ab" * 32)
    assert not target.exists()
    assert len(server.asked) <= len(plan)


@pytest.mark.parametrize(
    "place", ["http://example.invalid/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://me:secret@127.0.0.1/x"]
)
def test_redirects_elsewhere_are_refused(place: str, server: Server, target: Path) -> None:
    server.plan[:] = [f"redirect {place}"]
    with pytest.raises(CheckpointError, match="cannot get"):
        _get(server, target)
    assert len(server.asked) == 1
    assert not target.exists()


def test_a_file_with_another_hash_is_set_aside_and_never_loaded(server: Server, target: Path, data: bytes) -> None:
    for number, suffix in enumerate(("", "-1")):
        with pytest.raises(CheckpointError, match="expected abab") as caught:
            _get(server, target, "ab" * 32)
        aside = target.with_name(f"mine.safetensors.rejected{suffix}")
        assert str(aside) in str(caught.value)
        assert hashlib.sha256(data).hexdigest() in str(caught.value)
        assert aside.read_bytes() == data
        assert len(_left(target)) == number + 1
    _get(server, target, hashlib.sha256(data).hexdigest())
    assert target.exists()


def test_the_hash_that_the_hub_names_is_held_against_the_file(server: Server, target: Path, data: bytes) -> None:
    server.plan[:] = ["linked " + "cd" * 32]
    with pytest.raises(CheckpointError, match="expected cdcd"):
        _get(server, target)
    server.plan[:] = ["linked " + hashlib.sha256(data).hexdigest()]
    assert _get(server, target).bytes == len(data)


@pytest.mark.parametrize("content", [b"", b"<html>log in</html>", b"\x80\x04\x95pickle", b"\xff" * 4096])
def test_what_is_no_checkpoint_is_set_aside(content: bytes, server: Server, target: Path) -> None:
    server.data = content
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        _get(server, target)
    assert _left(target) == {"mine.safetensors.rejected"}
    assert target.with_name("mine.safetensors.rejected").read_bytes() == content


def test_a_short_file_of_unknown_length_is_set_aside(server: Server, target: Path) -> None:
    server.plan[:] = ["unmeasured"]
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        _get(server, target)
    assert not target.exists()


def test_a_disk_that_is_full_keeps_what_can_be_gone_on_from(
    server: Server, target: Path, data: bytes, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the server has another file by then: its etag must not come to stand beside the old beginning."""
    server.plan[:] = ["truncate", "say 404"]
    with pytest.raises(CheckpointError):
        _get(server, target)
    server.data = tiny_checkpoint("denoise").read_bytes()
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(0))
        with pytest.raises(CheckpointError, match="do not fit"):
            _get(server, target)
    _get(server, target)
    assert target.read_bytes() == server.data


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_does_not_fit_the_disk_is_not_begun(
    known: bool, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(module.RESERVE + len(server.data) // 4))
    server.plan[:] = [] if known else ["unmeasured"]
    with pytest.raises(CheckpointError, match="do not fit"):
        _get(server, target)
    assert len(server.asked) == 1
    assert (
        not (target.parent / "mine.safetensors.part").exists() or not (target.parent / "mine.safetensors.part").stat().st_size
    )


def test_one_process_at_a_time_works_on_a_file(server: Server, target: Path) -> None:
    target.parent.mkdir()
    with FileLock(target.with_name(".mine.safetensors.lock")), pytest.raises(CheckpointError, match="another irflow"):
        _get(server, target)
    assert not server.asked
    _get(server, target)


@pytest.mark.parametrize("variable", ["IRFLOW_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_opens_no_socket(variable: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(CheckpointError, match="OFFLINE") as caught:
        download("https://example.org/mine.safetensors", target, load_checkpoint, "ab" * 32)
    assert all(part in str(caught.value) for part in ("https://example.org/mine.safetensors", str(target), "ab" * 32))
    monkeypatch.setenv(variable, "0")
    with pytest.raises(AssertionError, match="socket"):  # the guard holds: online, it would have been
        download("https://example.org/mine.safetensors", target, load_checkpoint)


def test_addresses_and_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = "hf://owner/name/folder/a file.safetensors"
    assert address_of(hub) == "https://huggingface.co/owner/name/resolve/main/folder/a%20file.safetensors"
    assert address_of("hf://o/n@v1/f") == "https://huggingface.co/o/n/resolve/v1/f"
    assert address_of("https://host/a/b?c=d") == "https://host/a/b?c=d"
    monkeypatch.setenv("IRFLOW_MIRROR", "https://mirror/base/")
    assert address_of("https://host/a/b?c=d") == "https://mirror/base/a/b?c=d"
    assert address_of("hf://o/n/f") == "https://mirror/base/o/n/resolve/main/f"
    monkeypatch.setenv("HF_ENDPOINT", "http://localhost:8080")
    assert address_of("hf://o/n/f") == "http://localhost:8080/o/n/resolve/main/f"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror")
    with pytest.raises(UsageError):
        address_of("hf://o/n/f")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x",
        "http://example.org/x",
        "ftp://h/x",
        "file:///etc/passwd",
        "hf://o/n",
        "hf://o//f",
        "https:///x",
        "https://[::1/x",
        "https://me:secret@host/x",
        "https://host/a b",
        "https://host/\nx",
        "data:,x",
        "https://hoſt/x",
    ],
)
def test_other_addresses_are_refused(source: str) -> None:
    with pytest.raises(UsageError):
        address_of(source)


@pytest.mark.parametrize("what", ["body", "header", "chunk", "continue"])
def test_a_server_that_drips_is_left_and_nothing_kept(
    what: str, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then holds off every timeout of a socket."""
    monkeypatch.setattr(connection, "SPAN", 0.3)
    server.plan[:] = [f"drip {what}"]
    with pytest.raises(CheckpointError, match="less than 4096 bytes a second"):
        _get(server, target)
    assert len(server.asked) == 1
    assert _left(target) == set()


def test_a_server_that_takes_too_long_is_left(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SPAN", 0.1)
    monkeypatch.setattr(connection, "LONGEST", 0.05)
    monkeypatch.setattr(module, "UNTOLD", 2**40)
    monkeypatch.setattr(module, "_room", lambda part, needed: None)
    server.plan[:] = ["endless"]
    with pytest.raises(CheckpointError, match="hours"):
        _get(server, target)
    assert _left(target) == set()


@pytest.mark.parametrize(("plan", "limit"), [("endless", "UNTOLD"), ("overfull", None), ("serve", "LARGEST")])
def test_a_server_that_sends_too_much_is_left(
    plan: str, limit: str | None, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit:
        monkeypatch.setattr(module, limit, 1000)
    server.plan[:] = [plan]
    with pytest.raises(CheckpointError, match="more than"):
        _get(server, target)
    assert len(server.asked) == 1
    assert _left(target) == set()


def test_what_was_not_announced_and_does_not_fit_is_removed(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, looks = namedtuple("usage", "free"), iter([0, 10, 20])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(module.RESERVE + (2**20 if next(looks, 99) < 15 else 0)))
    server.plan[:] = ["endless"]
    with pytest.raises(CheckpointError, match="do not fit"):
        _get(server, target)
    assert _left(target) == set()


def test_the_body_of_a_redirect_is_not_read(server: Server, target: Path, data: bytes) -> None:
    server.plan[:] = ["heavy"]
    assert _get(server, target).bytes == len(data)
