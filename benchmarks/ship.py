"""Put trained checkpoints among those that ship, and write the manifest.

    python benchmarks/ship.py                                   rewrite weights/manifest.toml from the files there
    python benchmarks/ship.py derain runs/derain/best.safetensors [MINUTES]

MINUTES is how long the checkpoints that it began with were trained, where its own header does not say. What the pictures
were and what the network cannot do is added to the header. The manifest repeats the headers, so that they can be read without
tools, and gives the files' hashes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from irflow_cli.runtime.checkpoints import Card, load_checkpoint, read_card, save_checkpoint

WEIGHTS = Path(__file__).parent.parent / "weights"
PICTURES = (
    "326 photographs: 110 of BSDS500 (for non-commercial research and education), CQ100, and freely licensed desktop "
    "backgrounds of Linux distributions and public collections; none of a test set in the README"
)
SCORED = "one step; one in twenty of the same pictures, held out and degraded as in training"
LIMITS = {
    "derain": "streaks in the air, drawn or composited in training; no fog, snow or reflections; a downpour leaves traces, "
    "and so does fine rain that falls along upright lines",
    "denoise": "noise of cameras, film and scans, stored as JPEG or not, to a standard deviation of some 25, and white noise "
    "to 55; strong grain and impulses stay",
    "deraindrop": "small and half-transparent drops, drawn in training; what an opaque drop hides is not invented",
    "prior": "lines and surfaces over holes some ten pixels wide; across larger ones a blur, and no objects",
}


def ship(name: str, source: str, before: float | None) -> None:
    """Store a checkpoint as float16 under its shipping name, with its card and what that cannot know."""
    loaded = load_checkpoint(source)
    trained = {**loaded.card.trained, "pictures": PICTURES, "limits": LIMITS[name]}
    trained |= {} if before is None else {"minutes_before": before}
    card = replace(loaded.card, trained=trained, scores={**loaded.card.scores, "validation": SCORED})
    save_checkpoint(WEIGHTS / f"{name}.safetensors", loaded.net.state_dict(), card)


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
        "pictures": card.trained.get("pictures", ""),
        "limits": card.trained.get("limits", ""),
        "iterations": card.trained.get("iterations", 0),
        "minutes": card.trained.get("minutes", 0),
        "processes": card.trained.get("processes", 1),
        "device": card.trained.get("device", "cpu"),
        "minutes_in_all": card.minutes,
        **card.scores,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{path.stem}]", *lines])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        ship(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else None)
    (WEIGHTS / "manifest.toml").write_text(manifest())
