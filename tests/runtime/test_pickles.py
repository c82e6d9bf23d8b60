"""What a file may cost before it is unpickled."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from encoded import archive_of

from irflow_cli.errors import CheckpointError
from irflow_cli.runtime import pickles
from irflow_cli.runtime.convert import read_third_party
from irflow_cli.runtime.pickles import check_cost

ZEROS = {"a": torch.zeros(3)}


def test_what_costs_more_than_its_size_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "theirs.pth"
    monkeypatch.setattr(torch, "load", lambda *arguments, **options: pytest.fail("it was opened"))
    long = b"\x80\x02" + b"N0" * pickles.MOST + b"."
    twice = archive_of(tmp_path / "one", b"\x80\x02N.").read_bytes()
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    cases = {
        "compressed": lambda: archive_of(path, long, packed=True),
        "more than": lambda: archive_of(path, long),
        "together larger": lambda: archive_of(path, b"\x80\x02" + b"N0" * 1000 + b".", times=300),
        "twice": lambda: path.write_bytes(twice + twice),
        "missing": lambda: path.write_bytes(twice[:-22]),
        "EXT1": lambda: archive_of(path, b"\x80\x02\x82\x01."),
        "POP": lambda: path.write_bytes(long),
        "not of PyTorch's format": lambda: path.write_bytes(tape.getvalue()),
    }
    for match, write in cases.items():
        write()
        with pytest.raises(CheckpointError, match=match):
            read_third_party(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_programs_save_is_let_through(zipped: bool, tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.rand(1, 3, 8, 8)).sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 9])
    content = {
        "model": net.state_dict(),
        "parameters": dict(net.named_parameters()),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": 2**40,
        "best": (1.5, None, True, b"bytes", {1, 2}, torch.Size([1, 2]), torch.float16, [torch.tensor(3)]),
        "large": -(2**100),
    }
    torch.save(content, tmp_path / "theirs.pth", _use_new_zipfile_serialization=zipped)
    torch.load(tmp_path / "theirs.pth", weights_only=True)
    check_cost(tmp_path / "theirs.pth")


def test_a_plain_pickle_is_walked_through_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plain.pth"
    path.write_bytes(pickle.dumps(ZEROS, 4))
    with pytest.raises(CheckpointError, match="do not need"):
        read_third_party(path)
