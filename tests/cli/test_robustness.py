"""Damaged files never do more than fail, and a killed batch leaves whole files or none. Counts are told at the end."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from drawn import scene
from encoded import damaged
from PIL import Image, ImageCms, PngImagePlugin

import irflow_cli
from irflow_cli.batch.plan import ENDINGS
from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.runtime import files as written

DAMAGES = 40  # of each file
KILLS = 100
PATIENCE = 20  # seconds for the damages of one file, which take a fraction of one


def files() -> dict[str, bytes]:
    """Return a file of every format and depth, and of every format one with transparency, profile, EXIF and XMP."""
    made = {}
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    tags = Tags(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), exif.tobytes(), b"<x:xmpmeta/>")
    for kind, form in FORMATS.items():
        if kind == "HEIF" and find_spec("pillow_heif") is None:
            continue
        for dtype in form.dtypes:
            pixels = as_depth(scene(40, 52), np.dtype(dtype))
            made[f"{kind}-{dtype}"] = encode_picture(Picture(pixels, None, "PNG"), kind)[0]
            full = Picture(pixels, pixels[..., 0].copy() if form.alpha else None, "PNG", tags)
            made[f"{kind}-{dtype}-full"] = encode_picture(full, kind)[0]
    packed = {"compression": "tiff_adobe_deflate"}
    for dtype in ("uint16", "float32"):  # grey with transparency, packed
        pixels = as_depth(scene(40, 52)[..., 0], np.dtype(dtype))
        made[f"TIFF-{dtype}-LA"] = encode_picture(Picture(pixels, pixels.copy(), "TIFF", coding=packed), "TIFF")[0]
    if find_spec("tifffile"):
        import tifffile

        for dtype in ("float16", "float64"):
            file = io.BytesIO()
            tifffile.imwrite(file, (scene(40, 52) / 255).astype(dtype), photometric="rgb", compression="zlib", bigtiff=True)
            made[f"TIFF-{dtype}"] = file.getvalue()
    return made | {name: saved(*how) for name, how in OTHERS.items()}


def saved(mode: str, kind: str, options: dict) -> bytes:
    """Return a file as Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(scene(40, 52)).convert(mode).save(file, kind, **options)
    return file.getvalue()


NOTES = PngImagePlugin.PngInfo()
NOTES.add_text("Copyright", "somebody")
NOTES.add_itxt("Title", "a scene")
OTHERS: dict[str, tuple[str, str, dict]] = {  # as others write them
    "JPEG-progressive": ("RGB", "JPEG", {"progressive": True}),
    "JPEG-restarts": ("RGB", "JPEG", {"restart_marker_blocks": 2, "comment": b"said"}),
    "JPEG-CMYK": ("CMYK", "JPEG", {}),
    "JPEG-MPO": ("RGB", "MPO", {"save_all": True, "append_images": [Image.new("RGB", (9, 9))]}),
    "PNG-palette": ("P", "PNG", {"pnginfo": NOTES, "dpi": (300, 300)}),
    "PNG-bits": ("1", "PNG", {}),
    "PNG-GIF": ("P", "GIF", {}),
    "TIFF-LZW": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "TIFF-JPEG": ("RGB", "TIFF", {"compression": "jpeg"}),
    "TIFF-fax": ("1", "TIFF", {"compression": "group4"}),
    "WEBP-lossless": ("RGBA", "WEBP", {"lossless": True}),
}


FILES = files()


@contextmanager
def patience() -> Iterator[None]:
    """Fail where a decoder hangs."""

    def give_up(number: int, frame: object) -> None:
        raise AssertionError(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_pictures_or_one_line(
    name: str, robustness: Callable[[str, int], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """What is read can be written, too; what is not says why, and no library speaks beside."""
    draw, refused, kind = random.Random(name), 0, name.split("-")[0]
    with patience():
        for turn in range(DAMAGES):
            data = FILES[name][: draw.randrange(len(FILES[name]))] if turn % 3 == 0 else damaged(FILES[name], draw)
            try:
                picture = decode_picture(data, "file", max_pixels=1_000_000)
                assert picture.pixels.ndim in (2, 3)
                assert picture.pixels.size
                assert encode_picture(picture, kind)[0]
            except ImageError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused >= DAMAGES // 4  # files that are cut off, at least, are not taken for whole
    assert capfd.readouterr().err == ""
    robustness("damaged files read", DAMAGES)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("TIFF")])
@pytest.mark.filterwarnings("ignore")
def test_the_beginning_of_a_tiff_is_one_line(name: str) -> None:
    for length in range(1, 40):
        with pytest.raises(ImageError):
            decode_picture(FILES[name][:length], "file")


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_in_a_folder_leave_whole_results_or_none(tmp_path: Path, irflow, robustness) -> None:
    draw = random.Random(0)
    (tmp_path / "in").mkdir()
    for name, data in FILES.items():
        for index in range(3):
            suffix = ENDINGS[name.split("-")[0]]
            (tmp_path / "in" / f"{name}-{index}{suffix}").write_bytes(damaged(data, draw))
    with patience():
        done = irflow("degrade", tmp_path / "in", "-o", tmp_path / "out", "--kind", "noise", "--json")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 1
    assert len(told) == 3 * len(FILES)
    whole = {Path(line["output"]) for line in told if line["status"] == "done"}
    assert whole == set((tmp_path / "out").iterdir())
    assert all(read_picture(path).pixels.size for path in whole)
    assert all(line["error"] for line in told if line["status"] == "failed")
    robustness("damaged files in a batch", len(told))


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
import irflow_cli.services.degrade_files
from irflow_cli.cli.app import run

source, target, unbroken, kills = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

def degrade(folder, *more):
    return run(["degrade", str(source), "-o", str(folder), "--kind", "noise", "--quiet", *more])

def finished():
    return sorted(target.glob("*.png"))

assert degrade(unbroken) == 0
expected = {path.name: path.read_bytes() for path in unbroken.glob("*.png")}
draw, whole, ends = random.Random(0), 0, time.monotonic() + 300
for _ in range(kills):
    child = os.fork()
    if child == 0:
        os._exit(degrade(target, "--resume"))
    wanted = min(12, len(finished()) + draw.randint(0, 2))  # so that slow machines get somewhere, too
    while len(finished()) < wanted and time.monotonic() < ends:
        time.sleep(0.0005)
    time.sleep(draw.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in finished():
        assert path.read_bytes() == expected[path.name], path
        whole += 1
    if draw.random() < 0.3:  # begin anew now and then, or all would soon be done
        for path in finished():
            path.unlink()
left = len(list(target.glob(".*.part")))
assert degrade(target, "--resume") == 0
assert {path.name: path.read_bytes() for path in finished()} == expected
print(whole, left, len(list(target.glob(".*.part"))), file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_killed_command_leaves_whole_files_and_goes_on(tmp_path: Path, robustness: Callable[[str, int], None]) -> None:
    (tmp_path / "in").mkdir()
    for index in range(12):
        Image.fromarray(scene(60, 80, index)).save(tmp_path / "in" / f"{index}.png")
    folders = [str(tmp_path / name) for name in ("in", "out", "unbroken")]
    done = subprocess.run([sys.executable, "-c", KILLED, *folders, str(KILLS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, begun, left = (int(number) for number in done.stderr.split())
    assert whole > 0  # some kills came when there was something to degrade
    assert begun <= 12
    assert left == 0
    robustness("commands killed", KILLS)


def tempfile_name(target: Path) -> str:
    """Return a name under which `target` may have been begun."""
    return f"{target.parent / written._begun(target)}{random.getrandbits(32):x}{written.PART}"


def test_a_run_that_goes_on_removes_what_a_killed_one_had_begun(tmp_path: Path, irflow, picture_file) -> None:
    source = picture_file("in/a.png")
    (tmp_path / "out").mkdir()
    begun = [Path(tempfile_name(tmp_path / "out" / name)).name for name in ("a.png", "a.png", "b.png")]
    for name in begun:
        (tmp_path / "out" / name).write_bytes(b"half of it")
    assert irflow("degrade", source.parent, "-o", tmp_path / "out", "--kind", "noise", "--resume").code == 0
    assert [path.name for path in (tmp_path / "out").glob(".*.part")] == begun[2:]


READ_ONLY = """
import os, sys
from irflow_cli.cli.app import run
from irflow_cli.cli.flags import flags

picture, writable, closed, tree, shut = sys.argv[1:]
assert run(["degrade", picture, "-o", writable, "--kind", "noise"]) == 0
flags()  # all is loaded now
os.chmod(writable, 0o777)
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
os.environ["IRFLOW_CACHE_DIR"] = shut
assert run(["models", "list"]) == 0
assert run(["degrade", tree, "-o", writable, "--kind", "noise", "-r"]) == 1
assert run(["degrade", shut + "/a.png", tree + "/b.png", "-o", writable, "--kind", "noise", "--overwrite"]) == 1
assert run(["degrade", picture, "-o", shut + "/out", "--kind", "noise"]) == 1
sys.exit(run(["degrade", picture, "-o", closed, "--kind", "noise"]))
"""


HINT = "give another --output, or make this one writable"


@pytest.mark.skipif(sys.platform == "win32", reason="other rights")
def test_folders_that_may_not_be_read_or_written_are_one_line_each() -> None:
    package = Path(irflow_cli.__file__).parent
    if os.getuid() == 0 and not all(place.stat().st_mode & 0o001 for place in (package, *package.parents)):
        pytest.skip(f"other users cannot look into {package}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Image.fromarray(scene(20, 30)).save(folder / "a.png")
        (folder / "closed").mkdir(mode=0o555)
        (folder / "tree" / "dark").mkdir(parents=True)
        Image.fromarray(scene(20, 30)).save(folder / "tree" / "b.png")
        (folder / "tree" / "dark").chmod(0)
        (folder / "tree" / "listed").mkdir()
        Image.fromarray(scene(20, 30)).save(folder / "tree" / "listed" / "c.png")
        (folder / "tree" / "listed").chmod(0o444)
        (folder / "shut").mkdir(mode=0)
        names = [str(folder / name) for name in ("a.png", "open", "closed", "tree", "shut")]
        command = [sys.executable, "-c", READ_ONLY, *names]
        readable = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=readable)
        assert done.returncode == 1, done.stderr
        assert (folder / "open" / "b.png").exists(), done.stderr
        told = done.stderr.splitlines()
        unread = [folder / "tree" / "dark", folder / "tree" / "listed" / "c.png", folder / "shut" / "a.png"]
        assert [line for line in told if line.endswith("Permission denied")] == [
            f"irflow: {one}: Permission denied" for one in unread
        ]
        assert f"irflow: cannot write {folder / 'shut' / 'out' / 'a.png'}: Permission denied; {HINT}" in told
        assert told[-1:] == [f"irflow: cannot write {folder / 'closed' / 'a.png'}: Permission denied; {HINT}"]
        assert list((folder / "closed").iterdir()) == []
