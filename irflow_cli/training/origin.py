"""What a run's weights began as, and so whose pictures and licence they have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irflow_cli.runtime.checkpoints import Card

LICENCE = "the trainer's own; irflow does not know that of the training pictures"  # of weights that began as nothing
TOLD = ("started_from", "minutes_before", "pictures", "sources")  # what a card says of it


@dataclass(frozen=True)
class Origin:
    """trained: the entries TOLD of a card's `trained`. licence: of the weights."""

    trained: dict[str, Any]
    licence: str

    @classmethod
    def of(cls, parent: Card | None, data: Path) -> Origin:
        """Return the origin of a run on `data` that begins as another checkpoint, or from nothing.

        The other's `pictures` and `sources` are kept: the weights have seen them, too.
        """
        if parent is None:
            return cls({"started_from": None, "minutes_before": 0}, LICENCE)
        before = parent.trained.get("pictures") or f"those of {parent.trained.get('data', 'unknown origin')}"
        told = {"started_from": parent.digest, "minutes_before": parent.minutes}
        told["pictures"] = f"{before}; then those of {data.name}"
        counted = {"sources": parent.trained["sources"]} if "sources" in parent.trained else {}
        return cls({**told, **counted}, parent.licence)

    @classmethod
    def kept(cls, card: Card, data: Path) -> Origin:
        """Return the origin of a run that goes on, by the card in its state, on `data`, which may be others than before."""
        told = {name: card.trained[name] for name in TOLD if name in card.trained}
        if card.trained.get("data", data.name) != data.name:
            before = card.trained.get("pictures") or f"those of {card.trained['data']}"
            told["pictures"] = f"{before}; then those of {data.name}"
        return cls(told, card.licence)
