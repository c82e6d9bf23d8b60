"""The table of docs/perception.md that says what to choose: for every task the way with the least error and the way with the
most texture, with what the curves of that page measured of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import markers

from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record, averages, markdown, show


@dataclass(frozen=True)
class Way:
    """How it is asked for, and the row of the curve that is that."""

    words: str
    steps: int
    variant: str


@dataclass(frozen=True)
class Choice:
    """A task, the table that holds its curve, and the two ways."""

    task: str
    key: str
    faithful: Way
    textured: Way


RELEASED = "released grid"
CHOICES = (
    Choice("noise", "curve-noise", Way("the default", 1, RELEASED), Way("`--texture`", 8, RELEASED)),
    Choice("rain", "curve-rain", Way("the default", 2, RELEASED), Way("no such option; with `--steps 8`", 8, RELEASED)),
    Choice("drops", "curve-drops", Way("the default", 2, RELEASED), Way("no such option; with `--steps 8`", 8, RELEASED)),
    Choice("holes", "curve-holes", Way("`--preset smooth`", 1, "smooth"), Way("`--preset texture`", 8, "texture")),
    Choice(
        "70 % of pixels missing", "curve-pixels", Way("`--preset smooth`", 1, "smooth"), Way("`--preset texture`", 8, "texture")
    ),
    Choice("twice as large", "curve-large", Way("`--preset smooth`", 1, "smooth"), Way("`--preset texture`", 2, "texture")),
)


def rendered(stored: Callable[[str], list[Record]]) -> str:
    """Return the table; a way that was not measured has no figures. stored: a table's records by its name."""
    cells = [["", "for the least error", "PSNR", "ST-LPIPS", "for texture", "PSNR", "ST-LPIPS"]]
    for choice in CHOICES:
        means, row = averages(stored(choice.key)), [choice.task]
        for way in (choice.faithful, choice.textured):
            found = [mean for key, mean in means.items() if key[1:] == ("irflow", way.steps, way.variant)]
            mean = found[0] if found else Scores()
            row += [way.words, show(mean.psnr, 2), show(mean.st_lpips, 4)]
        cells.append(row)
    return "\n".join(markdown(cells)) + "\n"


def filled(page: str, stored: Callable[[str], list[Record]]) -> str:
    """Return a page with the table between its markers, if it has any."""
    return markers.filled(page, "choices", lambda name: rendered(stored))
