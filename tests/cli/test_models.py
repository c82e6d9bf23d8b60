"""`irflow models`: what comes in, what goes out, and what is refused."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from server import Server, serving
from third_party import OFFICIAL, PRIOR, numbers, official_shapes, prior_shapes

from irflow_cli.runtime import download
from irflow_cli.runtime.checkpoints import shipped_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no trace of the environment's own settings."""
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSES", ())
    for name in ("IRFLOW_MIRROR", "HF_ENDPOINT", "IRFLOW_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "checkpoints"


@pytest.fixture
def server(tiny_checkpoint) -> Iterator[Server]:
    with serving(tiny_checkpoint("derain").read_bytes()) as running:
        yield running


@pytest.fixture
def official(tmp_path: Path) -> Path:
    torch.save(numbers(official_shapes(*OFFICIAL["official-6-3"])), tmp_path / "official.pth")
    return tmp_path / "official.pth"


def test_converted_weights_restore_and_a_prior_does_not(official: Path, irflow, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 21, 30)
    converted = irflow("models", "convert", official, "--task", "derain")
    assert (converted.code, converted.out, converted.err) == (0, f"{official.with_suffix('.safetensors')}\n", "")
    assert irflow("restore", source, "--task", "derain", "--checkpoint", converted.out.strip()).code == 0
    own = irflow("models", "convert", official, "--task", "dehaze", "-o", tmp_path / "dehaze.safetensors")
    assert irflow("restore", source, "--checkpoint", own.out.strip()).out == f"{tmp_path / 'in.dehaze.png'}\n"
    torch.save(numbers(prior_shapes(*PRIOR["prior-2"])), tmp_path / "prior.pt")
    prior = irflow("models", "convert", tmp_path / "prior.pt", "-o", tmp_path / "a-prior.safetensors")
    assert (prior.code, prior.out) == (0, f"{tmp_path / 'a-prior.safetensors'}\n")
    refused = irflow("restore", source, "--task", "derain", "--checkpoint", prior.out.strip(), "-o", tmp_path / "x.png")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (4, "", 1)
    assert "prior" in refused.err


def test_what_cannot_be_converted_is_one_line(official: Path, irflow) -> None:
    strange = (official, "--task", "Not a name")
    for arguments, code in (
        ((official,), 2),
        (strange, 2),
        ((official.with_name("none.pth"), "--task", "derain"), 4),
        ((".",), 4),
    ):
        done = irflow("models", "convert", *arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)


@pytest.mark.parametrize("group", ["models", "config"])
def test_groups_of_commands_have_an_example_too(group: str, irflow) -> None:
    assert f"Example: irflow {group} " in irflow(group, "--help").out


def test_pulled_listed_verified_used_removed(cache: Path, server: Server, irflow, picture_file) -> None:
    url, digest = f"{server.address}/My_Rain.safetensors", hashlib.sha256(server.data).hexdigest()
    pulled = irflow("models", "pull", url, "--sha256", digest.upper())
    path = cache / "my-rain.safetensors"
    assert (pulled.code, pulled.out) == (0, f"{path}\n")
    assert digest in pulled.err
    again = json.loads(irflow("models", "pull", url, "--json").out)
    assert again == {"schema": 1, "name": "my-rain", "path": str(path), "sha256": digest}
    assert len(server.asked) == 1
    assert "my-rain\tderain" in irflow("models", "list").out
    assert irflow("models", "path", "my-rain").out == f"{path}\n"
    assert irflow("models", "path").out == f"{cache}\n"
    assert irflow("models", "verify", "my-rain").out == f"my-rain\tfile's sha256 {digest}\tas it should be\n"
    assert irflow("restore", picture_file("in.png"), "--task", "derain", "--checkpoint", "my-rain").code == 0
    assert irflow("models", "rm", "my-rain").out == f"{path}\n"
    assert not list(cache.glob("[!.]*"))
    gone = irflow("models", "rm", "my-rain")
    assert (gone.code, len(gone.err.splitlines())) == (4, 1)


def test_what_was_begun_or_set_aside_can_be_removed_too(cache: Path, irflow) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for name in ("rain.safetensors.part", "rain.safetensors.rejected", "rain.safetensors.rejected-1", "rainy.safetensors"):
        (cache / name).write_text("x")
    assert irflow("models", "rm", "rain").code == 0
    assert [path.name for path in cache.iterdir()] == ["rainy.safetensors"]
    assert irflow("models", "rm", "rain").code == 4
    done = irflow("models", "rm", "missing", "rainy")  # one name does not stop the others
    assert (done.code, "`irflow models list` shows what there is" in done.err, list(cache.iterdir())) == (4, True, [])
    done = irflow("models", "verify", "missing", "derain")
    assert (done.code, done.err.count("\n"), done.out.startswith("derain\t")) == (4, 1, True)


def test_the_hub_is_reached_through_its_endpoint(cache: Path, server: Server, irflow, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    assert irflow("models", "pull", "hf://owner/name@v1/rain.safetensors", "--name", "other").code == 0
    assert server.asked[0][0] == "/owner/name/resolve/v1/rain.safetensors"
    assert (cache / "other.safetensors").read_bytes() == server.data


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("{}/derain.safetensors",), "ships with irflow"),
        (("{}/theirs.pth",), "models convert theirs.pth"),
        (("{}/x.safetensors", "--name", "../x"), "'../x' is no name"),
        (("{}/x.safetensors", "--name", "/etc/x"), "is no name"),
        (("{}/x.safetensors", "--name", "a/b"), "is no name"),
        (("{}/x.safetensors", "--name", ".."), "is no name"),
        (("{}/..%2f..%2fx.safetensors",), "is no name"),
        (("{}/",), "is no name"),
        (("{}/x.safetensors", "--sha256", "abc"), "64 hexadecimal"),
        (("http://example.org/x.safetensors",), "https://host/file"),
    ],
)
def test_a_pull_that_makes_no_sense_asks_no_server(arguments, match: str, cache: Path, server: Server, irflow) -> None:
    done = irflow("models", "pull", *(argument.format(server.address) for argument in arguments))
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert match in done.err
    assert not server.asked
    assert not cache.exists()


def test_another_file_of_the_same_name_is_not_replaced(cache: Path, server: Server, irflow) -> None:
    assert irflow("models", "pull", f"{server.address}/x.safetensors").code == 0
    for arguments in ((f"{server.address}/other/x.safetensors",), (f"{server.address}/x.safetensors", "--sha256", "ab" * 32)):
        done = irflow("models", "pull", *arguments)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert "models rm x" in done.err
    assert len(server.asked) == 1


def test_a_failed_pull_tells_how_to_do_it_by_hand(cache: Path, server: Server, irflow) -> None:
    server.plan[:] = ["say 404"]
    done = irflow("models", "pull", f"{server.address}/x.safetensors", "--sha256", "ab" * 32)
    assert (done.code, done.out, len(done.err.splitlines())) == (4, "", 1)
    for part in ("404", f"{server.address}/x.safetensors", str(cache / "x.safetensors"), "ab" * 32):
        assert part in done.err


def test_a_lying_server_leaves_nothing_that_loads(cache: Path, server: Server, irflow) -> None:
    done = irflow("models", "pull", f"{server.address}/x.safetensors", "--sha256", "ab" * 32)
    assert done.code == 4
    assert str(cache / "x.safetensors.rejected") in done.err
    assert irflow("models", "show", "x").code == 4
    assert "x.safetensors" not in irflow("models", "list").out


def test_offline_everything_but_pull_works_without_a_socket(cache: Path, irflow, picture_file, monkeypatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    for command in (("list",), ("show", "derain"), ("verify", "derain"), ("path", "derain")):
        assert irflow("models", *command).code == 0
    assert irflow("restore", picture_file("in.png"), "--task", "derain").code == 0
    monkeypatch.setenv("IRFLOW_OFFLINE", "1")
    done = irflow("models", "pull", "https://example.org/x.safetensors")
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert str(cache / "x.safetensors") in done.err


def test_verify_sets_aside_what_is_damaged_in_the_cache_alone(cache: Path, server: Server, irflow, tmp_path: Path) -> None:
    for name in ("good", "altered", "header"):
        assert irflow("models", "pull", f"{server.address}/{name}.safetensors").code == 0
    elsewhere = tmp_path / "elsewhere.safetensors"
    damaged = bytearray(server.data)
    damaged[-100] ^= 1
    header = server.data.replace(b"Apache-2.0", b"Apache-3.0")  # the digest of the tensors does not see this
    assert header != server.data
    for path, content in (
        (cache / "altered.safetensors", damaged),
        (cache / "header.safetensors", header),
        (elsewhere, damaged),
    ):
        path.write_bytes(content)
    done = irflow("models", "verify", "good", "altered", "header", elsewhere, "--json")
    assert done.code == 4
    found = {line["name"]: line["error"] for line in map(json.loads, done.out.splitlines())}
    assert found["good"] is None
    assert "altered.safetensors.rejected" in found["altered"]
    assert "header.safetensors.rejected" in found["header"]
    assert "damaged" in found["elsewhere"]
    assert len(done.err.splitlines()) == 3
    assert elsewhere.exists()
    assert [path.name for path in cache.glob("*.safetensors")] == ["good.safetensors"]
    assert (cache / "altered.safetensors.rejected").read_bytes() == damaged


def test_verify_knows_the_files_that_ship(cache: Path, irflow) -> None:
    done = irflow("models", "verify")
    assert done.code == 0
    shipped = {path.stem for path in shipped_folder().glob("*.safetensors")}
    assert {line.split("\t")[0] for line in done.out.splitlines()} == shipped


def test_verify_holds_shipped_files_against_the_manifest(cache: Path, irflow, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    data = (shipped_folder() / "derain.safetensors").read_bytes()
    (folder / "derain.safetensors").write_bytes(data.replace(b"Apache-2.0", b"Apache-3.0"))
    (folder / "manifest.toml").write_text((shipped_folder() / "manifest.toml").read_text())
    monkeypatch.setattr("irflow_cli.runtime.checkpoints.shipped_folder", lambda: folder)
    monkeypatch.setattr("irflow_cli.services.models.shipped_folder", lambda: folder)
    done = irflow("models", "verify", "derain")
    assert (done.code, done.out) == (4, "")
    assert "expected" in done.err
    assert (folder / "derain.safetensors").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", ".", "..", "", "a\\b", "a\nb", "x" * 300])
def test_names_cannot_leave_the_cache(name: str, cache: Path, irflow) -> None:
    cache.mkdir(parents=True)
    outside = cache.parent / "outside.safetensors"
    outside.write_bytes(b"mine")
    done = irflow("models", "rm", name)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert outside.exists()


def test_what_ships_stays(cache: Path, irflow) -> None:
    done = irflow("models", "rm", "derain")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert (shipped_folder() / "derain.safetensors").exists()
