"""Test sets: pairs by name in every layout, pictures degraded on the fly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import save, scene
from PIL import Image
from results import records_of

from irflow_cli.bench.pairs import check_pairs
from irflow_cli.bench.sets import cases_of, find_samples, parse_degrade, unit
from irflow_cli.degradations.jpeg import jpeg
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.errors import NothingToDo, UsageError
from irflow_cli.images.decode import read_picture


def grey(value: int, height: int = 12, width: int = 14) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


LAYOUTS = {  # name of the clean and of the degraded picture number i
    "own": ("clean/{}.png", "degraded/{}.jpg"),
    "Rain13K": ("target/{}.png", "input/{}.png"),
    "authors of Rain100": ("norain/norain-{:03}.png", "rain/rain-{:03}.png"),
    "PReNet": ("norain-{:03}.png", "rainy/rain-{:03}.png"),
    "Rain12": ("groundtruth/{:02}_GT.png", "rainy/{:02}_in.png"),
    "RainDrop": ("gt/{}_clean.png", "data/{}_rain.png"),
    "Rain100 as it first came": ("norain/norain-{:03}.png", "rain/X2/norain-{:03}x2.png"),
    "one folder": ("norain-{:03}.png", "rain-{:03}.png"),
    "one folder, told by endings": ("{}_clean.png", "{}_rain.png"),
    "crops": ("cleancrop/{}.png", "inputcrop/{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_are_found_by_name_in_the_layouts_of_public_sets(layout: str, tmp_path: Path) -> None:
    clean, degraded = LAYOUTS[layout]
    for number in (1, 2, 10):
        save(tmp_path / clean.format(number), grey(10 * number))
        save(tmp_path / degraded.format(number), grey(10 * number + 5))
    alone = find_samples(tmp_path, paired=False)
    assert [sample.clean for sample in alone] == sorted(tmp_path / clean.format(number) for number in (1, 2, 10))
    samples = find_samples(tmp_path, paired=True)
    assert len(samples) == 3
    for sample in samples:
        case = next(cases_of(sample, ()))
        assert int(case.degraded[0, 0, 0]) - int(case.clean[0, 0, 0]) == pytest.approx(5, abs=1)


CLEAN = {
    "Kodak24": "kodim01.png",
    "CBSD68": "original_png/0000.png",
    "DIV2K": "DIV2K_valid_HR/0801.png",
    "Urban100": "image_SRF_4/img_001_SRF_4_HR.png",
    "AFHQ": "val/cat/flickr_cat_000008.png",
}


@pytest.mark.parametrize("layout", CLEAN)
def test_clean_pictures_are_found_in_the_layouts_of_public_sets(layout: str, tmp_path: Path) -> None:
    save(tmp_path / CLEAN[layout], grey(1))
    save(tmp_path / CLEAN[layout].replace("_HR.png", "_LR.png"), grey(1))
    samples = find_samples(tmp_path, paired=False)
    assert [sample.clean for sample in samples] == [tmp_path / CLEAN[layout]]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["clean/a.png", "clean/b.png", "degraded/b.png", "degraded/c.png"], "a.png has no partner"),
        (["clean/a.png", "degraded/a.png", "degraded/b.png"], "b.png has no partner"),
        (["clean/a.png", "degraded/a.png", "degraded/a.bmp"], "one name"),
        (["other/a.png"], "`degrade`"),
        (["norain-1.png", "rain-1.png", "rain-2.png"], "rain-2.png has no partner"),
        (["rain-1.png", "rain-2.png", "sea.png"], "`degrade`"),
    ],
)
def test_what_does_not_pair_is_an_error(files: list[str], message: str, tmp_path: Path) -> None:
    for number, name in enumerate(files):
        save(tmp_path / name, grey(number))
    with pytest.raises(UsageError, match=message):
        find_samples(tmp_path, paired=True)


def test_nothing_is_resized(tmp_path: Path) -> None:
    save(tmp_path / "clean/a.png", grey(1))
    save(tmp_path / "degraded/a.png", grey(1, 13))
    with pytest.raises(UsageError, match=r"another size .*14 x 13 and 14 x 12"):
        check_pairs(find_samples(tmp_path, paired=True))


def test_an_empty_folder_has_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo):
        find_samples(tmp_path, paired=False)


def test_names_that_end_like_smaller_versions_count_where_they_stand_alone(tmp_path: Path) -> None:
    for name in ("x.png", "y_x2.png", "sea-kim.png", "img_HR.png", "img_LR.png", "img_bicubic.png"):
        save(tmp_path / name, scene(20, 30))
    assert [sample.name for sample in find_samples(tmp_path, paired=False)] == ["img_HR", "sea-kim", "x", "y_x2"]


LAID = {  # what lies in a folder, and which of it is measured
    "pictures beside a folder": (("a.png", "original/c.png"), ("a.png", "original/c.png")),
    "CBSD68 as a repository": (("CBSD68/original_png/1.png", "CBSD68/noisy25/1.png"), ("CBSD68/original_png/1.png",)),
    "DIV2K for training": (("DIV2K_train_HR/1.png", "DIV2K_train_LR_bicubic/X2/1x2.png"), ("DIV2K_train_HR/1.png",)),
    "plain names": (("rain forest.png", "in the city.png", "gt car.png"), ("gt car.png", "in the city.png", "rain forest.png")),
}


@pytest.mark.parametrize("layout", LAID)
def test_only_clean_pictures_are_taken_and_all_of_them(layout: str, tmp_path: Path) -> None:
    there, wanted = LAID[layout]
    for name in there:
        save(tmp_path / name, grey(9))
    found = find_samples(tmp_path, paired=False)
    assert [sample.clean.relative_to(tmp_path).as_posix() for sample in found] == list(wanted)


def test_noise_is_drawn_by_content_alone_and_stored_as_8_bits(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"set/{number}.png", scene(20, 30, number))
    save(tmp_path / "alone/other.png", scene(20, 30, 1))
    ways = parse_degrade("noise:25,noise:50", "denoise")
    first, second = cases_of(find_samples(tmp_path / "set", paired=False)[1], ways)
    alone, _ = cases_of(find_samples(tmp_path / "alone", paired=False)[0], ways)
    assert np.array_equal(first.degraded, alone.degraded)
    picture = read_picture(tmp_path / "alone/other.png")
    assert np.array_equal(first.degraded, degrade_picture(picture, "noise", 25, 0).pixels)
    clean = unit(picture.pixels)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(picture.seed(0)))
    for case, sigma in ((first, 25), (second, 50)):
        noisy = ((clean + sigma / 255 * noise).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).byte().numpy()
        assert (case.degrade, case.degraded.dtype) == (f"noise:{sigma}", np.uint8)
        assert np.array_equal(case.degraded, noisy)
    assert first.digest != second.digest


def test_degradations_follow_each_other(tmp_path: Path) -> None:
    save(tmp_path / "0.png", scene(40, 50))
    (sample,) = find_samples(tmp_path, paired=False)
    noisy, stored = cases_of(sample, parse_degrade("noise:40,noise:40+jpeg:30", "denoise"))
    kept = jpeg(unit(noisy.degraded), torch.tensor([30.0]), torch.Generator())
    assert stored.degrade == "noise:40+jpeg:30"
    assert np.array_equal(stored.degraded, (kept * 255).round()[0].permute(1, 2, 0).byte().numpy())


@pytest.mark.parametrize("word", ["magic:1", "noise:400", "noise:much", "bands:3", "unseen", "noise:25+", "noise:25+magic"])
def test_unknown_degradations_are_errors(word: str) -> None:
    with pytest.raises(UsageError):
        parse_degrade(word, "all-in-one")


def test_a_hole_may_follow_noise(tmp_path: Path) -> None:
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    [sample] = find_samples(tmp_path, paired=False)
    noisy, alone = (next(cases_of(sample, parse_degrade(word, "inpaint"))) for word in ("noise:15+pixels:0.5", "pixels:0.5"))
    known = noisy.degraded[..., 3] > 0
    assert 0.4 < known.mean() < 0.6
    assert 10 < noisy.degraded[known][:, :3].std() < 20
    assert (noisy.degraded[~known] == 0).all()
    assert (noisy.clean == alone.clean).all() and alone.degraded[alone.degraded[..., 3] > 0][:, :3].std() == 0
    with pytest.raises(UsageError, match="`degrade` of inpaint is one of"):
        parse_degrade("pixels:0.5+noise:15", "inpaint")


def test_noise_that_is_told_changes_what_is_filled_in(irflow, clean_set, tiny_checkpoint) -> None:
    options = ("--task", "inpaint", "--degrade", "noise:40+pixels:0.7", "--crop", "48", "--presets", "pixelwise:2")
    given = [("--sigma", "40"), ()]
    told = [irflow("bench", clean_set, *options, "--checkpoint", tiny_checkpoint("prior"), "--json", *sigma) for sigma in given]
    figures = [[line["psnr"] for line in records_of(done.out) if line["method"] == "irflow"] for done in told]
    assert figures[0] and figures[0] != figures[1]


def test_masks_of_a_folder_go_with_every_picture(irflow, clean_set, tiny_checkpoint, tmp_path) -> None:
    (tmp_path / "strokes").mkdir()
    for index in range(3):
        hole = np.zeros((64, 64), np.uint8)
        hole[10 * index : 10 * index + 8, 20:40] = 255
        Image.fromarray(hole).save(tmp_path / "strokes" / f"m{index}.png")
    command = ("bench", clean_set, "--task", "inpaint", "--methods", "telea", "--masks", tmp_path / "strokes", "--json")
    done = irflow(*command, "--crop", 64)
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert sorted({record["picture"] for record in records}) == [
        f"{picture} m{mask}" for picture in (0, 1) for mask in (0, 1, 2)
    ]
    assert {record["degrade"] for record in records} == {"strokes"}
    clean = read_picture(clean_set / "0.png").rgb8()[3:67, 8:72].astype(float)
    degraded = clean.copy()
    degraded[:8, 20:40] = 0
    wanted = 10 * np.log10(255**2 / np.mean((clean - degraded) ** 2))
    assert next(
        record["psnr"] for record in records if record["picture"] == "0 m0" and record["method"] == "input"
    ) == pytest.approx(wanted, abs=1e-3)
    whole = irflow(*command)  # the masks do not have the size of the whole pictures
    assert (whole.code, "--crop cuts it" in whole.err) == (1, True)
