"""A module's tests are found by its name: tests/ROOM/test_MODULE.py, or where the table says."""

from __future__ import annotations

from pathlib import Path

import irflow_cli

TESTS = Path(__file__).parent.parent
ROOT = Path(irflow_cli.__file__).parent
MODULES = {path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.py") if not path.name.startswith("__")}
FILES = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}

ELSEWHERE = {  # modules whose tests are in another file, and why
    "flow/guided/descending": ("laws/test_guided.py", "a row of GUIDED: one law for all"),
    "flow/guided/projecting": ("laws/test_guided.py", "a row of GUIDED: one law for all"),
    "flow/guided/replacing": ("laws/test_guided.py", "a row of GUIDED: one law for all"),
    "engines/backends/onnxruntime": ("engines/backends/test_table.py", "a row of BACKENDS: one law for all"),
    "engines/backends/openvino": ("engines/backends/test_table.py", "a row of BACKENDS: one law for all"),
    "services/degrade_files": ("cli/test_degrade.py", "what the command does with files"),
    "services/restore_files": ("cli/test_restore.py", "what the command does with files"),
    "services/inpaint_files": ("cli/test_inpaint.py", "what the command does with files"),
    "services/upscale_files": ("cli/test_upscale.py", "what the command does with files"),
    "services/models": ("cli/test_models.py", "what the commands do with files"),
    "cli/outcomes": ("cli/test_restore.py", "how the command ends"),
}
WIDER = {  # files about what no module does alone; so is every file of laws/
    "degradations/test_golden.py": "what each degradation has always drawn",
    "engines/test_grey.py": "photographs without colour through every engine",
    "cli/test_completion.py": "names in the shell against the tables",
    "cli/test_environments.py": "commands in machines that are not as they should be",
    "cli/test_newcomer.py": "what somebody types without the manual",
    "cli/test_reference.py": "docs/commands.md",
    "cli/test_robustness.py": "damaged files and killed batches",
    "cli/test_shard.py": "batches that several machines share",
    "serve/test_browser.py": "the page in a browser",
    "serve/test_looks.py": "the page's looks and words",
    "serve/test_process.py": "the page's process",
}


def own(module: str) -> str:
    """Return the file in which a module's tests are looked for first."""
    room, _, name = module.rpartition("/")
    return f"{room}/test_{name}.py" if room else f"test_{name}.py"


def test_a_module_has_its_tests_where_they_are_looked_for() -> None:
    lost = [own(module) for module in sorted(MODULES) if (module in ELSEWHERE) != (own(module) not in FILES)]
    assert lost == [], "write them, or a row of ELSEWHERE"


def test_the_tables_name_what_exists() -> None:
    assert ELSEWHERE.keys() <= MODULES
    assert {file for file, _ in ELSEWHERE.values()} | WIDER.keys() <= FILES
    assert sum(not reason.startswith("a row of ") for _, reason in ELSEWHERE.values()) <= 7


def test_a_file_of_tests_is_about_a_module_or_says_what_about() -> None:
    about = {*WIDER, *map(own, MODULES)}
    strange = [file for file in sorted(FILES) if not file.startswith(("benchmarks/", "laws/")) and file not in about]
    assert strange == [], "name it after its module, or say in WIDER what it is about"
