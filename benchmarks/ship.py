"""Put trained checkpoints among those that ship, and write the manifest.

    python benchmarks/ship.py                                   rewrite weights/manifest.toml from the files there
    python benchmarks/ship.py derain runs/derain/best.safetensors --photos FOLDER [--parent FILE] [--minutes-before 90]

FOLDER is what the run was trained on: its pictures are counted by the folders in it, which SOURCES names. A network that began
as another has seen the other's pictures, too. The other is found in weights/ by its digest; where it is not there, --parent
gives it. --minutes-before is how long the checkpoints that it began with were trained, where its own header does not say.
What the pictures were and what the network cannot do is added to the header. The manifest repeats the headers, so that they can
be read without tools, and gives the files' hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from irflow_cli.images.find import find_pictures
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, read_card, save_checkpoint

WEIGHTS = Path(__file__).parent.parent / "weights"
SOURCES = {  # folders of training pictures, and what their cards say of them
    "bsds": "of BSDS500 (for non-commercial research and education)",
    "cq100": "of CQ100 (freely licensed)",
    "photos": "freely licensed desktop backgrounds of Linux distributions and pictures of public collections",
}
LICENCE = "Apache-2.0"  # of what ships, and, where BSDS500 is among the pictures:
NOT_AS_FREE = "; some of the training pictures are for non-commercial research and education alone"
BEFORE = {"bsds": 110, "cq100": 96, "photos": 120}  # what every network was trained on whose card does not count its sources
SCORED = "one step; one in twenty of the same pictures, held out and degraded as in training"
LIMITS = {
    "derain": "streaks in the air, drawn or composited in training; no fog, snow or reflections; a downpour leaves traces, "
    "and so does fine rain that falls along upright lines",
    "denoise": "noise of cameras, film and scans, stored as JPEG or not, to a standard deviation of some 25, and white noise "
    "to 55; strong grain and impulses stay",
    "deraindrop": "small and half-transparent drops, drawn in training; what an opaque drop hides is not invented",
    "prior": "lines and surfaces over holes some ten pixels wide; across larger ones a blur, and no objects",
}


def sources_of(photos: Path) -> dict[str, int]:
    """Return how many training pictures lie in each folder of a folder. Exits where one is not in SOURCES."""
    found = Counter(path.relative_to(photos).parts[0] for path in find_pictures(photos))
    unknown = sorted(found.keys() - SOURCES.keys())
    if unknown or not found:
        raise SystemExit(f"{photos}: {', '.join(unknown) or 'no pictures'}; say in SOURCES where these pictures come from")
    return dict(found)


def inherited(card: Card, parent: Path | None) -> dict[str, int]:
    """Return the sources of what a network began as, none if it began from nothing. Exits where that cannot be found.

    A card that did not ship counts those that it began with alone; what it was itself trained on is then taken to be BEFORE.
    """
    digest = card.trained.get("started_from")
    if digest is None:
        return {}
    for path in [parent] if parent else sorted(WEIGHTS.glob("*.safetensors")):
        found = read_card(path)
        if found.digest == digest:
            counted = found.trained.get("sources", {})
            return counted if counted and "limits" in found.trained else more_of(BEFORE, counted)
    raise SystemExit(f"no file has the digest {digest}, which this network began as; give --parent")


def more_of(own: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    """Return the larger count of each source that is in one or the other."""
    return {key: max(own.get(key, 0), others.get(key, 0)) for key in SOURCES if key in own or key in others}


def sentence_of(sources: dict[str, int]) -> str:
    """Return what a card says of its pictures."""
    parts = [f"{sources[name]} {what}" for name, what in SOURCES.items() if sources.get(name)]
    return f"{sum(sources.values())} photographs: {', '.join(parts)}; none of a test set in the README"


def ship(name: str, source: str, photos: Path, parent: Path | None, before: float | None) -> None:
    """Store a checkpoint as float16 under its shipping name, with its card and what that cannot know."""
    loaded = load_checkpoint(source)
    sources = more_of(sources_of(photos), inherited(loaded.card, parent))
    trained = {**loaded.card.trained, "pictures": sentence_of(sources), "sources": sources, "limits": LIMITS[name]}
    trained |= {} if before is None else {"minutes_before": before}
    licence = LICENCE + (NOT_AS_FREE if "bsds" in sources else "")
    card = replace(loaded.card, licence=licence, trained=trained, scores={**loaded.card.scores, "validation": SCORED})
    save_checkpoint(WEIGHTS / f"{name}.safetensors", loaded.net.state_dict(), card)


def manifest() -> str:
    """Return the text of weights/manifest.toml: a card per checkpoint."""
    parts = ["# Written by benchmarks/ship.py from the headers of the files beside it."]
    for path in sorted(WEIGHTS.glob("*.safetensors")):
        parts.append(section(path, read_card(path)))
    return "\n\n".join(parts) + "\n"


def section(path: Path, card: Card) -> str:
    """Return one checkpoint's part of the manifest."""
    shape = card.spec.to_dict()
    values = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "task": card.task,
        "licence": card.licence,
        "irflow": card.irflow,
        "predicts": card.predicts,
        "range": list(card.range),
        **{name: shape[name] for name in ("widths", "depths", "block") if name in shape},
        "pictures": card.trained.get("pictures", ""),
        "limits": card.trained.get("limits", ""),
        "iterations": card.trained.get("iterations", 0),
        "minutes": card.trained.get("minutes", 0),
        "processes": card.trained.get("processes", 1),
        "device": card.trained.get("device", "cpu"),
        "minutes_in_all": card.minutes,
        **{key: value for key, value in card.trained.items() if key.startswith("confidence_")},
        **card.scores,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{path.stem}]", *lines])


def main() -> None:
    """Read the command line, ship a checkpoint if one is given, and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=LIMITS)
    parser.add_argument("source", nargs="?")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--parent", type=Path)
    parser.add_argument("--minutes-before", type=float)
    given = parser.parse_args()
    if given.name:
        if not given.source or not given.photos:
            parser.error("give the checkpoint, and --photos, the folder that it was trained on")
        ship(given.name, given.source, given.photos, given.parent, given.minutes_before)
    (WEIGHTS / "manifest.toml").write_text(manifest())


if __name__ == "__main__":
    main()
