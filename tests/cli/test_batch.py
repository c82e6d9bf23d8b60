"""Batches as a shell sees them: what is read, where results go, what happens when something goes wrong."""

from __future__ import annotations

import io
import itertools
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.batch import store as batch
from irflow_cli.batch.journal import NAME
from irflow_cli.engines.restorer import Restorer
from irflow_cli.images.decode import read_picture
from irflow_cli.images.picture import Picture
from irflow_cli.nets import UNet
from irflow_cli.runtime.checkpoints import load_checkpoint, save_checkpoint
from irflow_cli.services import degrade_files


@pytest.fixture
def degrade(irflow) -> Callable:
    """Return `irflow degrade --kind noise`, which needs no network."""
    return lambda *arguments: irflow("degrade", *arguments, "--kind", "noise")


@pytest.fixture
def restore(irflow, tiny_checkpoint) -> Callable:
    """Return `irflow restore --task derain` with a tiny checkpoint."""
    return lambda *arguments: irflow("restore", *arguments, "--task", "derain", "--checkpoint", tiny_checkpoint("derain"))


@pytest.fixture
def album(picture_file, tmp_path: Path) -> Path:
    """Return a folder of three pictures, one of them in a folder below."""
    for name in ("album/a.png", "album/b.jpg", "album/below/c.webp"):
        picture_file(name)
    return tmp_path / "album"


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folders_are_flat_unless_asked(degrade, album: Path, tmp_path: Path) -> None:
    assert degrade(album, tmp_path / "flat").code == 0
    assert below(tmp_path / "flat") == ["a.png", "b.jpg"]
    assert degrade(album, tmp_path / "deep", "-r").code == 0
    assert below(tmp_path / "deep") == ["a.png", "b.jpg", "below/c.webp"]


def test_a_folder_of_folders_says_how_to_look_below(degrade, picture_file, tmp_path: Path) -> None:
    picture_file("outer/inner/a.png")
    done = degrade(tmp_path / "outer", tmp_path / "out")
    assert (done.code, "-r" in done.err) == (3, True)


def test_patterns_and_lists(restore, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert restore("album/*.png", "album/**/c.*", "-o", "globbed").code == 0
    assert below(tmp_path / "globbed") == ["a.png", "c.webp"]
    assert restore("al*", "-o", "folders").code == 0  # as the shell would give it
    assert below(tmp_path / "folders") == ["a.png", "b.jpg"]
    (tmp_path / "list.txt").write_text("album/a.png\n\nalbum/b.jpg\n")
    (tmp_path / "zero.txt").write_bytes(b"album/a.png\0album/below/c.webp\0")
    assert restore("@list.txt", "-o", "listed").code == 0
    assert below(tmp_path / "listed") == ["a.png", "b.jpg"]
    assert restore("@zero.txt", "-o", "zeros").code == 0
    assert below(tmp_path / "zeros") == ["a.png", "c.webp"]
    assert restore("@none.txt").code == 2
    picture = scene(8, 8)
    Image.fromarray(picture).save("@real.png")
    assert restore("@real.png").out == "@real.derain.png\n"


def test_pipes(tmp_path: Path, tiny_checkpoint, picture_file) -> None:
    command = [sys.executable, "-m", "irflow_cli", "restore", "-", "--task", "derain"]
    command += ["--checkpoint", str(tiny_checkpoint("derain")), "--format", "png"]
    source = picture_file("in.jpg")
    done = subprocess.run(command, input=source.read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (64, 48))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{stem}-clean{ext}", "a-clean.png"),
        ("{index:03d}_{parent}{suffix}{ext}", "000_album.derain.png"),
        ("x/{stem}{ext}", "x/a.png"),
    ],
)
def test_names_follow_the_template(restore, album: Path, tmp_path: Path, template: str, expected: str) -> None:
    assert restore(album / "a.png", "-o", tmp_path / "out", "--name-template", template).code == 0
    assert below(tmp_path / "out") == [expected]


REFUSED = {
    "unknown field": (("--name-template", "{colour}.png"), "{stem}"),
    "broken template": (("--name-template", "{stem"), "not understood"),
    "template without an ending": (("--name-template", "{stem}"), "{ext}"),
    "template that leaves": (("--name-template", "../{stem}{ext}"), "inside the output folder"),
    "one name for all": (("--name-template", "same{ext}", "--format", "png"), "--name-template"),
    "unknown format": (("--format", "gif"), "avif"),
    "quality": (("--quality", "0"), "1 to 100"),
    "two wishes": (("--quality", "90", "--lossless"), "contradict"),
    "two more": (("--overwrite", "--resume"), "contradict"),
    "metadata": (("--metadata", "some"), "no-gps"),
    "max pixels": (("--max-pixels", "0"), "--max-pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_requests_that_make_no_sense_do_nothing(restore, album: Path, tmp_path: Path, name: str) -> None:
    options, message = REFUSED[name]
    done = restore(album, "-o", tmp_path / "out", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_an_output_of_an_unknown_format_is_no_folder(restore, album: Path, tmp_path: Path) -> None:
    done = restore(album / "a.png", "-o", tmp_path / "out.gif")
    assert (done.code, "make it first" in done.err) == (2, True)


def test_a_dry_run_tells_and_does_nothing(restore, album: Path, tmp_path: Path) -> None:
    before = below(tmp_path)
    done = restore(album, "-n", "-r", "--json")
    assert done.code == 0
    planned = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(line["output"]).name for line in planned] == ["a.derain.png", "b.derain.jpg", "c.derain.webp"]
    assert below(tmp_path) == before


@pytest.mark.parametrize(
    ("option", "code"),
    [(("--checkpoint", "denoise"), 4), (("--checkpoint", "gone.safetensors"), 4), (("--device", "cuda:99"), 5)],
)
def test_a_dry_run_fails_where_the_run_would(irflow, album: Path, option: tuple[str, str], code: int) -> None:
    done, real = (irflow("restore", album, "--task", "derain", *option, *more) for more in (("-n",), ()))
    assert (done.code, done.out, done.err) == (code, "", real.err)
    assert real.code == code


def test_a_dry_run_tells_what_would_be_skipped(restore, album: Path) -> None:
    assert restore(album / "a.png").code == 0
    done = restore(album / "a.png", album / "b.jpg", "--skip-existing", "-n")
    assert "a.derain.png: already there, skipped" in done.err
    assert f"-> {album / 'b.derain.jpg'}" in done.out


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


def test_results_that_exist_can_be_skipped(restore, album: Path) -> None:
    (album / "a.derain.png").write_text("mine")
    done = restore(album, "--skip-existing", "--json")
    assert done.code == 0
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "done"]
    assert (album / "a.derain.png").read_text() == "mine"


def test_resume_trusts_only_what_it_can_prove(degrade, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def statuses(*options: object) -> list[str]:
        return [json.loads(line)["status"] for line in degrade(album, out, "--json", *options).out.splitlines()]

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
    assert degrade(album, out, "--resume").code == 0
    EDITED[edit](out / "a.png")
    edited = (out / "a.png").read_bytes()
    assert degrade(album, out, "--resume", "--seed", 5).code == 1
    assert (out / "a.png").read_bytes() == edited
    assert degrade(album, out, "--overwrite").code == 0
    assert degrade(album, out, "--resume").code == 0  # what replaced it is on record too


def test_resume_is_named_only_where_it_can_work(degrade, album: Path, tmp_path: Path) -> None:
    for name, options in (("plain", ()), ("kept", ("--resume",))):
        out = tmp_path / name
        assert degrade(album, out, *options).code == 0
        assert "use --overwrite, --skip-existing, --resume or another output" in degrade(album, out).err
        (out / "a.png").write_bytes(b"mine")
        assert "use --overwrite, --skip-existing or another output" in degrade(album, out).err


@pytest.mark.parametrize("first", [(), ("--overwrite",)], ids=["plain", "overwrite"])
def test_a_run_without_resume_can_be_gone_on_with(degrade, album: Path, tmp_path: Path, first: tuple) -> None:
    out = tmp_path / "out"
    assert degrade(album / "a.png", out, *first).code == 0
    assert below(out) == ["a.png"]  # and nothing beside the results
    done = degrade(album, out, "--resume", "--json")
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "done"]
    (out / "a.png").write_bytes(b"mine")
    assert degrade(album, out, "--resume").code == 1
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
    assert degrade(album, tmp_path / "out").code == 0
    assert not (place / "batches" / "old.jsonl").exists()


SURPRISES = (
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    struct.error,
    ZeroDivisionError,
    OSError,
    AssertionError,
)


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("where", ["decode_picture", "encode_picture", "work"])
def test_whatever_one_picture_raises_is_its_own_failure(
    degrade, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, surprise: type[Exception]
) -> None:
    for name in ("a", "b", "c"):
        picture_file(f"in/{name}.png", 20, 20)
    place, name = (degrade_files, "degrade_picture") if where == "work" else (batch, where)
    plain, calls = getattr(place, name), itertools.count()

    def broken(*given: object, **options: object) -> object:
        if next(calls) == 1:
            raise surprise("out of the blue")
        return plain(*given, **options)

    monkeypatch.setattr(place, name, broken)
    done = degrade(tmp_path / "in", tmp_path / "out")
    assert done.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert f"b.png: cannot be worked on ({surprise.__name__}: " in done.err
    assert "Traceback" not in done.err


def test_resume_does_not_replace_what_others_made(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_text("mine")
    done = degrade(album, tmp_path / "out", "--resume")
    assert done.code == 1
    assert "no record says that irflow made it; move it, or use --overwrite or --skip-existing" in done.err
    assert (tmp_path / "out" / "a.png").read_text() == "mine"
    assert (tmp_path / "out" / "b.jpg").exists()


def test_fail_fast_stops_and_failures_are_told_once(degrade, tmp_path: Path, picture_file) -> None:
    for index in range(8):
        picture_file(f"in/{index}.png")
    for index in (0, 1):
        (tmp_path / "in" / f"{index}.png").write_text("broken")
    done = degrade(tmp_path / "in", tmp_path / "out", "--fail-fast")
    assert done.code == 1
    assert len(below(tmp_path / "out")) < 4
    done = degrade(tmp_path / "in", tmp_path / "all")
    assert done.code == 1
    assert len(below(tmp_path / "all")) == 6
    assert done.err.count("in/1.png") == 1
    assert "2 of 8 pictures failed" in done.err


@pytest.mark.parametrize(
    "options",
    [
        "--task derain",
        "--task denoise",
        "--task denoise --sigma 9 --strength 0.5",
        "--task denoise --sigma 0",
        "--task denoise --method prior",
    ],
)
def test_pictures_of_one_size_share_calls(
    irflow, tiny_checkpoint, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    for index in range(5):
        scattered = scene(40, 56, index) + np.random.default_rng(index).normal(0, 4 * index, (40, 56, 3))
        picture_file(f"in/{index}.png")
        Image.fromarray(scattered.clip(0, 255).astype(np.uint8)).save(tmp_path / "in" / f"{index}.png")
    picture_file("in/3b.png", 40, 56, "L")
    (tmp_path / "in" / "4b.png").write_text("no picture")
    picture_file("in/5.png", 64, 40)
    sizes: list[int] = []
    forward = UNet.forward

    def counted(net: UNet, x_t: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(x_t))
        return forward(net, x_t, *rest)

    monkeypatch.setattr(UNet, "forward", counted)
    options += (
        f" --checkpoint {tiny_checkpoint('prior' if 'prior' in options else options.split()[1])} --steps 1 --device cpu --json"
    )
    command = ("restore", tmp_path / "in", *options.split())
    ends = {count: irflow(*command, "--batch", count, "-o", tmp_path / str(count)) for count in (1, 3)}
    assert [end.code for end in ends.values()] == [1, 1]  # for the one that is no picture
    looks = [1] * 14 if options.startswith("--task denoise --checkpoint") else []  # for a picture's noise
    assert sorted(sizes) == sorted([] if "--sigma 0" in options else [1] * 11 + [3] + looks)
    told = [[{**json.loads(line), "output": "", "seconds": 0} for line in end.out.splitlines()] for end in ends.values()]
    assert told[0] == told[1]
    for path in (tmp_path / "1").iterdir():
        one, other = (read_picture(tmp_path / folder / path.name).pixels.astype(int) for folder in ("1", "3"))
        assert np.abs(one - other).max() <= 1


def test_a_list_may_come_through_a_pipe(degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{album / 'a.png'}\n{album / 'b.jpg'}\n"))
    assert degrade("@-", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg"]


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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-o", "o.jpg", "--format", "png"), "contradict each other"),
        (("--name-template", "{stem}.png", "--format", "jpg"), "contradict each other"),
    ],
)
def test_a_format_and_a_name_that_contradict_each_other_are_refused(restore, album: Path, options: tuple, told: str) -> None:
    done = restore(album / "a.png", *options)
    assert (done.code, told in done.err) == (2, True)


def test_names_that_cannot_be_followed_are_one_line(restore, tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in (tmp_path / "loop.png", tmp_path / ("x" * 300 + ".png")):
        done = restore(name, "-o", tmp_path / "out")
        assert done.code in (1, 2)
        assert len(done.err.strip().splitlines()) == 1


def test_a_full_disk_stops_a_run_with_a_record_too(degrade, album: Path, tmp_path: Path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = degrade(album, tmp_path / "out", "--resume")
    assert done.code == 5
    assert "make room" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_two_ctrl_c_stop_a_command_that_waits_for_a_pipe(restore, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, opened = threading.Event(), threading.Event()

    def read(most: int) -> bytes:
        waits.set()
        opened.wait(30)
        return b""

    def interrupt() -> None:
        waits.wait(30)
        for _ in range(2):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
    threading.Thread(target=interrupt).start()
    try:
        assert restore("-", "-o", "out.png").code == 130
        assert not opened.is_set()
    finally:
        opened.set()


def test_verbose_and_quiet(degrade, album: Path, tmp_path: Path) -> None:
    assert "megapixels in" in degrade(album, tmp_path / "one", "-v").err
    assert "2 pictures: 2 done" in degrade(album, tmp_path / "two").err
    assert degrade(album, tmp_path / "three", "-q").err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM")
def test_a_sigterm_ends_a_command_that_waits_for_its_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "irflow_cli", "degrade", "-", str(tmp_path / "out.png"), "--kind", "noise", "--seed", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        time.sleep(3)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 143
        assert b"Traceback" not in running.stderr.read()
    assert not list(tmp_path.iterdir())


def test_ctrl_c_finishes_the_picture_at_hand(degrade, tmp_path: Path, picture_file, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(9):
        picture_file(f"in/{index}.png")
    calls, real, handler = [], batch.encode_picture, signal.getsignal(signal.SIGINT)

    def encode(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments, **options)

    monkeypatch.setattr(batch, "encode_picture", encode)
    done = degrade(tmp_path / "in", tmp_path / "out")
    assert done.code == 130
    assert 2 <= len(below(tmp_path / "out")) <= 5
    assert all(read_picture(path).pixels.shape == (48, 64, 3) for path in (tmp_path / "out").iterdir())
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_stops_at_once(degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*arguments: object) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.01)

    monkeypatch.setattr("irflow_cli.services.degrade_files.degrade_picture", work)
    done = degrade(album, tmp_path / "out")
    assert done.code == 130
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(degrade, tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(noisy).save(tmp_path / "in" / name)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        done = degrade(tmp_path / "in", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.code == 5
    assert "make room" in done.err
    assert below(tmp_path / "out") == []


@pytest.mark.parametrize(
    "name", ["späte Äpfel.png", "with space.png", "new\nline.png", "-dash.png", "[brackets].png", "a.b.c.png"]
)
def test_odd_names_work(degrade, picture_file, tmp_path: Path, name: str) -> None:
    picture_file(f"in/{name}")
    assert degrade(tmp_path / "in" / name, tmp_path / "out").code == 0
    assert below(tmp_path / "out") == [name]


def test_a_pattern_that_matches_nothing_is_told(degrade, album: Path, tmp_path: Path) -> None:
    alone = degrade(tmp_path / "in*" / "*.webp", tmp_path / "out")
    assert (alone.code, len(alone.err.splitlines())) == (3, 1)
    beside = degrade("@" + str(tmp_path / "list.txt"), tmp_path / "out") if _list(tmp_path, album) else None
    assert beside is not None
    assert (beside.code, below(tmp_path / "out")) == (1, ["a.png"])
    assert "*.webp" in beside.err


def _list(tmp_path: Path, album: Path) -> bool:
    return bool((tmp_path / "list.txt").write_text(f"{album / 'a.png'}\n{album / '*.webp'}\n"))


def test_pictures_under_rarer_names_are_found(degrade, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.jfif", "b.JPE"):
        Image.fromarray(scene(20, 20)).save(tmp_path / "in" / name, "JPEG")
    assert degrade(tmp_path / "in", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.jfif", "b.JPE"]


def test_links_and_loops(degrade, album: Path, tmp_path: Path) -> None:
    (album / "loop").symlink_to(album, target_is_directory=True)
    (album / "linked.png").symlink_to(album / "a.png")
    (album / "dangling.png").symlink_to(album / "nothing.png")
    assert degrade(album, tmp_path / "out", "-r").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg", "below/c.webp", "linked.png"]


def test_a_thousand_files_are_worked_on(degrade, picture_file, tmp_path: Path) -> None:
    data = picture_file("one.png", 4, 4).read_bytes()
    (tmp_path / "many").mkdir()
    for index in range(1000):
        (tmp_path / "many" / f"{index}.png").write_bytes(data)
    assert len(degrade(tmp_path / "many", tmp_path / "out", "-n").out.splitlines()) == 1000
    (tmp_path / "many" / "500.png").write_bytes(data[:40])
    done = degrade(tmp_path / "many", tmp_path / "out")
    assert done.code == 1
    assert len(done.out.splitlines()) == len(list((tmp_path / "out").iterdir())) == 999
    assert "500.png" in done.err


def test_large_pictures_are_refused_by_their_pixels(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 48, 64)
    done = degrade(source, tmp_path / "out.png", "--max-pixels", 3000)
    assert (done.code, "--max-pixels" in done.err) == (1, True)
    assert degrade(source, tmp_path / "out.png", "--max-pixels", 3072).code == 0


def test_formats_and_quality(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 64, 64)
    sizes = []
    for quality in (30, 95):
        assert degrade(source, tmp_path / f"{quality}", "--format", "jpg", "--quality", quality).code == 0
        sizes.append((tmp_path / f"{quality}" / "in.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    assert degrade(source, tmp_path / "webp", "--format", "webp", "--lossless", "--severity", 0).code == 0
    assert np.array_equal(read_picture(tmp_path / "webp" / "in.webp").pixels, read_picture(source).pixels)
    refused = degrade(source, tmp_path / "avif", "--format", "avif", "--lossless")
    assert (refused.code, "without loss" in refused.err) == (1, True)


def test_a_picture_too_large_for_the_memory_does_not_stop_the_others(irflow, tmp_path: Path, monkeypatch) -> None:
    real = degrade_files.degrade_picture

    def work(picture: Picture, *rest: object) -> Picture:
        if picture.pixels.ndim == 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        return real(picture, *rest)  # type: ignore[arg-type]

    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "in" / "grey.png")
    Image.fromarray(scene(20, 20)).save(tmp_path / "in" / "other.png")
    monkeypatch.setattr(degrade_files, "degrade_picture", work)
    done = irflow("degrade", tmp_path / "in", tmp_path / "out", "--kind", "noise")
    assert done.code == 1
    assert "grey.png: not enough memory" in done.err
    assert below(tmp_path / "out") == ["other.png"]


def test_a_file_larger_than_any_picture_is_refused_unread(degrade, album: Path, tmp_path: Path) -> None:
    with (album / "huge.png").open("wb") as file:
        file.truncate(2**42)  # of nothing, which takes no room
    done = degrade(album, tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["a.png", "b.jpg"])
    assert "huge.png: too large a file" in done.err


@pytest.mark.parametrize("where", ["encode_picture", "decode_picture"])
def test_memory_that_runs_out_while_a_file_is_read_or_written_is_one_failure(
    where: str, degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(batch, where), []

    def once(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return real(*arguments, **options)

    monkeypatch.setattr(batch, where, once)
    done = degrade(album, tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["b.jpg"])
    assert "a.png: not enough memory" in done.err


def test_pictures_that_do_not_fit_the_memory_together_are_worked_on_alone(
    restore, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        picture_file(f"in/{name}.png")
    real = Restorer.restore_batch

    def together(self: Restorer, pictures: list[Picture], *rest: object) -> object:
        if len(pictures) > 1:
            pictures[0].pixels[:9] = 0  # begun, in place
            raise MemoryError
        return real(self, pictures, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Restorer, "restore_batch", together)
    assert restore(tmp_path / "in", "-o", tmp_path / "out", "--batch", 2).code == 0
    assert restore(tmp_path / "in", "-o", tmp_path / "alone").code == 0
    for name in ("a.png", "b.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_record_that_cannot_be_read_is_told(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / NAME).mkdir(parents=True)
    done = degrade(album, tmp_path / "out", "--resume")
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


def test_pictures_whose_names_end_as_a_suffix_are_pictures(degrade, picture_file, tmp_path: Path, irflow) -> None:
    for name in ("img1", "img2", "img"):
        picture_file(f"in/{name}.png")
    (tmp_path / "in" / "img.png").rename(tmp_path / "in" / "cat2.png")
    command = ("degrade", tmp_path / "in", "--kind", "noise", "--suffix", "2")
    assert irflow(*command).code == 0
    names = ["cat2.png", "cat22.png", "img1.png", "img12.png", "img2.png", "img22.png"]
    assert below(tmp_path / "in") == names
    assert irflow(*command, "--overwrite").code == 0  # results are not worked on again
    assert below(tmp_path / "in") == names


def test_a_suffix_counts_in_another_folder_too(irflow, album: Path, tmp_path: Path) -> None:
    command = ("degrade", album / "a.png", album / "b.jpg", "--kind", "noise", "-o", tmp_path / "out")
    assert irflow(*command, "--suffix", "_x").code == 0
    assert below(tmp_path / "out") == ["a_x.png", "b_x.jpg"]


def test_degrade_takes_several_pictures(irflow, album: Path, tmp_path: Path) -> None:
    assert irflow("degrade", album / "a.png", album / "b.jpg", tmp_path / "out", "--kind", "noise").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg"]
    assert irflow("degrade", album / "a.png", "--kind", "noise").code == 0
    assert (album / "a.noise.png").exists()


def test_names_that_say_nothing_are_refused(irflow, album: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(album)
    done = irflow("degrade", "", "--kind", "noise")
    assert (done.code, "a name is empty" in done.err) == (2, True)
    (tmp_path / "plain").write_text("a file")
    for more in ((), ("-n",)):
        done = irflow("degrade", "a.png", "-o", tmp_path / "plain" / "out", "--kind", "noise", *more)
        assert (done.code, "is a file" in done.err) == (2, True)
    (album / "-").mkdir()
    assert irflow("degrade", "./-", "--kind", "noise").code == 3  # a folder without pictures, and no stream


def test_a_dry_run_tells_what_is_missing(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"\ufeff{album / 'a.png'}\n{album / 'gone.png'}\n", encoding="utf-8")
    done = degrade(f"@{tmp_path / 'list.txt'}", tmp_path / "out", "-n")
    assert (done.code, done.out.splitlines()) == (1, [f"{album / 'a.png'} -> {tmp_path / 'out' / 'a.png'}"])
    assert "gone.png: No such file" in done.err


def test_links_that_lead_back_are_one_picture_for_a_pattern(degrade, album: Path, tmp_path: Path) -> None:
    (album / "loop").symlink_to(album, target_is_directory=True)
    assert degrade(f"{album}/**/*.png", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "irflow_cli", "config", "show", "--json"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 5
    assert (
        done.stderr.splitlines()[-1]
        == "irflow: cannot write to standard output: No space left on device; make room and run again"
    )
