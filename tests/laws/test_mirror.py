"""A module's tests are found by its name: tests/ROOM/test_MODULE.py, or where the table says."""

from __future__ import annotations

from pathlib import Path

import pytest

import irflow_cli

TESTS = Path(__file__).parent.parent
ROOT = Path(irflow_cli.__file__).parent
MODULES = {path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.py") if not path.name.startswith("__")}
FILES = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}

ELSEWHERE = {  # modules that share a file of tests, by that file
    "batch/test_store.py": "batch/remote",
    "bench/test_metrics.py": "bench/perceptual",
    "bench/test_records.py": "bench/environment",
    "bench/test_request.py": "cli/bench",
    "bench/test_report.py": "bench/views",
    "cli/test_app.py": "cli/console cli/degrade cli/train services/degrade_files",
    "cli/test_compare.py": "services/compare",
    "cli/test_config.py": "cli/doctor services/doctor runtime/config",
    "cli/test_defaults.py": "cli/options cli/flags",
    "cli/test_environments.py": "cli/faults",
    "cli/test_inpaint.py": "cli/upscale services/inpaint_files services/upscale_files",
    "cli/test_models.py": "services/models",
    "cli/test_newcomer.py": "cli/tally",
    "cli/test_restore.py": "cli/outcomes runtime/device services/restore_files",
    "cli/test_robustness.py": "images/chatter",
    "engines/backends/test_table.py": "engines/backends/onnxruntime engines/backends/openvino",
    "engines/test_exemplar.py": "engines/patches engines/pieces engines/wide",
    "engines/test_inpainter.py": "engines/holes",
    "images/test_encode.py": "images/formats",
    "images/test_tiff.py": "images/deep images/directories images/layout images/span",
    "images/test_unkept.py": "images/texts",
    "laws/test_costs.py": "regular runtime/pickles",
    "engines/test_grey.py": "engines/degrader",
    "laws/test_guided.py": "flow/guided/descending flow/guided/projecting flow/guided/replacing",
    "runtime/test_checkpoints.py": "runtime/places",
    "runtime/test_download.py": "runtime/connection",
    "serve/test_parts.py": "serve/bits serve/marks serve/saving serve/steps serve/views",
    "serve/test_process.py": "serve/run",
    "serve/test_studio.py": "serve/app serve/lobby serve/tabs",
    "services/test_restore_raw.py": "cli/raw",
    "test_api.py": "engines/arrays engines/restorer engines/settings images/picture runtime/defaults",
    "training/test_loop.py": "training/validation",
}
WIDER = {  # files about what no module does alone; so is every file of laws/
    "degradations/test_golden.py": "what each degradation has always drawn",
    "engines/test_grey.py": "photographs without colour through every engine",
    "cli/test_completion.py": "names in the shell against the tables",
    "cli/test_defaults.py": "defaults have one home",
    "cli/test_environments.py": "commands in machines that are not as they should be",
    "cli/test_newcomer.py": "what somebody types without the manual",
    "cli/test_reference.py": "docs/commands.md",
    "cli/test_robustness.py": "damaged files and killed batches",
    "cli/test_shard.py": "batches that several machines share",
    "serve/test_browser.py": "the page in a browser",
    "serve/test_looks.py": "the page's looks and words",
    "serve/test_parts.py": "what the page is made of",
    "serve/test_process.py": "the page's process",
}


def own(module: str) -> str:
    """Return the file in which a module's tests are looked for first."""
    room, _, name = module.rpartition("/")
    return f"{room}/test_{name}.py" if room else f"test_{name}.py"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_has_its_tests_where_they_are_looked_for(module: str) -> None:
    rows = [file for file, modules in ELSEWHERE.items() if module in modules.split()]
    assert len(rows) == (own(module) not in FILES), f"write tests/{own(module)}, or one row of ELSEWHERE"


def test_the_tables_name_what_exists() -> None:
    assert {module for modules in ELSEWHERE.values() for module in modules.split()} <= MODULES
    assert ELSEWHERE.keys() | WIDER.keys() <= FILES


@pytest.mark.parametrize("file", sorted(file for file in FILES if not file.startswith("benchmarks/")))
def test_a_file_of_tests_is_about_a_module_or_says_what_about(file: str) -> None:
    assert file.startswith("laws/") or file in WIDER or file in set(map(own, MODULES)), (
        "name it after its module, or say in WIDER what it is about"
    )
