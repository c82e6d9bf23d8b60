"""Public networks beside irflow: files of theirs are found, read and measured."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image


def layers(*kinds: str, wide: int = 12) -> networks.Layers:
    """Return a chain of layers, its convolutions those that change nothing, or drop the level that came in last."""
    parts, inside = [], 3
    for kind in kinds:
        weight = bias = None
        if kind == "conv":
            weight, bias = torch.zeros(wide, inside, 3, 3), torch.zeros(wide)
            weight[range(wide), range(wide), 1, 1] = 1
            inside = wide
        inside = {"SubP": wide, "concat": inside + 1}.get(kind, inside)
        parts.append((kind, weight, bias))
    return networks.Layers(parts)


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
def test_half_the_size_and_back_is_the_picture(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size)
    assert torch.allclose(layers("SubP", "concat", "conv", "relu", "SubP")(picture, 25.0), picture)


def test_columns_count_before_rows() -> None:
    seen = []
    net = layers("SubP", "concat", "conv", "SubP")
    net.biases[0].data[1] = 1.0  # the second of four: the pixel below the first, not the one beside it
    picture = torch.zeros(1, 3, 4, 4)
    seen = net(picture, 0.0)[0, 0, :2, :2]
    assert seen.tolist() == [[0, 0], [1, 0]]


def test_without_a_level_what_comes_out_is_the_noise() -> None:
    picture = torch.rand(1, 3, 6, 6)
    assert torch.allclose(layers("conv", wide=3)(picture, 25.0), torch.zeros_like(picture))


def test_a_file_of_matconvnet_is_read_as_it_lies(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    weight, bias = np.random.default_rng(0).random((3, 3, 3, 3)).astype("f4"), np.arange(3, dtype="f4")[None]
    with h5py.File(tmp_path / "color_sigma=25.mat", "w") as file:
        layer = file.create_group("one")
        layer["type"] = np.array([ord(letter) for letter in "conv"], np.uint16)
        file["weight"], file["bias"] = weight, bias
        layer["weights"] = np.array([file["weight"].ref, file["bias"].ref], h5py.ref_dtype)
        file.create_group("net")["layers"] = np.array([layer.ref], h5py.ref_dtype)
    [method] = networks.public_methods(tmp_path, "denoise", 25.0)
    assert (method.name, method.parameters) == ("color_sigma=25", 84)
    picture = torch.rand(1, 3, 8, 8)
    noise = torch.nn.functional.conv2d(picture, torch.from_numpy(weight).transpose(2, 3), torch.arange(3.0), padding=1)
    assert torch.allclose(networks.read_layers(tmp_path / "color_sigma=25.mat")(picture, 25.0), picture - noise, atol=1e-5)


def test_one_command_prints_one_table(tmp_path: Path, tiny_checkpoint, monkeypatch, capsys) -> None:
    rain, nets = tmp_path / "rain", tmp_path / "nets" / "PReNet6"
    for kind in ("clean", "degraded"):
        (rain / kind).mkdir(parents=True)
        Image.fromarray(scene(32, 40, seed=len(kind))).save(rain / kind / "a.png")
    nets.mkdir(parents=True)
    torch.save(networks.PReNet().state_dict(), nets / "net_latest.pth")
    (nets / "other.pth").write_bytes(b"no network")
    real = networks.RestoreSettings
    monkeypatch.setattr(networks, "RestoreSettings", lambda *a, **k: real(*a, **k, checkpoint=str(tiny_checkpoint("derain"))))
    assert networks.main([str(tmp_path / "nets"), "derain", str(rain), "--metrics", "psnr"]) == 0
    told = capsys.readouterr()
    assert [line.split(" | ")[0] for line in told.out.splitlines()[2:]] == ["| input", "| derain, 1 step", "| PReNet6"]
    assert "other.pth is passed over" in told.err
    assert networks.main([str(rain), "derain", str(rain)]) == 3
    (nets / "net_latest.pth").write_bytes(b"damaged")
    assert networks.main([str(tmp_path / "nets"), "derain", str(rain)]) == 4
