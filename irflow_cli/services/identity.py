"""What a result is made from beside its picture: what a batch that is resumed compares."""

from __future__ import annotations

from dataclasses import replace

import irflow_cli
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.runtime.checkpoints import Card


def identity_of(work: str, settings: RestoreSettings | SamplerSettings, card: Card, drawn: bool) -> str:
    """Return all that determines results beside the pictures. work: what is done, with what `settings` do not say. The weights
    count, which `card` knows by their digits, and not the name of their file; the seed only where something is drawn."""
    settings = replace(settings, checkpoint=None, seed=settings.seed if drawn else 0)
    return f"{work} {settings} {card.to_json()} {irflow_cli.__version__}"
