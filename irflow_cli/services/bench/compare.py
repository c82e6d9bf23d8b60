"""Two files of results: what got better or worse, beyond what other pictures would have changed by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from irflow_cli.errors import UsageError
from irflow_cli.services.bench.figures import FIGURES
from irflow_cli.services.bench.rows import Key, Row, label_of, read_rows

DRAWS = 4000  # of the bootstrap
FEWEST = 5  # pictures, below which an interval means nothing
RELATIVE = {"seconds_per_mp": 0.10, "peak_mib": 0.10}  # these change in shares, and by so much from run to run


@dataclass(frozen=True)
class Change:
    """How the mean of a figure changed: `low` and `high` bound it with 95 % confidence. In the figure's unit, or as a
    share for time and memory. verdict: "better", "worse", "same", or "too few" pictures to tell."""

    label: str
    figure: str
    change: float
    low: float
    high: float
    pictures: int
    verdict: str

    def cells(self) -> list[str]:
        """Return the row of a table."""
        if self.figure in RELATIVE:
            texts = [f"{100 * value:+.1f} %" for value in (self.change, self.low, self.high)]
        else:
            digits = FIGURES[self.figure].digits + 1
            texts = [f"{value:+.{digits}f}" for value in (self.change, self.low, self.high)]
        return [self.label, FIGURES[self.figure].title, texts[0], f"{texts[1]} to {texts[2]}", str(self.pictures), self.verdict]


def compare(old: Path, new: Path) -> list[Change]:
    """Return the changes of every figure of every method that both files hold, paired picture by picture.

    A bootstrap over the pictures bounds the mean difference; better or worse is said when the interval leaves out zero
    (for time and memory: a tenth). Raises UsageError when nothing can be paired, or a picture is not the same in both.
    """
    before, after = _by_key(read_rows(old)), _by_key(read_rows(new))
    changes = []
    for key, rows in after.items():
        if key[1] == "input" or key not in before:
            continue
        names = [name for name in rows if name in before[key]]
        for name in names:
            one, other = before[key][name], rows[name]
            if one.digest and other.digest and one.digest != other.digest:
                raise UsageError(f"{name} is another picture in {new} than in {old}; only runs on the same inputs compare")
            if one.border != other.border:
                raise UsageError(f"{old} has border {one.border}, {new} {other.border}; only runs with one --border compare")
        for figure in FIGURES:
            change = _change(label_of(key, rows[names[0]].task) if names else "", figure, before[key], rows, names)
            changes += [change] if change else []
    if not changes:
        raise UsageError(f"{old} and {new} have no picture and method in common")
    return changes


def lost(old: Path, new: Path) -> list[str]:
    """Return, a line each, the methods and pictures that the old file has figures of and the new one has not."""
    before, after = _by_key(read_rows(old)), _by_key(read_rows(new))
    found = []
    for key, rows in before.items():
        gone = [name for name in rows if name not in after.get(key, {})]
        if gone:
            what = "is not there" if key not in after else f"has no figures of {len(gone)} pictures, such as {gone[0]}"
            found.append(f"{label_of(key, rows[gone[0]].task)} {what} in {new}")
        kept = [(row.scores, after[key][name].scores) for name, row in rows.items() if name not in gone]
        for figure, entry in FIGURES.items():
            if figure not in RELATIVE and any(
                math.isfinite(getattr(one, figure)) and not math.isfinite(getattr(other, figure)) for one, other in kept
            ):
                found.append(f"{label_of(key, next(iter(rows.values())).task)} has no {entry.title} in {new}")
    return found


def _by_key(rows: list[Row]) -> dict[Key, dict[str, Row]]:
    found: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if row.error is None:
            found.setdefault(row.key, {})[row.picture] = row
    return found


def _change(label: str, figure: str, old: dict[str, Row], new: dict[str, Row], names: list[str]) -> Change | None:
    pairs = np.array([[getattr(rows[name].scores, figure) for rows in (old, new)] for name in names]).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    if figure in RELATIVE:
        pairs = np.log(pairs[(pairs > 0).all(1)])
    if len(pairs) == 0:
        return None
    difference = pairs[:, 1] - pairs[:, 0]
    low, high = bootstrap(difference)
    mean, low, high = (float(np.expm1(v) if figure in RELATIVE else v) for v in (difference.mean(), low, high))
    band = RELATIVE.get(figure, 0.0)
    up, down = low > band, high < -band
    verdict = "same" if not (up or down) else "better" if up == FIGURES[figure].higher else "worse"
    return Change(label, figure, mean, low, high, len(pairs), verdict if len(pairs) >= FEWEST else "too few")


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """Return the interval that holds the mean of values (N,) with 95 % confidence: percentiles of resampled means."""
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)
