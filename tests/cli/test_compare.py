"""`irflow compare` and --compare: one file that shows two pictures."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import save, scene
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.services import compare


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Return two pictures, the second twice as large."""
    before, after = tmp_path / "<small>.png", tmp_path / "large.png"
    Image.fromarray(scene(30, 40)).save(before)
    Image.fromarray(scene(60, 80)).save(after)
    return before, after


def held(page: str) -> list[np.ndarray]:
    """Return the pictures in a page."""
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_a_page_holds_both_and_loads_nothing(irflow: Callable, pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = irflow("compare", *pair, "-o", tmp_path / "page.html")
    assert done.code == 0 and done.out.strip().endswith("page.html")
    page = (tmp_path / "page.html").read_text()
    after, before = held(page)
    assert np.array_equal(before, scene(30, 40)) and np.array_equal(after, scene(60, 80))
    assert "&lt;small&gt;" in page and "<small>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page) and "http://" not in page and "https://" not in page
    assert "$" not in re.sub(r"base64,[^\"]+", "", page)


def test_side_by_side_and_in_turn(irflow: Callable, pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("side.png", "side.jpg", "side.webp"):
        assert irflow("compare", *pair, "-o", tmp_path / name).code == 0
        with Image.open(tmp_path / name) as side:
            assert side.size == (80 + 16 + 80, 60)
    with Image.open(tmp_path / "side.png") as side:
        pixels = np.asarray(side)
    assert np.array_equal(pixels[:, 96:], scene(60, 80)) and np.array_equal(pixels[::2, :80:2], scene(30, 40))
    done = irflow("compare", *pair, "-o", tmp_path / "flip.gif")
    assert done.code == 0 and "256 colours" in done.err
    with Image.open(tmp_path / "flip.gif") as flip:
        assert flip.n_frames == 2 and flip.size == (80, 60)


def test_pictures_of_two_shapes_are_told(irflow: Callable, pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = save(tmp_path / "other.png", scene(40, 40))
    done = irflow("compare", pair[0], other, "-o", tmp_path / "two.html")
    assert done.code == 0 and f"{pair[0].name} (40 x 30) and other.png (40 x 40) differ in shape" in done.err
    assert "shape" not in irflow("compare", *pair, "-o", tmp_path / "one.html").err


def test_what_cannot_be_compared_is_said(irflow: Callable, pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "there.html").write_text("mine")
    for arguments, code, said in (
        ((*pair, "-o", tmp_path / "a.pdf"), 2, "ends in none of"),
        ((*pair, "-o", tmp_path / "there.html"), 2, "exists"),
        ((pair[0], tmp_path / "text.png", "-o", tmp_path / "a.html"), 1, "not a picture"),
        ((pair[0], tmp_path / "gone.png", "-o", tmp_path / "a.html"), 1, "No such file"),
        ((*pair, "-o", pair[1], "--overwrite"), 2, "one of the two"),
    ):
        done = irflow("compare", *arguments)
        assert done.code == code and said in done.err and done.err.count("\n") == 1
    assert (tmp_path / "there.html").read_text() == "mine" and not (tmp_path / "a.html").exists()
    assert irflow("compare", *pair, "-o", tmp_path / "there.html", "--overwrite").code == 0


def test_every_kind_of_result_comes_with_a_page(
    irflow: Callable, picture_file: Callable, tiny_checkpoint: Callable, tmp_path: Path
) -> None:
    picture, mask = picture_file("a.png"), tmp_path / "mask.png"
    with Image.open(picture) as opened:
        inside = np.zeros(opened.size[::-1], np.uint8)
    inside[2:5, 3:9] = 255
    Image.fromarray(inside).save(mask)
    for command, options, name in (
        ("restore", ("--task", "derain", "--checkpoint", tiny_checkpoint("derain")), "a.derain.png"),
        ("inpaint", ("--mask", mask, "--checkpoint", tiny_checkpoint("prior")), "a.inpaint.png"),
    ):
        assert irflow(command, picture, *options, "--compare").code == 0
        after, before = held((tmp_path / f"{name}.compare.html").read_text())
        assert np.array_equal(before, np.asarray(Image.open(picture).convert("RGB")))
        assert np.array_equal(after, np.asarray(Image.open(tmp_path / name)))


def test_results_come_with_a_page(irflow: Callable, picture_file: Callable, tiny_checkpoint: Callable, tmp_path: Path) -> None:
    picture = picture_file("a.png")
    options = ("--checkpoint", tiny_checkpoint("prior"), "--scale", 2, "--compare")
    done = irflow("upscale", picture, *options)
    assert done.code == 0 and "a.x2.png.compare.html" in done.err and done.out.strip().endswith("a.x2.png")
    after, before = held((tmp_path / "a.x2.png.compare.html").read_text())
    assert before.shape[0] * 2 == after.shape[0]

    (tmp_path / "a.x2.png").unlink()
    done = irflow("upscale", picture, *options)
    assert done.code == 2 and "a.x2.png.compare.html exists" in done.err and not (tmp_path / "a.x2.png").exists()
    assert irflow("upscale", picture, *options, "--overwrite").code == 0
    assert irflow("upscale", "-", "--compare").code == 2
    assert irflow("upscale", picture, "-n", "--compare", "--suffix", ".y").code == 0
    assert not (tmp_path / "a.y.png.compare.html").exists()


@pytest.mark.parametrize("option", ["--skip-existing", "--resume"])
def test_a_run_that_goes_on_replaces_no_page_without_its_result(
    option: str, restore: Callable, picture_file: Callable, tmp_path: Path
) -> None:
    picture_file("in/a.png", 24, 32)
    page = tmp_path / "in" / "a.derain.png.compare.html"
    page.write_text("mine")
    done = restore(tmp_path / "in", "--compare", option)
    assert (done.code, f"{page} exists" in done.err, done.err.count("\n")) == (2, True, 1)
    assert page.read_text() == "mine" and not (tmp_path / "in" / "a.derain.png").exists()
    page.unlink()
    assert restore(tmp_path / "in", "--compare", option).code == 0
    picture_file("in/b.png", 24, 32)
    assert restore(tmp_path / "in", "--compare", option).code == 0
    assert len(list((tmp_path / "in").glob("*.html"))) == 2


def test_a_page_knows_the_range_of_floating_point_pixels(irflow: Callable, tiny_checkpoint: Callable, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", scene(24, 32).astype(np.float32), photometric="rgb")
    options = ("--checkpoint", tiny_checkpoint("prior"), "--compare", "--range", "0..255")
    assert irflow("upscale", tmp_path / "a.tif", *options).code == 0
    pictures = held((tmp_path / "a.x2.tif.compare.html").read_text())
    assert [round(float(picture.mean())) for picture in pictures] == pytest.approx([scene(24, 32).mean()] * 2, abs=30)
    pair = (tmp_path / "a.tif", tmp_path / "a.x2.tif", "-o", tmp_path / "b.html")
    refused = irflow("compare", *pair)
    assert (refused.code, "give --range" in refused.err) == (1, True)
    assert irflow("compare", *pair, "--range", "0..255").code == 0


def test_results_that_differ_in_their_ending_have_a_page_each(
    restore: Callable, picture_file: Callable, tmp_path: Path
) -> None:
    sizes = {"a.png": (24, 32), "a.jpg": (32, 40)}
    for name, size in sizes.items():
        picture_file(f"in/{name}", *size)
    done = restore(tmp_path / "in", "--compare")
    assert done.code == 0
    for name, size in sizes.items():
        page = tmp_path / "in" / name.replace(".", ".derain.")
        after, before = held(Path(f"{page}.compare.html").read_text())
        assert before.shape[:2] == after.shape[:2] == size
        assert f"compared in {page}.compare.html" in done.err


def test_a_page_that_cannot_be_made_is_one_failure_of_a_batch(
    restore: Callable, picture_file: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture_file("in/a.png", 32, 40)
    picture_file("in/b.png", 24, 32)
    monkeypatch.setattr(compare, "EXACT_PIXELS", 1000)
    monkeypatch.setattr(compare, "QUALITY", "none")  # of JPEG, which takes the larger one
    done = restore(tmp_path / "in", "--compare")
    assert done.code == 1 and "2 pictures: 1 done, 1 failed" in done.err
    assert "a.png: cannot be put into a page as JPEG" in done.err
    assert [page.name for page in (tmp_path / "in").glob("*.html")] == ["b.derain.png.compare.html"]


def test_a_page_that_cannot_be_made_leaves_its_result(
    restore: Callable, picture_file: Callable, tmp_path: Path, monkeypatch
) -> None:
    def compare_files(*_given: object, **_options: object) -> tuple[str, ...]:
        raise UsageError("page exists; use another output")

    picture_file("in/a.png", 24, 32)
    monkeypatch.setattr(compare, "compare_files", compare_files)
    done = restore(tmp_path / "in", "--compare", "--json")
    [told] = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, told["status"], told["output"]) == (1, "failed", str(tmp_path / "in" / "a.derain.png"))
    assert (tmp_path / "in" / "a.derain.png").exists()
