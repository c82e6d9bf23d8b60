"""Defaults from files and variables, and what `config show` and `doctor` say of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irflow_cli.cli.config import OF_FOLDERS, _without_place

pytestmark = pytest.mark.usefixtures("in_project")


def origins(irflow, command: str, option: str) -> tuple[object, str]:
    lines = [json.loads(line) for line in irflow("config", "show", "--json").out.splitlines()]
    [line] = [line for line in lines if (line["command"], line["option"]) == (command, option)]
    return line["value"], Path(line["origin"]).name


def test_flag_variable_project_user_default_in_that_order(irflow, tmp_path: Path, picture_file, monkeypatch) -> None:
    source = picture_file("in.png")
    run = lambda *more: irflow("degrade", source, "-o", tmp_path / "out.png", "--overwrite", "--kind", "jpeg", *more)  # noqa: E731
    assert origins(irflow, "degrade", "seed") == (0, "built in")
    (tmp_path / "user" / "config.toml").write_text("max-pixels = 10\nseed = 3\ndevice = 'mps'\n")
    assert origins(irflow, "degrade", "seed") == (3, "config.toml")
    assert run().code == 1
    (tmp_path / "project" / "irflow.toml").write_text("device = 'cpu'\n[degrade]\nseed = 4\n")
    assert origins(irflow, "degrade", "seed") == (4, "irflow.toml")
    assert origins(irflow, "restore", "seed") == (3, "config.toml")
    assert origins(irflow, "restore", "device") == ("cpu", "irflow.toml")
    monkeypatch.setenv("IRFLOW_DEVICE", "cuda")
    assert origins(irflow, "restore", "device") == ("cuda", "IRFLOW_DEVICE")
    monkeypatch.setenv("IRFLOW_MAX_PIXELS", "100_000")
    assert run().code == 0
    assert run("--max-pixels", 20).code == 1


def test_a_value_that_an_option_does_not_take_is_told_with_its_file(irflow, tmp_path: Path, picture_file) -> None:
    source = picture_file("in.png")
    (tmp_path / "project" / "irflow.toml").write_text('[degrade]\nseverity = "much"\n')
    done = irflow("degrade", source, "-o", tmp_path / "out.png", "--kind", "noise")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "irflow.toml" in done.err
    assert "--severity" in done.err
    typed = irflow("degrade", source, "-o", tmp_path / "out.png", "--kind", "noise", "--severity", "much")
    assert "irflow.toml" not in typed.err


def test_commands_below_others_have_defaults_too(irflow, tmp_path: Path) -> None:
    file = tmp_path / "project" / "irflow.toml"
    assert not irflow("models", "list").out.startswith("{")
    file.write_text("[models.list]\njson = true\n")
    assert irflow("models", "list").out.startswith("{")
    assert origins(irflow, "models list", "as_json") == (True, "irflow.toml")
    assert "models.list.as_json = True" in irflow("config", "show").out
    file.write_text("json = true\n")
    assert irflow("models", "list").out.startswith("{")
    file.write_text('[models.pull]\nquiet = "perhaps"\n')
    done = irflow("models", "pull", "https://127.0.0.1:1/x.safetensors")
    assert (done.code, "irflow.toml" in done.err, "--quiet" in done.err) == (2, True, True)


def test_files_can_be_left_unread(irflow, tmp_path: Path, picture_file) -> None:
    source = picture_file("in.png")
    (tmp_path / "project" / "irflow.toml").write_text("dry-run = true\n")
    assert irflow("degrade", source, "-o", tmp_path / "out.png", "--kind", "noise").code == 0
    assert not (tmp_path / "out.png").exists()
    assert irflow("--no-config", "degrade", source, "-o", tmp_path / "out.png", "--kind", "noise").code == 0
    assert (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [('[restore]\noutput = "x"\n', "may not set output"), ("[restore]\nstps = 3\n", "no option stps")],
)
def test_a_file_with_a_fault_is_shown_with_it(text: str, fault: str, irflow, tmp_path: Path, picture_file) -> None:
    project = tmp_path / "project" / "irflow.toml"
    project.write_text(text)
    assert irflow("restore", picture_file("in.png")).code == 2
    shown = irflow("config", "show")
    assert shown.code == 2
    told = shown.err.splitlines()
    assert [line.split(": ")[0] for line in told[-2:]] == [str(project), "irflow"] and fault in told[-1]
    unread = irflow("--no-config", "config", "show")
    assert (unread.code, unread.err) == (0, "")


def test_defaults_for_folders_do_not_hinder_one_file(irflow, tmp_path: Path, picture_file) -> None:
    source = picture_file("in.png")
    (tmp_path / "project" / "irflow.toml").write_text('suffix = ".clean"\nformat = "jpg"\n')
    done = irflow("degrade", source, "-o", tmp_path / "out.png", "--kind", "noise")
    assert done.code == 0, done.err
    assert irflow("degrade", source, "-o", tmp_path / "out", "--kind", "noise").code == 0
    assert (tmp_path / "out.png").exists() and [path.name for path in (tmp_path / "out").iterdir()] == ["in.clean.jpg"]


def test_a_value_of_all_commands_that_one_cannot_take_is_told_with_its_file(irflow, tmp_path: Path, picture_file) -> None:
    file, photos = tmp_path / "project" / "irflow.toml", picture_file("photos/in.png").parent
    file.write_text('precision = "int8"\n')
    asked = ("train", photos, "-o", tmp_path / "run", "--task", "derain", "--iterations", 1, "--quiet")
    done = irflow(*asked)
    assert done.code == 2
    assert done.err.splitlines()[-1] == f"irflow: {file}: --precision of training is auto, fp32 or bf16"
    assert str(file) not in irflow(*asked, "--precision", "int4").err.splitlines()[-1]


def test_a_file_chooses_the_engine(irflow, tmp_path: Path, picture_file, monkeypatch) -> None:
    asked: list[tuple[str, str]] = []

    def perform(request, *_others):
        asked.append((request.settings.engine, request.settings.precision))
        return iter(())

    monkeypatch.setattr("irflow_cli.services.restore_files.restore_files", perform)
    monkeypatch.delenv("IRFLOW_ENGINE")
    monkeypatch.delenv("IRFLOW_PRECISION")
    (tmp_path / "project" / "irflow.toml").write_text('precision = "fp32"\n[restore]\nengine = "onnxruntime"\n')
    irflow("restore", picture_file("in.png"), "--task", "derain")
    monkeypatch.setenv("IRFLOW_ENGINE", "openvino")
    irflow("restore", picture_file("in.png"), "--task", "derain")
    irflow("restore", picture_file("in.png"), "--task", "derain", "--engine", "torch", "--precision", "auto")
    assert asked == [("onnxruntime", "fp32"), ("openvino", "fp32"), ("torch", "auto")]


@pytest.mark.parametrize(
    ("text", "typed", "code", "blamed"),
    [
        ('[restore]\ntask = "derain"\n', ("--method", "prior"), 2, False),  # what was typed does not go with the file
        ('[restore]\ntask = "derain"\ndevice = "cuda:9"\n', (), 5, True),
    ],
)
def test_a_file_is_blamed_for_its_own_values(
    text: str, typed: tuple, code: int, blamed: bool, irflow, tmp_path, picture_file
) -> None:
    file = tmp_path / "project" / "irflow.toml"
    file.write_text(text)
    done = irflow("restore", picture_file("in.png"), *typed, "--quiet")
    assert (done.code, f"irflow: {file}: " in done.err) == (code, blamed), done.err
    assert str(file) in done.err


def test_an_empty_suffix_of_a_file_is_no_suffix_of_one_output(irflow, picture_file, tmp_path: Path) -> None:
    (tmp_path / "project" / "irflow.toml").write_text('suffix = ""\n')
    done = irflow("degrade", picture_file("in.png"), "--kind", "noise", "-o", "out.png")
    assert (done.code, "irflow.toml: none for this command\n" in done.err) == (0, True), done.err


@pytest.mark.parametrize(("output", "left"), [("out.png", ""), ("out", "suffix, format")])
def test_defaults_without_a_place_are_passed_over_and_not_told(output: str, left: str, irflow, picture_file, tmp_path) -> None:
    (tmp_path / "project" / "irflow.toml").write_text('format = "webp"\nsuffix = ".x"\n')
    done = irflow("degrade", picture_file("in.png"), "--kind", "noise", "-o", output)
    assert (done.code, f"irflow.toml: {left or 'none for this command'}\n" in done.err) == (0, True), done.err


@pytest.mark.parametrize(
    ("given", "left"),
    [({"output": None, "inputs": ["-"]}, {"format"}), ({"output": Path("-")}, {"format"}), ({"output": Path("a.png")}, set())],
)
def test_what_goes_to_one_place_has_no_name_to_make(given: dict, left: set) -> None:
    assert OF_FOLDERS - _without_place(given) == left
