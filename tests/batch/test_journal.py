"""A batch that was broken off goes on, and replaces only what irflow made."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import scene
from PIL import Image
from results import below

from irflow_cli.batch.journal import NAME
from irflow_cli.runtime.checkpoints import load_checkpoint, save_checkpoint


def test_a_dry_run_looks_into_the_record(restore, album: Path, tmp_path: Path) -> None:
    command = (album / "a.png", album / "b.jpg", "-o", tmp_path / "out", "--resume")
    assert restore(*command[:1], *command[2:]).code == 0
    made = (tmp_path / "out" / "a.png").read_bytes()
    done = restore(*command, "-n", "--json")
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "planned"]
    assert [json.loads(line)["status"] for line in restore(*command, "--steps", 3, "-n", "--json").out.splitlines()] == [
        "planned",
        "planned",
    ]
    (tmp_path / "out" / "b.jpg").write_text("mine")
    done = restore(*command, "-n")
    assert (done.code, "no record says that irflow made it" in done.err) == (1, True)
    assert (tmp_path / "out" / "a.png").read_bytes() == made


def test_resume_trusts_only_what_it_can_prove(degrade, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def statuses(*options: object) -> list[str]:
        return [json.loads(line)["status"] for line in degrade(album, "-o", out, "--json", *options).out.splitlines()]

    assert statuses("--resume") == ["done", "done"]
    first = {name: (out / name).read_bytes() for name in ("a.png", "b.jpg")}
    assert statuses("--resume") == ["skipped", "skipped"]
    (out / "a.png").unlink()
    assert statuses("--resume") == ["done", "skipped"]
    assert (out / "a.png").read_bytes() == first["a.png"]
    assert statuses("--resume", "--seed", 5) == ["done", "done"]  # other settings
    Image.fromarray(scene(30, 30, 3)).save(album / "a.png")  # another source
    assert statuses("--resume", "--seed", 5) == ["done", "skipped"]
    with (out / NAME).open("ab") as file:
        file.write(b'{"name": "b.j')  # the record itself was cut off
    assert statuses("--resume", "--seed", 5) == ["skipped", "skipped"]
    assert statuses("--resume") == ["done", "done"]
    assert statuses("--resume") == ["skipped", "skipped"]
    Image.fromarray(scene(30, 30, 4)).save(out / "a.png")  # somebody worked on a result
    retouched = (out / "a.png").read_bytes()
    assert statuses("--resume") == ["failed", "skipped"]
    assert (out / "a.png").read_bytes() == retouched


LAYERS = [Image.new("L", (9, 9))]


EDITED = {
    "another picture": lambda made: Image.fromarray(scene(30, 30, 4)).save(made, "PNG"),
    "layers": lambda made: Image.fromarray(scene(30, 30)).save(
        made, "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]
    ),
    "what irflow does not read": lambda made: made.write_bytes(b"8BPS\0\1" + bytes(100)),
    "cut off": lambda made: made.write_bytes(made.read_bytes()[:100]),
    "nothing": lambda made: made.write_bytes(b""),
}


@pytest.mark.parametrize("edit", EDITED)
def test_resume_replaces_only_bytes_that_irflow_wrote(degrade, album: Path, tmp_path: Path, edit: str) -> None:
    out = tmp_path / "out"
    assert degrade(album, "-o", out, "--resume").code == 0
    EDITED[edit](out / "a.png")
    edited = (out / "a.png").read_bytes()
    assert degrade(album, "-o", out, "--resume", "--seed", 5).code == 1
    assert (out / "a.png").read_bytes() == edited
    assert degrade(album, "-o", out, "--overwrite").code == 0
    assert degrade(album, "-o", out, "--resume").code == 0  # what replaced it is on record too


def test_resume_is_named_only_where_it_can_work(degrade, album: Path, tmp_path: Path) -> None:
    for name, options in (("plain", ()), ("kept", ("--resume",))):
        out = tmp_path / name
        assert degrade(album, "-o", out, *options).code == 0
        assert "use --overwrite, --skip-existing, --resume or another output" in degrade(album, "-o", out).err
        (out / "a.png").write_bytes(b"mine")
        assert "use --overwrite, --skip-existing or another output" in degrade(album, "-o", out).err


@pytest.mark.parametrize("first", [(), ("--overwrite",)], ids=["plain", "overwrite"])
def test_a_run_without_resume_can_be_gone_on_with(degrade, album: Path, tmp_path: Path, first: tuple) -> None:
    out = tmp_path / "out"
    assert degrade(album / "a.png", "-o", out, *first).code == 0
    assert below(out) == ["a.png"]  # and nothing beside the results
    done = degrade(album, "-o", out, "--resume", "--json")
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "done"]
    (out / "a.png").write_bytes(b"mine")
    assert degrade(album, "-o", out, "--resume").code == 1
    assert (out / "a.png").read_bytes() == b"mine"


@pytest.mark.parametrize("cache", ["a file", "old records"])
def test_records_in_the_cache_are_no_burden(degrade, album: Path, tmp_path: Path, monkeypatch, cache: str) -> None:
    place = tmp_path / "cache"
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(place))
    if cache == "a file":
        place.write_text("no folder")
    else:
        (place / "batches").mkdir(parents=True)
        old = place / "batches" / "old.jsonl"
        old.write_text("{}\n")
        os.utime(old, (0, 0))
    assert degrade(album, "-o", tmp_path / "out").code == 0
    assert not (place / "batches" / "old.jsonl").exists()


def test_resume_does_not_replace_what_others_made(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_text("mine")
    done = degrade(album, "-o", tmp_path / "out", "--resume")
    assert done.code == 1
    assert "no record says that irflow made it; move it, or use --overwrite or --skip-existing" in done.err
    assert (tmp_path / "out" / "a.png").read_text() == "mine"
    assert (tmp_path / "out" / "b.jpg").exists()


@pytest.mark.parametrize("again", ["--resume", "--skip-existing"])
def test_the_same_command_can_be_given_again(restore, album: Path, again: str) -> None:
    for arguments in ((album / "*.png",), (album, "-r", "-o", album / "out")):
        for _ in range(2):
            done = restore(*arguments, again)
            assert done.code == 0, done.err
    assert below(album) == sorted(
        {"a.png", "b.jpg", "below/c.webp", "a.derain.png"}
        | {f"out/{name}" for name in ("a.png", "a.derain.png", "b.jpg", "below/c.webp")}
        | ({".irflow.jsonl", "out/.irflow.jsonl", "out/below/.irflow.jsonl"} if again == "--resume" else set())
    )


def test_a_full_disk_stops_a_run_with_a_record_too(degrade, album: Path, tmp_path: Path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = degrade(album, "-o", tmp_path / "out", "--resume")
    assert done.code == 5
    assert "make room" in done.err


def test_a_record_that_cannot_be_read_is_told(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / NAME).mkdir(parents=True)
    done = degrade(album, "-o", tmp_path / "out", "--resume")
    assert done.code == 1
    assert f"{NAME}: Is a directory" in done.err


def test_resume_sees_another_card_over_the_same_weights(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source, path = picture_file("in.png"), tiny_checkpoint("denoise")
    command = ("restore", source, "--task", "denoise", "--sigma", 20, "--checkpoint", path, "-o", tmp_path / "out", "--resume")
    assert irflow(*command).code == 0
    first = (tmp_path / "out" / "in.png").read_bytes()
    assert "already there" in irflow(*command).err
    loaded = load_checkpoint(path)
    save_checkpoint(path, loaded.net.state_dict(), replace(loaded.card, sigma_max=75.0), torch.float32)
    assert "already there" not in irflow(*command).err
    assert (tmp_path / "out" / "in.png").read_bytes() != first
