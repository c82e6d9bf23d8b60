"""Settings of Python and of the command are the same."""

from __future__ import annotations

from dataclasses import fields

from irflow_cli import api
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings


def test_options_are_the_fields_of_the_settings() -> None:
    for options, record in ((api.RestoreOptions, RestoreSettings), (api.SamplerOptions, SamplerSettings)):
        known = {field.name: field.type for field in fields(record) if field.name not in ("task", "checkpoint")}
        assert {name: kind.__forward_arg__ for name, kind in options.__annotations__.items()} == known
