"""What masks say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageDraw, ImageFilter

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.services.masks import MaskSettings, hole_of


def test_of_masks_with_one_name_the_one_in_the_folder_of_that_name_is_taken(tmp_path: Path) -> None:
    for name in ("m/a/1.png", "m/b/1.png", "m/2.png", "m/c/3.png", "m/d/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    Image.new("L", (4, 4)).save(tmp_path / "m" / "c" / "3.bmp")
    root = tmp_path / "in"

    def found(name: str, start: Path = root) -> Path | None:
        return MaskSettings(tmp_path / "m").pair([(root / name, start)])[0]

    assert found("b/1.jpg", root / "b") == tmp_path / "m" / "b" / "1.png"
    assert found("x/2.jpg") == tmp_path / "m" / "2.png"
    assert found("1.jpg") == tmp_path / "m" / "1.png"  # which is not there, and not that of another folder
    with pytest.raises(UsageError, match="keep one"):
        found("c/3.jpg")


@pytest.mark.parametrize(("source", "mask"), [("e\u0301", "\u00e9"), ("\u00e9", "e\u0301")])
def test_a_mask_is_found_however_the_accents_of_its_name_are_spelt(source: str, mask: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "m" / f"{mask}.png")
    settings = MaskSettings(tmp_path / "m")
    assert settings.pair([(tmp_path / "in" / f"{source}.jpg", tmp_path / "in")]) == [tmp_path / "m" / f"{mask}.png"]


def test_masks_of_a_folder_may_be_gifs(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in ("a", "b"):
        Image.new("L", (4, 4)).save(tmp_path / "m" / f"{name}.gif")
    settings = MaskSettings(tmp_path / "m")
    used = settings.pair([(tmp_path / "in" / "a.jpg", tmp_path / "in")])
    assert used == [tmp_path / "m" / "a.gif"]
    assert settings.spare(used, deep=True) == [tmp_path / "m" / "b.gif"]


def test_thin_lines_of_a_mask_are_kept_when_it_is_brought_to_size(mask_file) -> None:
    values = np.zeros((192, 32), np.uint8)
    values[40] = 255
    file = mask_file(values=values)
    hole = hole_of(MaskSettings(file, resize=True), Picture(scene(48, 64), None, "PNG"), file).inside
    assert hole[10].all()
    assert hole.sum() == 64


def test_a_colour_that_is_nowhere_is_an_empty_mask() -> None:
    with pytest.raises(ImageError, match="the mask is empty"):
        hole_of(MaskSettings(color="#00ff00"), Picture(scene(20, 20), None, "PNG"), None)


@pytest.mark.parametrize("white", [1, 255])
def test_a_mask_of_floating_point_numbers_counts_to_one_or_as_the_picture_does(white: float, tmp_path: Path) -> None:
    values, file = np.zeros((20, 20), np.float32), tmp_path / "mask.tif"
    values[4:9, 6:12] = white
    Image.fromarray(values).save(file)
    hole = hole_of(MaskSettings(file), Picture(scene(20, 20), None, "PNG"), file, span=(0, 255))
    assert np.array_equal(hole.inside, values > 0)
    if white > 1:
        with pytest.raises(ImageError, match="give `range`"):
            hole_of(MaskSettings(file), Picture(scene(20, 20), None, "PNG"), file)


@pytest.mark.parametrize("edge", ["hard", "smooth", "brush", "jpeg"])
@pytest.mark.parametrize("kind", [(0, 255, 0), (255, 0, 255)])
def test_a_mark_is_found_with_its_soft_edges_and_no_more(edge: str, kind: tuple[int, int, int]) -> None:
    line = Image.new("L", (4 * 256, 4 * 192))
    ImageDraw.Draw(line).line([(120, 120), (900, 640)], fill=255, width=40)
    line = line.resize((256, 192), Image.Resampling.NEAREST if edge == "hard" else Image.Resampling.BOX)
    line = line.filter(ImageFilter.GaussianBlur(2)) if edge == "brush" else line
    clean = scene(192, 256)
    share = np.asarray(line)[..., None] / 255
    pixels = np.rint(clean * (1 - share) + np.array(kind) * share).astype(np.uint8)
    if edge == "jpeg":
        kept = io.BytesIO()
        Image.fromarray(pixels).save(kept, "jpeg", quality=90)
        pixels = np.asarray(Image.open(kept))
    colour = "#" + "".join(f"{value:02x}" for value in kind)
    inside = hole_of(MaskSettings(color=colour, tolerance=20), Picture(pixels, None, "PNG"), None).inside
    seen = np.abs(pixels.astype(int) - clean).max(2) > (40 if edge == "jpeg" else 8)
    assert inside[seen].mean() > 0.99
    assert inside.sum() <= seen.sum() * {"hard": 1, "smooth": 1.15}.get(edge, 2.2)
    exact = hole_of(MaskSettings(color=colour, tolerance=20, dilate=0), Picture(pixels, None, "PNG"), None).inside
    assert (exact.sum() == inside.sum()) == (edge == "hard")
