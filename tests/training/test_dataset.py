"""Folders of training pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, scene
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.training.dataset import Corpus, _is_held_out, load_corpus, load_rain_layers
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest


def test_held_out_pictures_are_never_trained_on(photographs: Path) -> None:
    training, held_out, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    assert len(held_out)
    whole = {training.picture(index).numpy().tobytes() for index in range(len(training))}
    assert not any(held_out.picture(index).numpy().tobytes() in whole for index in range(len(held_out)))


def test_a_batch_is_what_slicing_mirroring_and_turning_make() -> None:
    pictures = [torch.randint(0, 256, (3, 40 + seed, 50 - 2 * seed), dtype=torch.uint8) for seed in range(5)]
    corpus = Corpus.of(pictures, False, torch.device("cpu"))
    crops = corpus.batch(64, 24, np.random.default_rng(3))
    for crop, (which, down, right, turn) in zip(crops, np.random.default_rng(3).random((4, 64)).T, strict=True):
        picture = pictures[int(which * 5)]
        top, left = int(down * (picture.shape[1] - 23)), int(right * (picture.shape[2] - 23))
        patch = picture[:, top : top + 24, left : left + 24]
        quarter, mirrored = divmod(int(turn * 8), 2)
        patch = torch.rot90(patch.flip(2) if mirrored else patch, quarter, (1, 2))
        assert torch.equal(crop, patch.float() / 255)


def test_pairs_are_cut_alike(tmp_path: Path) -> None:
    for seed in range(3):
        for name, pixels in (("clean", scene(40, 50, seed)), ("degraded", 255 - scene(40, 50, seed))):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{seed}.png")
    corpus, *_ = load_corpus(tmp_path, 16, torch.device("cpu"))
    crops = corpus.batch(6, 16, np.random.default_rng(0))
    assert crops.shape == (6, 6, 16, 16)
    assert torch.allclose(crops[:, :3] + crops[:, 3:], torch.ones(()))
    train(TrainRequest(tmp_path, tmp_path / "run", "derain", spec=TINY, iterations=2, batch=2, crop=16, device="cpu"))
    (tmp_path / "degraded" / "1.png").unlink()
    with pytest.raises(UsageError, match=r"1\.png has no partner in"):
        load_corpus(tmp_path, 16, torch.device("cpu"))


def test_holes_of_rain_layers_are_filled(tmp_path: Path) -> None:
    layer = scene(60, 90)[..., 0]
    layer[20:40, 30:50] = 0
    Image.fromarray(layer).save(tmp_path / "layer.png")
    known = layer * 0 + 255
    known[20:40, 30:50] = 0
    Image.fromarray(known).save(tmp_path / "layer.known.png")
    layers = load_rain_layers(tmp_path, 80)
    assert layers.shape == (1, 1, 80, 80)
    assert float(layers[0, 0, 24:36, 34:46].mean()) > 0.2


def test_a_picture_held_out_of_a_few_is_trained_on_in_no_size(tmp_path: Path) -> None:
    for level in (40, 120, 200):
        Image.fromarray(np.full((200, 200, 3), level, np.uint8)).save(tmp_path / f"{level}.png")
    training, held_out, *_ = load_corpus(tmp_path, 24, torch.device("cpu"))
    seen, kept = ({int(corpus.picture(at)[0, 0, 0]) for at in range(len(corpus))} for corpus in (training, held_out))
    assert len(held_out) == 1 and len(seen) == 2 and not seen & kept and len(training) > len(seen)


@pytest.mark.skipif(sys.platform != "linux", reason="names are texts elsewhere")
def test_a_name_in_another_encoding_is_a_name(tmp_path: Path) -> None:
    for name in (b"latin\xe9.png", b"b.png"):
        Image.fromarray(scene(40, 40)).save(tmp_path / os.fsdecode(name))
    assert len(load_corpus(tmp_path, 24, torch.device("cpu")).training) == 2  # one picture, at two sizes


def test_what_is_too_small_or_alone_is_told(tmp_path: Path) -> None:
    for name, side in (("a", 40), ("b", 40), ("c", 12)):
        Image.fromarray(scene(side, side)).save(tmp_path / f"{name}.png")
    corpora = load_corpus(tmp_path, 24, torch.device("cpu"))
    assert list(corpora.notes(24)) == ["left out a picture with less than 24 pixels one way; `crop` may be lower"]
    for name in "bc":
        (tmp_path / f"{name}.png").unlink()
    [told] = load_corpus(tmp_path, 24, torch.device("cpu")).notes(24)
    assert told.startswith("one scene alone, and none to hold out")
    (tmp_path / "a.png").rename(tmp_path / f"{next(name for name in map(str, range(999)) if _is_held_out(name))}.png")
    alone = load_corpus(tmp_path, 24, torch.device("cpu"))
    assert len(alone.training) == 1 and list(alone.notes(24)) == [told]
