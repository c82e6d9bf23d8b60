"""Test sets: pairs by name in every layout, pictures degraded on the fly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.bench.pairs import check_pairs
from irflow_cli.bench.sets import cases_of, find_samples, parse_degrade, unit
from irflow_cli.bench.unseen import UNSEEN
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.jpeg import jpeg
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.errors import NothingToDo, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.training.sampling import PARTS


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


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


def scenes(folder: Path, degraded: tuple[int, ...]) -> None:
    """Write four scenes and rainy ones of the scenes with these numbers."""
    for number, other in enumerate(degraded):
        save(folder / f"clean/{number}.png", np.roll(scene(60, 70, 5 * number), 17 * number, (0, 1)))
        save(folder / f"degraded/{number}.png", np.roll(scene(60, 70, 5 * other), 17 * other, (0, 1)) // 2 + 90)


def test_a_swapped_pair_is_caught(tmp_path: Path) -> None:
    scenes(tmp_path / "right", (0, 1, 2, 3))
    check_pairs(find_samples(tmp_path / "right", paired=True))
    scenes(tmp_path / "wrong", (0, 3, 2, 1))
    with pytest.raises(UsageError, match="degraded picture of 1 shows the scene of 3, and the other way round"):
        check_pairs(find_samples(tmp_path / "wrong", paired=True))


def test_a_wrong_partner_is_caught(tmp_path: Path) -> None:
    scenes(tmp_path / "wrong", (0, 1, 3, 3))
    with pytest.raises(UsageError, match="degraded picture of 2 shows the scene of 3, pairs are mixed up"):
        check_pairs(find_samples(tmp_path / "wrong", paired=True))


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


@pytest.mark.parametrize("word", ["fog:1", "noise:400", "noise:much", "bands:3", "unseen", "noise:25+", "noise:25+fog"])
def test_unknown_degradations_are_errors(word: str) -> None:
    with pytest.raises(UsageError):
        parse_degrade(word, "all-in-one")


@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_degradations_are_repeatable_and_not_trained_on(name: str) -> None:
    clean = unit(scene(50, 60))
    entry = UNSEEN[name]
    one, again = (entry.apply(clean, torch.tensor([entry.severity]), torch.Generator().manual_seed(3)) for _ in range(2))
    other = entry.apply(clean, torch.tensor([entry.severity]), torch.Generator().manual_seed(4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == clean.shape
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    assert 0.003 < float((one - clean).abs().mean()) < 0.25
    assert name not in DEGRADATIONS
    assert name not in {part.kind for parts in PARTS.values() for part in parts}
    assert name in {corruption.name for corruption in parse_degrade("unseen", entry.task)}
