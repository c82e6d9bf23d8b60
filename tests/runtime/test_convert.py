"""Third-party weights: they answer as in their authors' own code, whatever they are wrapped in; nothing else gets through."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from results import memory_grows_below
from third_party import OFFICIAL, PRIOR, numbers, official_shapes, prior_shapes, question
from torch import Tensor

from irflow_cli.engines.fields import velocity_of
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.nets import OfficialSpec, PriorSpec
from irflow_cli.runtime import convert
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.runtime.convert import read_third_party
from irflow_cli.services.models import ConvertRequest, convert_checkpoint

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "third-party.npz")
NETWORKS = {name: official_shapes(*arguments) for name, arguments in OFFICIAL.items()} | {
    name: prior_shapes(*arguments) for name, arguments in PRIOR.items()
}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes what a training program might have saved."""

    def write(content: object, name: str = "theirs.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


def _converted(path: Path, **options: Any) -> Path:
    task = None if "begin_conv.weight" in torch.load(path, weights_only=True) else "derain"
    return convert_checkpoint(ConvertRequest(path, task=task, **options))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_those_of_the_authors_code(name: str, saved) -> None:
    loaded = load_checkpoint(_converted(saved(numbers(NETWORKS[name]))))
    picture, times = question(name.split("-")[0])
    answer = velocity_of(loaded.net) if loaded.net.contract.predicts == "velocity" else loaded.net
    assert np.abs(answer(picture, times).numpy() - GOLDEN[name]).max() < 1e-5


@pytest.mark.parametrize("name", ["official-4-1", "prior-2"])
def test_the_golden_answers_depend_on_every_tensor(name: str, saved) -> None:
    net = load_checkpoint(_converted(saved(numbers(NETWORKS[name])))).net
    picture, times = (values[1:] for values in question(name.split("-")[0]))
    picture = picture[..., :4, :4]
    before = net(picture, times)
    for key, tensor in net.state_dict().items():
        if key.endswith("key.bias"):  # the same for all pixels: a softmax does not see it
            continue
        kept = tensor.clone()
        tensor.mul_(1.5)
        assert (net(picture, times) - before).abs().max() > 1e-5, key
        tensor.copy_(kept)


@pytest.mark.parametrize(("nf", "depth"), [(4, 1), (10, 2), (8, 4)])
def test_any_width_and_depth_of_the_official_network(nf: int, depth: int, saved) -> None:
    assert read_third_party(saved(numbers(official_shapes(nf, depth)))).spec == OfficialSpec(width=nf, depth=depth)


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (((1, 1, 1, 2), 1, (3,), 32), PriorSpec(multipliers=(1, 1, 1, 2), blocks=1)),
        (((1, 1, 1, 2), 1, (), 32), PriorSpec(multipliers=(1, 1, 1, 2), blocks=1, attention=(), size=256)),
        (((1, 1, 2), 2, (1, 2), 64), PriorSpec(width=64, multipliers=(1, 1, 2), blocks=2, attention=(1, 2), size=32)),
    ],
)
def test_any_shape_of_the_prior(arguments: tuple[Any, ...], spec: PriorSpec, saved) -> None:
    assert read_third_party(saved(numbers(prior_shapes(*arguments)))).spec == spec


WRAPPERS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "data parallel": lambda net: {f"module.{key}": value for key, value in net.items()},
    "state_dict": lambda net: {"epoch": 3, "state_dict": net},
    "model": lambda net: {"model": net, "optimizer": {"lr": 0.1}},
    "parameters": lambda net: {key: torch.nn.Parameter(value) for key, value in net.items()},
    "half precision": lambda net: {key: value.half() for key, value in net.items()},
    "averaged model": lambda net: {"n_averaged": torch.tensor(9)} | {f"module.{key}": value for key, value in net.items()},
    "ema package": lambda net: (
        {"initted": torch.tensor(True), "step": torch.tensor(5)}
        | {f"online_model.module.{key}": value + 1 for key, value in net.items()}
        | {f"ema_model.module.{key}": value for key, value in net.items()}
    ),
    "ema beside the model": lambda net: {"model": {key: value + 1 for key, value in net.items()}, "ema": net},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers_are_taken_off(wrapper: str, saved) -> None:
    theirs = numbers(NETWORKS["official-4-1"])
    third_party = read_third_party(saved(WRAPPERS[wrapper](theirs)))
    assert torch.allclose(third_party.weights["entry.weight"].float(), theirs["init_conv.weight"], atol=1e-3)


def test_tensors_that_share_their_memory_are_written_each(saved) -> None:
    theirs = numbers(NETWORKS["official-4-1"])
    theirs["downs.0.0.block2.proj.weight"] = theirs["downs.0.0.block1.proj.weight"]
    net = load_checkpoint(_converted(saved(theirs))).net.state_dict()
    assert torch.equal(net["encoder.0.0.0.first.weight"], net["encoder.0.0.0.second.weight"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"surprise.weight": torch.zeros(2)}, "'surprise.weight'"),
        ({"downs.0.1.block1.proj.weight": None}, r"block1|encoder\.0\.1\.0\.first\.weight"),
        ({"final_conv.weight": torch.zeros(1, 4, 3, 3)}, "'final_conv.weight'"),
        ({"ups.0.3.1.weight": torch.zeros(4, 8, 3, 3)}, "twice"),
        ({"final_conv.bias": torch.tensor([1.0, float("nan"), 0.0])}, "no numbers"),
        ({"final_conv.bias": torch.zeros(3, dtype=torch.int64)}, "'final_conv.bias'"),
        ({"final_conv.bias": torch.zeros(3).to_sparse()}, "no tensor"),
        ({"epoch": 7}, "'epoch', which is no tensor"),
        ({"init_conv.weight": torch.zeros(4)}, "init_conv.weight"),
        ({"init_conv.weight": torch.zeros(3, 3, 7, 7)}, "width"),
        ({"init_conv.weight": None}, "no network known here"),
        ({"init_conv.weight": torch.zeros(1).expand(4, 3, 7, 10**12)}, "init_conv.weight"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], match: str, saved) -> None:
    content = {**numbers(NETWORKS["official-4-1"]), **change}
    with pytest.raises(CheckpointError, match=match):
        read_third_party(saved({key: value for key, value in content.items() if value is not None}))


@pytest.mark.parametrize("content", [{}, [1, 2], "text", torch.zeros(3), {"state_dict": {}}, {"a": torch.zeros(2)}])
def test_other_content_is_refused(content: object, saved) -> None:
    with pytest.raises(CheckpointError):
        read_third_party(saved(content))


class Bomb:
    """A pickle that runs a command when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("where", ["whole", "beside", "as a weight", "old format", "plain pickle"])
def test_a_malicious_pickle_is_not_executed(where: str, tmp_path: Path) -> None:
    bomb, path = Bomb(tmp_path / "exploded"), tmp_path / "theirs.pth"
    content: dict[str, object] = {
        "beside": {"state_dict": numbers(NETWORKS["official-4-1"]), "args": bomb},
        "as a weight": {**numbers(NETWORKS["official-4-1"]), "init_conv.weight": bomb},
    }
    if where == "plain pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        torch.save(content.get(where, bomb), path, _use_new_zipfile_serialization=where != "old format")
    with pytest.raises(CheckpointError, match="weights_only"):
        convert_checkpoint(ConvertRequest(path, task="derain"))
    assert not (tmp_path / "exploded").exists()
    assert not path.with_suffix(".safetensors").exists()
    torch.load(path, weights_only=False) if where != "plain pickle" else pickle.loads(path.read_bytes())  # it would have
    assert (tmp_path / "exploded").exists()


def test_a_damaged_file_is_refused(saved, tmp_path: Path) -> None:
    data = saved(numbers(NETWORKS["official-4-1"])).read_bytes()
    path = tmp_path / "damaged.pth"
    for broken in (b"", data[:50], data[: len(data) // 2], b"PK\x03\x04" + bytes(99), b"\x80\x02]" + bytes(30), data[::-1]):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match="damaged"):
            read_third_party(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"(" * 10**6)
    with pytest.raises(CheckpointError, match="damaged"):
        read_third_party(path)
    with pytest.raises(CheckpointError, match="No such file"):
        read_third_party(tmp_path / "none.pth")


def test_what_weights_do_not_say_is_asked_for(saved, tmp_path: Path) -> None:
    official, prior = saved(numbers(NETWORKS["official-4-1"])), saved(numbers(NETWORKS["prior-2"]), "prior.pt")
    for source, options, match in (
        (official, {}, "`task`"),
        (official, {"task": "prior"}, "`task`"),
        (official, {"task": "Colour!"}, "`task`"),
        (official, {"task": "denoise"}, "`sigma_max`"),
        (official, {"task": "denoise", "sigma_max": 999.0}, "`sigma_max`"),
        (official, {"task": "denoise", "sigma_max": float("nan")}, "`sigma_max`"),
        (official, {"task": "derain", "sigma_max": 25.0}, "`sigma_max`"),
        (official, {"task": "derain", "order": "cmyk"}, "order"),
        (prior, {"task": "derain"}, "`task`"),
        (prior, {"size": 1}, "size"),
        (prior, {"order": "rgb"}, "`order` has no meaning"),
        (official, {"task": "derain", "size": 128}, "`size` has no meaning"),
    ):
        with pytest.raises(UsageError, match=match):
            convert_checkpoint(ConvertRequest(source, **options))
    assert not list(tmp_path.glob("*.safetensors"))
    card = load_checkpoint(convert_checkpoint(ConvertRequest(prior, size=64, licence="none"))).card
    assert (card.task, card.predicts, card.licence) == ("prior", "velocity", "none")
    assert card.trained["converted_from"] == "prior.pt"
    assert isinstance(card.spec, PriorSpec)
    assert card.spec.size == 64
    with pytest.raises(UsageError, match="`overwrite`"):
        convert_checkpoint(ConvertRequest(prior))


def test_what_is_written_is_a_checkpoint_by_name_and_never_the_file_that_is_read(saved, tmp_path: Path) -> None:
    weights = numbers(NETWORKS["official-4-1"])
    plain, named, link = saved(weights), saved(weights, "theirs.safetensors"), tmp_path / "link.safetensors"
    link.symlink_to(plain)
    before = plain.read_bytes()
    for source, output, match in (
        (plain, plain, r"ends in \.safetensors, got 'theirs\.pth'; give another `output`"),
        (plain, tmp_path / "out.png", r"ends in \.safetensors, got 'out\.png'; give another `output`"),
        (plain, link, r"link\.safetensors is the file to convert; give another `output`"),
        (named, None, r"theirs\.safetensors is the file to convert; give another `output`"),
    ):
        with pytest.raises(UsageError, match=match):
            convert_checkpoint(ConvertRequest(source, output, task="derain", overwrite=True))
    assert plain.read_bytes() == named.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_the_order_of_channels_is_the_authors_own(saved, tmp_path: Path) -> None:
    path = saved(numbers(NETWORKS["official-4-1"]))
    blue_first = load_checkpoint(convert_checkpoint(ConvertRequest(path, tmp_path / "bgr.safetensors", task="derain"))).net
    red_first = load_checkpoint(
        convert_checkpoint(ConvertRequest(path, tmp_path / "rgb.safetensors", task="derain", order="rgb"))
    ).net
    picture, times = question("official")
    assert torch.allclose(blue_first(picture, times), red_first(picture.flip(1), times).flip(1), atol=1e-6)
    assert not torch.allclose(blue_first(picture, times), red_first(picture, times), atol=1e-3)


def test_a_converted_denoiser_starts_at_its_own_noise(saved) -> None:
    path = convert_checkpoint(ConvertRequest(saved(numbers(NETWORKS["official-4-1"])), task="denoise", sigma_max=25.0))
    net = load_checkpoint(path).net
    picture = torch.rand(1, 3, 16, 16)
    for sigma in (25.0, 10.0):  # one step: what is left to travel, taken off
        restorer = Restorer(
            RestoreSettings("denoise", steps=1, sigma=sigma, checkpoint=str(path), device="cpu", precision="fp32")
        )
        restored = restorer.restore_tensor(picture, [sigma], [torch.Generator()])
        assert torch.allclose(restored, picture - net(picture, torch.tensor([1 - sigma / 25])), atol=1e-5)


HOLES = {  # what is there and the reason that names it; none of its numbers is needed to tell
    "a network, and much beside it": (lambda theirs: {"model": theirs, "rest": torch.zeros(2**20)}, "save the network's state"),
    "a view of much more": (
        lambda theirs: {key: torch.zeros(2**20)[: one.numel()].view(one.shape) for key, one in theirs.items()},
        "save the network's state",
    ),
    "another network": (lambda theirs: {"a": torch.zeros(2**20)}, "no network known here"),
    "other shapes": (lambda theirs: {key: torch.zeros(64, 64) for key in theirs}, "unclear|of another shape"),
}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("zipped", [True, False])
def test_numbers_are_read_only_of_a_network(hole: str, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "FREE", 2**16)
    make, match = HOLES[hole]
    path, load, ways = tmp_path / "theirs.pth", torch.load, []
    theirs = {key: torch.ones(one.shape) for key, one in numbers(NETWORKS["official-4-1"]).items()}
    torch.save(make(theirs), path, _use_new_zipfile_serialization=zipped)

    def watched(*arguments: Any, **options: Any) -> Any:
        ways.append(options["map_location"])
        return load(*arguments, **options)

    monkeypatch.setattr(torch, "load", watched)
    with pytest.raises(CheckpointError, match=match):
        read_third_party(path)
    assert ways == ["meta"]
    torch.save(theirs, path, _use_new_zipfile_serialization=zipped)
    assert all((one == 1).all() for one in read_third_party(path).weights.values())
    assert ways[1:] == ["meta", "cpu"]


def test_the_numbers_of_a_hole_in_the_disk_take_no_memory(tmp_path: Path) -> None:
    path, count = tmp_path / "theirs.pth", 2**28
    torch.save({"init_conv.weight": torch.zeros(4)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    told = data.index(b"K\x04", data.index(b"storage"))
    data = data[:told] + b"J" + struct.pack("<i", count) + data[told + 2 : -24] + struct.pack("<q", count)
    path.write_bytes(data)
    os.truncate(path, len(data) + 4 * count)
    with memory_grows_below(64), pytest.raises(CheckpointError, match=r"theirs\.pth looks like"):
        read_third_party(path)
