"""Whether the pairs of a set are what they seem: degraded and clean pictures of one scene."""

from __future__ import annotations

import cv2
import numpy as np

from irflow_cli.bench.sets import Sample, cases_of
from irflow_cli.errors import ImageError, UsageError


def check_pairs(samples: tuple[Sample, ...]) -> None:
    """Raise UsageError for pairs of two sizes, and for mixed-up ones: a degraded picture that shows another's scene."""
    cleans, degradeds, read = [], [], []
    for sample in samples:
        try:
            case = next(cases_of(sample, ()))
        except ImageError:  # which is reported when its turn comes
            continue
        read.append(sample)
        cleans.append(_small(case.clean))
        degradeds.append(_small(case.degraded))
    likeness = np.array(degradeds) @ np.array(cleans).T if read else np.zeros((0, 0))  # (degraded, clean)
    for index, row in enumerate(likeness):
        other = int(row.argmax())
        mutual = likeness[other, index] > likeness[other, other] + 0.3
        if row[other] > row[index] + 0.3 and (mutual or (row[other] > 0.9 and row[index] < 0.5)):
            names = read[index].name, read[other].name
            end = "and the other way round; they are swapped" if mutual else "pairs are mixed up"
            raise UsageError(f"the degraded picture of {names[0]} shows the scene of {names[1]}, {end}")


def _small(pixels: np.ndarray) -> np.ndarray:
    """Return a picture as a vector of length one without its mean, so that products are correlations."""
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (24, 24), interpolation=cv2.INTER_AREA).astype(float)
    small -= small.mean()
    return small.ravel() / max(np.linalg.norm(small), 1e-9)
