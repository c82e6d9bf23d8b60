"""What must agree before a release: version and changelog, weights and manifest, sizes, pages and stored results.

Exits 1 with what does not.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import irflow_cli
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.tasks import TASKS

sys.path.insert(0, str(Path(__file__).parent))
import fair
import ship
import speed
from suite import PAGES, SUITES, outdated, page_problems, stored

ROOT = Path(__file__).parent.parent
BLOCK, MOST = 2**12, 26 * 2**20  # bytes: what a file takes on a disk is a multiple of the first, and weights/ no more than this
INSTALLED = ("README.md", "docs/install.md")  # where a torch to install is named


def other_torches(root: Path) -> list[str]:
    """Return which pages below `root` name another torch than its constraints.txt, a line each."""
    [tested] = re.findall(r"^torch==([0-9.]+)$", (root / "constraints.txt").read_text(), re.MULTILINE)
    named = {name: re.findall(r"torch==([0-9.]*[0-9])", (root / name).read_text()) for name in INSTALLED}
    return [
        f"{name} names torch {one}, constraints.txt {tested}" for name, ones in named.items() for one in ones if one != tested
    ]


def problems() -> list[str]:
    """Return what is wrong, a line each."""
    found = []
    if f"## [{irflow_cli.__version__}]" not in (ROOT / "CHANGELOG.md").read_text():
        found.append(f"CHANGELOG.md has no entry for {irflow_cli.__version__}")
    if (ship.WEIGHTS / "manifest.toml").read_text() != ship.manifest():
        found.append("weights/manifest.toml is not what `python benchmarks/ship.py` writes")
    size = sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in [ship.WEIGHTS, *ship.WEIGHTS.iterdir()])
    if size > MOST:
        found.append(f"weights/ holds {size // 2**10} KiB on a disk, over {MOST // 2**10}: a GPU call could not carry it")
    for name, task in TASKS.items():
        if task.checkpoint and load_checkpoint(ship.WEIGHTS / f"{task.checkpoint}.safetensors").card.task != name:
            found.append(f"weights/{task.checkpoint}.safetensors is not for {name}")
    if speed.on_page() != speed.kept():
        found.append("docs/results.md's tables of speed are not what `python benchmarks/speed.py --store` kept")
    found += other_torches(ROOT) + fair.page_problems(ROOT)
    for name, entries in SUITES.items():
        for key, entry in entries.items():
            if old := outdated(entry, stored(ROOT, key), None):
                found.append(f"{old} of {key} was measured with other weights or code: python benchmarks/suite.py {name} SETS")
    return found + [problem for name in PAGES for problem in page_problems(ROOT, name)]


if __name__ == "__main__":
    wrong = problems()
    print("\n".join(wrong) or "release is consistent")
    sys.exit(bool(wrong))
