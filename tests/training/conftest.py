"""Photographs to train on, and a short run over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn import TINY, scene
from PIL import Image

from irflow_cli.training.options import TrainRequest


@pytest.fixture(scope="package")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 14 drawn pictures, 72 x 80 pixels."""
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(14):
        Image.fromarray(scene(72, 80, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def request_(photographs: Path, tmp_path: Path) -> TrainRequest:
    """Return a run of 12 iterations for a tiny network."""
    return TrainRequest(
        photographs,
        tmp_path / "run",
        "denoise",
        spec=TINY,
        iterations=12,
        batch=4,
        crop=24,
        validate_every=6,
        consistency_every=3,
        device="cpu",
        warmup=4,
    )
