"""Put trained checkpoints among those that ship, and write the manifest.

    python benchmarks/ship.py                                   rewrite weights/manifest.toml from the files there
    python benchmarks/ship.py derain runs/derain/best.safetensors

The manifest repeats each checkpoint's own header, so that it can be read without tools, and gives the file's hash.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from irflow_cli.runtime.checkpoints import Card, load_checkpoint, read_card, save_checkpoint

WEIGHTS = Path(__file__).parent.parent / "weights"


def ship(name: str, source: str) -> None:
    """Store a checkpoint as float16 under its shipping name, with its card."""
    loaded = load_checkpoint(source)
    save_checkpoint(WEIGHTS / f"{name}.safetensors", loaded.net.state_dict(), loaded.card)


def manifest() -> str:
    """Return the text of weights/manifest.toml: a card per checkpoint."""
    parts = ["# Written by benchmarks/ship.py from the headers of the files beside it."]
    for path in sorted(WEIGHTS.glob("*.safetensors")):
        parts.append(section(path, read_card(path)))
    return "\n\n".join(parts) + "\n"


def section(path: Path, card: Card) -> str:
    """Return one checkpoint's part of the manifest."""
    values = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "task": card.task,
        "licence": card.licence,
        "irflow": card.irflow,
        "predicts": card.predicts,
        "range": list(card.range),
        "widths": list(card.spec.widths),
        "depths": list(card.spec.depths),
        "block": card.spec.block,
        "iterations": card.trained.get("iterations", 0),
        "minutes": card.trained.get("minutes", 0),
        "validation_psnr": card.scores.get("validation_psnr", 0),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{path.stem}]", *lines])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        ship(sys.argv[1], sys.argv[2])
    (WEIGHTS / "manifest.toml").write_text(manifest())
