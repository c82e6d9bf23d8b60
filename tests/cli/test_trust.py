"""What a file of defaults may do, above all one that a stranger left in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import typer

from irflow_cli.cli.app import command_line
from irflow_cli.cli.config import commands_of
from irflow_cli.cli.trust import HARMLESS, REASONS, refusal
from irflow_cli.runtime import config as module

GROUP: Any = typer.main.get_command(command_line())
PARAMETERS = [(command, one) for command, of in commands_of(GROUP).items() for one in of.params]
OPTIONS = [(command, one.name) for command, one in PARAMETERS if one.param_type_name == "option"]
ARGUMENTS = [(command, one.name) for command, one in PARAMETERS if one.param_type_name == "argument"]
# Written out once more, so that none of them slips into the list of harmless ones.
NEVER = (
    *(
        "baseline_command",
        "compile_net",
        "baseline",
        "checkpoint",
        "init",
        "output",
        "report",
        "name_template",
        "mask",
        "masks",
    ),
    *(
        "rain_layers",
        "overwrite",
        "resume",
        "skip_existing",
        "metadata",
        "max_pixels",
        "recursive",
        "compare",
        "name",
        "sha256",
    ),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's file that is yet to be written; commands run in a folder below its own, with another home."""
    (tmp_path / "home" / "project" / "below").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home" / "project" / "below")
    monkeypatch.setattr("platformdirs.user_config_dir", lambda name: str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    return tmp_path / "home" / "project" / "irflow.toml"


def _table(command: str, option: str, value: str = "1") -> str:
    return f"[{command.replace(' ', '.')}]\n{option} = {value}\n"


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_harmless_or_refused_with_a_reason(command: str, option: str, project: Path, irflow) -> None:
    refused = refusal(command, option)
    assert (option in HARMLESS) + (option in REASONS) == 1
    project.write_text(_table(command, option))
    done = irflow("models", "list")
    if refused is None:
        assert done.code == 0
    else:
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
        assert all(word in done.err for word in (str(project), option.replace("_", "-"), refused))
    project.unlink()
    (project.parents[2] / "user" / "config.toml").write_text(_table(command, option))
    assert irflow("models", "list").code == 0


def test_the_tables_name_options_that_there_are() -> None:
    known = {name for _, name in OPTIONS} | {f"{command}.{name}" for command, name in OPTIONS}
    assert not (HARMLESS | set(REASONS)) - known
    assert not HARMLESS & set(NEVER)
    assert set(NEVER) <= set(REASONS)
    assert refusal("restore", "an-option-of-tomorrow")


@pytest.mark.parametrize("option", NEVER)
def test_what_is_refused_is_refused_for_all_commands_at_once(option: str, project: Path, irflow) -> None:
    project.write_text(f"{option.replace('_', '-')} = 1\n")
    done = irflow("models", "list")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "a project's file may not set" in done.err


@pytest.mark.parametrize(("command", "argument"), ARGUMENTS)
@pytest.mark.parametrize("own", [False, True])
def test_no_file_gives_what_a_command_is_about(own: bool, command: str, argument: str, project: Path, irflow) -> None:
    path = project.parents[2] / "user" / "config.toml" if own else project
    path.write_text(_table(command, argument, '["a.png"]'))
    done = irflow("models", "list")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert f"has no option {argument}" in done.err


def test_a_command_in_a_projects_file_is_not_run_and_one_in_the_users_is(project: Path, irflow, picture_file) -> None:
    """The program copies its input, as a baseline does, and leaves a mark."""
    picture_file("home/project/below/photos/a.png")
    mark, user = project.parent / "ran", project.parents[2] / "user" / "config.toml"
    baseline = f"[bench]\nbaseline-command = [\"sh -c 'touch {mark}; cp {{in}} {{out}}'\"]\n"
    measure = ("bench", "photos", "--task", "denoise", "--degrade", "noise:25", "--methods", "opencv-nlm", "-q")
    project.write_text(baseline)
    assert irflow(*measure).code == 2
    assert not mark.exists()
    project.unlink()
    user.write_text(baseline)
    assert irflow(*measure).code == 0
    assert mark.exists()


def test_what_a_projects_file_sets_is_said_once(project: Path, irflow, picture_file) -> None:
    source = picture_file("in.png")
    degrade = ("degrade", source, "-o", "out.png", "--kind", "jpeg", "-n")
    assert irflow(*degrade).err == ""
    project.write_text("severity = 60\nseed = 2\n[bench]\nborder = 1\n")
    assert irflow(*degrade).err == f"defaults from {project}: severity, seed\n"
    assert irflow(*degrade, "-v").err.count(" = ") == 2
    assert f"{project}: severity = 60.0" in irflow(*degrade, "-v").err
    assert "severity = 60.0" not in irflow(*degrade, "-v", "--severity", 50).err
    assert irflow(*degrade, "--quiet").err == ""
    assert irflow("--no-config", *degrade, "-v").err == ""
    assert irflow("models", "list").err == f"defaults from {project}: none for this command\n"
    project.write_text("quiet = true\n")
    assert str(project) in irflow(*degrade).err
    project.unlink()
    user = project.parents[2] / "user" / "config.toml"
    user.write_text("severity = 60\n")
    assert irflow(*degrade).err == ""
    assert f"{user}: severity = 60.0" in irflow(*degrade, "-v").err


@pytest.mark.parametrize("who", ["project", "link", "user"])
@pytest.mark.skipif(os.name != "posix", reason="files belong to users on POSIX systems")
def test_a_file_of_another_user_is_not_read_and_that_is_said(who: str, project: Path, irflow, monkeypatch) -> None:
    path = project.parents[2] / "user" / "config.toml" if who == "user" else project
    path.write_text("quiet = 'perhaps'\n")
    if who == "link":
        path.rename(project.with_name("real"))
        path.symlink_to("real")
    assert irflow("models", "pull", "https://127.0.0.1:1/x.safetensors").code == 2
    us = os.geteuid()
    if who == "link":  # the link is another's, the file ours
        monkeypatch.setattr(Path, "lstat", lambda one: _owned(os.lstat(one), us + 1))
    else:
        monkeypatch.setattr(os, "geteuid", lambda: us + 12345)
        monkeypatch.setattr(os, "fstat", lambda handle: _owned(FSTAT(handle), us + 1))
    done = irflow("models", "list", "--json")
    assert done.code == 0
    assert done.out.count("\n") > 1
    assert f"{path} is not read: it belongs to another user" in done.err
    assert "not read" in irflow("config", "show").err


FSTAT = os.fstat


def _owned(info: os.stat_result, owner: int) -> os.stat_result:
    """Return what is known of a file as if it belonged to `owner`."""
    return os.stat_result((*info[:4], owner, *info[5:10]))


def test_a_file_of_root_is_read(project: Path, irflow, monkeypatch) -> None:
    project.write_text("json = true\n")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "fstat", lambda handle: _owned(FSTAT(handle), 0))
    monkeypatch.setattr(Path, "lstat", lambda one: _owned(os.lstat(one), 0))
    assert irflow("models", "list").out.startswith("{")


@pytest.mark.parametrize("end", ["home", "repository", "worktree", "border"])
def test_the_search_ends(end: str, project: Path, irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the home folder, at the root of a repository (also of one that is a file there), at another file system."""
    above, within = project.parents[1] / "irflow.toml", project
    above.write_text("json = true\n")
    assert irflow("models", "list").out.startswith("{")
    if end == "home":
        monkeypatch.setenv("HOME", str(project.parent))
    if end == "repository":
        (project.parent / ".git").mkdir()
    if end == "worktree":
        (project.parent / ".git").write_text("gitdir: elsewhere\n")
    if end == "border":
        real = Path.stat

        def stat(one: Path, **more: Any) -> os.stat_result:
            info = real(one, **more)
            return os.stat_result((*info[:2], info.st_dev + (one == project.parents[1]), *info[3:10]))

        monkeypatch.setattr(Path, "stat", stat)
    assert not irflow("models", "list").out.startswith("{")
    if end != "border":  # where it ends, it still looks
        within.write_text("json = true\n")
        assert irflow("models", "list").out.startswith("{")


def test_a_user_without_a_home_has_no_file(project: Path, irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is then a folder like any other, which a stranger can make."""
    monkeypatch.setattr("platformdirs.user_config_dir", lambda name: "~/.config/irflow")
    Path("~/.config/irflow").mkdir(parents=True)
    Path("~/.config/irflow/config.toml").write_text("json = true\n")
    assert not irflow("models", "list").out.startswith("{")


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 5000 + b"]" * 5000,
        b"a = " + b"{a=" * 5000 + b"1" + b"}" * 5000,
        b"seed = " + b"9" * 5000,
        b"a" * (module.MOST + 1),
        b"\xff\xfe\0",
        b"seed = 1\n\x1b[2Jx",
        ".".join("a" * 5000).encode() + b" = 1",
        b"[" + ".".join("a" * 5000).encode() + b"]",
    ],
)
def test_a_hostile_file_is_one_line(content: bytes, project: Path, irflow) -> None:
    project.write_bytes(content)
    done = irflow("models", "list")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert str(project) in done.err
    assert len(done.err) < 1000
    assert "\x1b" not in done.err


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "socket"])
def test_what_is_no_file_is_not_waited_for(kind: str, project: Path, irflow) -> None:
    if kind == "pipe":
        os.mkfifo(project)
    elif kind == "socket":
        import socket

        os.chdir(project.parent)  # for names of sockets are short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(project.name)
    else:
        project.symlink_to("/dev/zero")
    done = irflow("models", "list")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "not a file" in done.err


def test_a_byte_order_mark_is_no_mistake(project: Path, irflow) -> None:
    project.write_bytes(b"\xef\xbb\xbfjson = true\n")
    assert irflow("models", "list").out.startswith("{")
