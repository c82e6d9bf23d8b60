"""Folders in object stores: memory:// here, and a real server of S3 on this machine where one is installed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from drawn import png
from PIL import Image

from irflow_cli.cli.app import run
from irflow_cli.extras import hint

fsspec = pytest.importorskip("fsspec")


def test_remote_is_as_local_to_the_byte(memory: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for key in ("a.png", "b.png", "deep/c.png"):
        (tmp_path / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / key).write_bytes(memory.cat_file(f"in/{key}"))
    work = ["degrade", "--kind", "noise", "-r"]
    assert run([*work, str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    capfd.readouterr()
    assert run([*work, "memory://in", "-o", "memory://out", "--json"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["output"] for row in rows] == ["memory://out/a.png", "memory://out/b.png", "memory://out/deep/c.png"]
    for key in ("a.png", "b.png", "deep/c.png"):
        assert memory.cat_file(f"out/{key}") == (tmp_path / "out" / key).read_bytes()
    assert sorted(memory.find("out")) == ["/out/a.png", "/out/b.png", "/out/deep/c.png"]  # and nothing beside them
    assert run([*work, "memory://in", "-o", "memory://out"]) == 2
    said = capfd.readouterr().err
    assert "memory://out/a.png and 2 more exist;" in said and str(Path("/tmp")) not in said
    assert run([*work, "memory://in", "-o", "memory://out", "--skip-existing", "-q"]) == 0
    assert run([*work, "memory://in/*.png", "-o", str(tmp_path / "down"), "-q"]) == 0
    assert sorted(path.name for path in (tmp_path / "down").iterdir()) == ["a.png", "b.png"]


ADDRESSES = {
    "picture": (["memory://in/a.png"], "in/a.noise.png"),
    "pattern": (["memory://in/[ab].png"], "in/a.noise.png"),
    "other format": (["memory://in/*.png", "--format", "jpg"], "in/a.noise.jpg"),
    "folder": (["memory://in"], "in/a.noise.png"),
    "tree": (["memory://in", "-r"], "in/deep/c.noise.png"),
    "template": (["memory://in/a.png", "--name-template", "x/y/{stem}{ext}"], "in/x/y/a.png"),
    "template of a folder": (["memory://in", "--name-template", "x/{stem}{ext}"], "in/x/b.png"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_results_beside_remote_pictures_are_replaced_only_when_asked(
    memory: Any, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words, result = ADDRESSES[name]
    memory.pipe_file(result, b"mine")
    before = memory.find("")
    assert run(["degrade", *words, "--kind", "noise"]) == 2
    assert capfd.readouterr().err.startswith(f"irflow: memory://{result} exists; use --overwrite")
    assert memory.find("") == before
    assert run(["degrade", *words, "--kind", "noise", "--skip-existing", "--json"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["output"] for row in rows if row["status"] == "skipped"] == [f"memory://{result}"]
    assert len(memory.find("")) == len(before) + len(rows) - 1  # and what was made is not worked on
    assert memory.cat_file(result) == b"mine"
    assert run(["degrade", *words, "--kind", "noise", "--overwrite"]) == 0
    assert memory.cat_file(result) != b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["memory://nowhere", "-o", "memory://out"], "there is nothing at memory://nowhere"),
        (["memory://in", "-o", "memory://out", "--resume"], "--skip-existing"),
        (["memory://in/../x", "-o", "memory://out"], "names no place"),
        (["ftp://in/x.png", "-o", "out"], "is an address"),
    ],
)
def test_what_makes_no_sense_is_one_line(memory: Any, words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["degrade", *words, "--kind", "noise"]) == 2
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and said in told[0]


def test_a_store_that_takes_nothing_ends_the_run(
    memory: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Any, path: str, value: bytes, **options: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "pipe_file", refuse)
    assert run(["degrade", "memory://in", "-o", "memory://out", "--kind", "noise"]) == 1
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("irflow:")]
    assert told == ["irflow: memory://out cannot be written to (Access Denied); give another output, or credentials"]


def test_a_picture_that_cannot_be_fetched_does_not_stop_the_others(
    memory: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch = type(memory).cat_file

    def broken(self: Any, path: str, *rest: Any, **options: Any) -> bytes:
        if path.endswith("a.png"):
            raise TimeoutError("read timed out")
        return fetch(self, path, *rest, **options)

    monkeypatch.setattr(type(memory), "cat_file", broken)
    assert run(["degrade", "memory://in", "-o", "memory://out", "--kind", "noise"]) == 1
    assert "memory://in/a.png: cannot be fetched (read timed out)" in capfd.readouterr().err
    assert memory.find("out") == ["/out/b.png"]


def test_masks_are_fetched_too(memory: Any, tiny_checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    mask = np.zeros((24, 32), np.uint8)
    mask[8:12, 10:16] = 255
    for name in ("a", "b"):
        buffer = io.BytesIO()
        Image.fromarray(mask).save(buffer, "PNG")
        memory.pipe_file(f"masks/{name}.png", buffer.getvalue())
    prior = ["--checkpoint", str(tiny_checkpoint("prior")), "--preset", "fast", "--device", "cpu", "-q"]
    assert run(["inpaint", "memory://in", "--mask", "memory://masks", "-o", str(tmp_path / "out"), *prior]) == 0
    for name in ("a", "b"):
        before = np.asarray(Image.open(io.BytesIO(memory.cat_file(f"in/{name}.png"))))
        changed = (np.asarray(Image.open(tmp_path / "out" / f"{name}.png")) != before).any(2)
        assert changed.any() and not changed[mask == 0].any()


def test_an_address_reaches_the_store_of_its_scheme_and_no_other(
    memory: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fsspec, "filesystem", lambda scheme: asked.append(scheme) or memory)
    words = ["degrade", "gs://in", "-o", "gs://out", "--kind", "noise", "--json"]
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert run(words) == 2 and not asked
    assert capfd.readouterr().err == f"irflow: gs:// needs gcsfs; {hint('remote')}\n"
    monkeypatch.setitem(sys.modules, "gcsfs", ModuleType("gcsfs"))
    assert run(words) == 0 and set(asked) == {"gs"}
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(row["input"], row["output"]) for row in rows] == [(f"gs://in/{n}", f"gs://out/{n}") for n in ("a.png", "b.png")]
    for row in rows:  # the bucket is the first part of a key, as gcsfs has it
        assert hashlib.sha256(memory.cat_file(row["output"][5:])).hexdigest() == row["digest"]


def test_folders_that_may_not_be_looked_into_or_read_are_one_line(
    memory: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Any, path: str, **options: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "find", refuse)
    assert run(["degrade", "memory://in", "-o", "out", "--kind", "noise"]) == 2
    said = "memory://in cannot be looked into (Access Denied); check the address and its credentials"
    assert capfd.readouterr().err == f"irflow: {said}\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a store of a server on this machine, with one bucket."""
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer("127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    store.mkdir("photos")
    yield store
    running.stop()
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.filterwarnings("ignore")
def test_a_real_server_of_s3(bucket: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png"):
        bucket.pipe_file(f"photos/in/{name}", png(len(name)))
    (tmp_path / "a.png").write_bytes(png(5))
    assert run(["degrade", "s3://photos/in", "-o", "s3://photos/out", "--kind", "noise", "--seed", "3"]) == 0
    assert run(["degrade", str(tmp_path / "a.png"), "-o", str(tmp_path / "noisy.png"), "--kind", "noise", "--seed", "3"]) == 0
    bucket.invalidate_cache()
    assert bucket.find("photos/out") == ["photos/out/a.png", "photos/out/b.png"]
    assert bucket.cat_file("photos/out/a.png") == (tmp_path / "noisy.png").read_bytes()
    capfd.readouterr()
    assert run(["degrade", "s3://photos/in", "-o", "s3://no-such-bucket/out", "--kind", "noise"]) == 1
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("irflow:")]
    assert len(told) == 1 and "s3://no-such-bucket/out cannot be written to" in told[0]
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
