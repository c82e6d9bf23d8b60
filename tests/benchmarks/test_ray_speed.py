"""Ray beside the local run: results that differ are told, and the ratio is that of each round."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray_speed


def test_the_table_tells_ratio_and_differing_results(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"local": iter((10.0, 20.0)), "ray": iter((15.0, 20.0))}

    def timed(runner: str, pictures: Path, output: Path) -> ray_speed.Run:
        output.mkdir()
        for picture in pictures.iterdir():
            (output / picture.name).write_bytes(picture.read_bytes() + runner.encode() * (picture.stem == "0001"))
        return ray_speed.Run(1.0, next(seconds[runner]))

    monkeypatch.setattr(ray_speed, "timed", timed)
    monkeypatch.setattr(ray_speed, "version", lambda name: "2")
    *_, last = ray_speed.table(3, 2)
    assert "15 s | 18 s, 1.25 of the local run's; 1 of 3 results differ" in last
