"""An extra is got by the way that irflow itself came."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import irflow_cli
from irflow_cli import extras

ROOT = Path(irflow_cli.__file__).parent


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "'irflow[serve]'"),
        ({"url": "file://HERE/my%20clone", "dir_info": {}}, "'HERE/my clone[serve]'"),
        ({"url": "file://HERE/my%20clone", "dir_info": {"editable": True}}, "-e 'HERE/my clone[serve]'"),
        ({"url": "file://HERE/gone", "dir_info": {}}, "'starlette>=0.46' 'uvicorn>=0.35'"),
        ({"url": "file://HERE/gone-1-py3-none-any.whl", "archive_info": {}}, "'starlette>=0.46' 'uvicorn>=0.35'"),
        (
            {"url": "https://example.org/irflow.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "'irflow[serve] @ git+https://example.org/irflow.git'",
        ),
        (
            {"url": "https://example.org/irflow-1-py3-none-any.whl", "archive_info": {}},
            "'irflow[serve] @ https://example.org/irflow-1-py3-none-any.whl'",
        ),
    ],
)
def test_pip_is_given_what_irflow_was_installed_from(
    url: Any, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Installed:
        requires = (
            "torch>=2.10",
            "starlette>=0.46; extra == 'serve'",
            'uvicorn>=0.35 ; extra == "serve"',
            "ray; extra == 'ray'",
        )

        def read_text(self, name: str) -> str | None:
            return json.dumps(url).replace("HERE", tmp_path.as_posix()) if url and name == "direct_url.json" else None

    (tmp_path / "my clone").mkdir()
    monkeypatch.setattr(extras, "distribution", lambda name: Installed())
    assert extras.hint("serve") == f"run `pip install {said.replace('HERE', tmp_path.as_posix())}`"


def test_a_source_tree_that_is_not_installed_is_its_own_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(extras, "distribution", missing)
    monkeypatch.setattr(irflow_cli, "__file__", str(tmp_path / "irflow_cli" / "__init__.py"))
    assert extras.hint("onnx") == "run `pip install 'irflow[onnx]'`"
    (tmp_path / "pyproject.toml").touch()
    assert extras.hint("onnx") == f"run `pip install '{tmp_path}[onnx]'`"


def test_no_other_module_says_how_to_get_an_extra() -> None:
    files = [path for kind in ("py", "jinja") for path in ROOT.rglob(f"*.{kind}") if path.name != "extras.py"]
    assert not [path.name for path in files if re.search(r"install .?irflow\[", path.read_text(encoding="utf-8"))]


def test_every_extra_that_is_named_is_one() -> None:
    named = {
        extra
        for path in ROOT.rglob("*.py")
        for extra in re.findall(r"extras\.hint\(['\"](\w+)['\"]\)", path.read_text(encoding="utf-8"))
    }
    declared = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert len(named) >= 6
    assert {extra for extra in named if not re.search(rf"^{extra} = \[", declared, re.M)} == set()
