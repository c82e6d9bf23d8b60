"""Two files of results: what got better or worse, beyond what other pictures would have changed by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from irflow_cli.bench.metrics import METRICS
from irflow_cli.bench.records import Key, Record, label_of, other_machine, read_environment, read_records
from irflow_cli.errors import UsageError

DRAWS = 20000  # of the bootstrap
FEWEST, TOO_FEW = 8, "too few"  # pictures, below which an interval means nothing, and the verdict then
RELATIVE = {"nfe": 0.01, "seconds_per_mp": 0.10, "peak_mib": 0.10}  # costs change in shares, and by so much from run to run


@dataclass(frozen=True)
class Change:
    """How the mean of a metric changed: `low` and `high` bound it, those of all changes of one comparison together with 95 %
    confidence. In the metric's unit, or as a share for what it costs. verdict: "better", "worse", "same", or "too few" pictures
    to tell."""

    label: str
    metric: str
    change: float
    low: float
    high: float
    pictures: int
    verdict: str

    def cells(self) -> list[str]:
        """Return the row of a table."""
        if self.metric in RELATIVE:
            texts = [f"{100 * value:+.1f} %" for value in (self.change, self.low, self.high)]
        else:
            digits = METRICS[self.metric].digits + 1
            texts = [f"{value:+.{digits}f}" for value in (self.change, self.low, self.high)]
        return [self.label, METRICS[self.metric].title, texts[0], f"{texts[1]} to {texts[2]}", str(self.pictures), self.verdict]


def compare(old: Path, new: Path) -> list[Change]:
    """Return the changes of every metric of every method that both files hold, paired picture by picture.

    A bootstrap over the pictures bounds the mean difference, at a level that is shared by all metrics and methods (Bonferroni);
    better or worse is said when the interval leaves out what the metric's last digit does not show (for time and memory: a
    tenth). Time and memory of two machines are not compared. Raises UsageError when nothing can be paired, or a picture is not
    the same in both.
    """
    before, after, found = _by_key(read_records(old)), _by_key(read_records(new)), []
    moved = other_machine(read_environment(old), read_environment(new))
    metrics = [metric for metric in METRICS if metric not in ("seconds_per_mp", "peak_mib") or not moved]
    for key, records in after.items():
        if key[1] == "input" or key not in before:
            continue
        names = [name for name in records if name in before[key]]
        for name in names:
            one, other = before[key][name], records[name]
            if one.digest and other.digest and one.digest != other.digest:
                raise UsageError(f"{name} is another picture in {new} than in {old}; only runs on the same inputs compare")
            if one.border != other.border:
                raise UsageError(f"{old} has border {one.border}, {new} {other.border}; only runs with one `border` compare")
        for metric in metrics:
            differences = _differences(metric, before[key], records, names)
            found += [(label_of(key, records[names[0]].task), metric, differences)] if len(differences) else []
    if not found:
        raise UsageError(f"{old} and {new} have no picture and method in common")
    return [_change(label, metric, differences, 0.05 / len(found)) for label, metric, differences in found]


def lost(old: Path, new: Path) -> list[str]:
    """Return, a line each, the methods and pictures that the old file has metrics of and the new one has not."""
    before, after = _by_key(read_records(old)), _by_key(read_records(new))
    found = []
    for key, records in before.items():
        gone = [name for name in records if name not in after.get(key, {})]
        if gone:
            what = "is not there" if key not in after else f"has no metrics of {len(gone)} pictures, such as {gone[0]}"
            found.append(f"{label_of(key, records[gone[0]].task)} {what} in {new}")
        kept = [(record.scores, after[key][name].scores) for name, record in records.items() if name not in gone]
        for metric, entry in METRICS.items():
            if metric not in RELATIVE and any(
                math.isfinite(getattr(one, metric)) and not math.isfinite(getattr(other, metric)) for one, other in kept
            ):
                found.append(f"{label_of(key, next(iter(records.values())).task)} has no {entry.title} in {new}")
    return found


def _by_key(records: list[Record]) -> dict[Key, dict[str, Record]]:
    found: dict[Key, dict[str, Record]] = {}
    for record in records:
        if record.error is None:
            found.setdefault(record.key, {})[record.picture] = record
    return found


def _differences(metric: str, old: dict[str, Record], new: dict[str, Record], names: list[str]) -> np.ndarray:
    """Return new less old, (N,), of the pictures that have the metric in both; of what is counted in shares the logarithms'."""
    pairs = np.array([[getattr(records[name].scores, metric) for records in (old, new)] for name in names]).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    if metric in RELATIVE:
        pairs = np.log(pairs[(pairs > 0).all(1)])
    return pairs[:, 1] - pairs[:, 0]


def _change(label: str, metric: str, differences: np.ndarray, miss: float) -> Change:
    bounds = differences.mean(), *bootstrap(differences, miss)
    mean, low, high = (float(np.expm1(value) if metric in RELATIVE else value) for value in bounds)
    band = RELATIVE.get(metric, 0.5 * 10.0 ** -METRICS[metric].digits)
    up, down = low > band, high < -band
    verdict = "same" if not (up or down) else "better" if up == METRICS[metric].higher else "worse"
    return Change(label, metric, mean, low, high, len(differences), verdict if len(differences) >= FEWEST else TOO_FEW)


def bootstrap(values: np.ndarray, miss: float = 0.05) -> tuple[float, float]:
    """Return the interval that holds the mean of values (N,) but with probability `miss`: percentiles of resampled means.

    They are taken farther out than `miss` says, for plain percentiles are too narrow with few values (the expanded percentile
    interval of Hesterberg, arXiv 1411.5279).
    """
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    freedom = max(1, len(values) - 1)
    tail = 100 * NormalDist().cdf(-math.sqrt(len(values) / freedom) * _student(1 - miss / 2, freedom))
    low, high = np.percentile(values[draws].mean(1), [tail, 100 - tail])
    return float(low), float(high)


def _student(share: float, freedom: int) -> float:
    """Return the quantile of Student's distribution, by the first terms of its series in 1 / freedom (Cornish and Fisher)."""
    z, n = NormalDist().inv_cdf(share), freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / n**power for power, term in enumerate(terms, 1))
