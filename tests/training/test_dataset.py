"""Folders of training pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn import TINY, scene
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.training.dataset import load_corpus, load_rain_layers
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(14):
        Image.fromarray(scene(72, 80, seed)).save(folder / f"{seed}.png")
    return folder


def test_held_out_pictures_are_never_trained_on(photographs: Path) -> None:
    training, held_out = load_corpus(photographs, 24, torch.device("cpu"))
    assert held_out.pictures
    whole = {picture.numpy().tobytes() for picture in training.pictures}
    assert not any(picture.numpy().tobytes() in whole for picture in held_out.pictures)


def test_pairs_are_cut_alike(tmp_path: Path) -> None:
    for seed in range(3):
        for name, pixels in (("clean", scene(40, 50, seed)), ("degraded", 255 - scene(40, 50, seed))):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{seed}.png")
    corpus, _ = load_corpus(tmp_path, 16, torch.device("cpu"))
    crops = corpus.batch(6, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (6, 6, 16, 16)
    assert torch.allclose(crops[:, :3] + crops[:, 3:], torch.ones(()))
    train(TrainRequest(tmp_path, tmp_path / "run", "derain", spec=TINY, iterations=2, batch=2, crop=16, device="cpu"))
    (tmp_path / "degraded" / "1.png").unlink()
    with pytest.raises(UsageError, match=r"1\.png has 0 partners"):
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
