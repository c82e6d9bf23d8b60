"""Rows: one picture measured with one method, as a line of JSON, and the table of their means."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from irflow_cli.bench.metrics import FIGURES, Scores, mean_of
from irflow_cli.errors import UsageError
from irflow_cli.runtime.files import write_atomically

SCHEMA = 1
MACHINE = ("processor", "device, precision", "threads")  # entries of an environment on which time and memory hang

Key = tuple[str, str, int, str]  # degrade, method, steps, variant


@dataclass(frozen=True)
class Row:
    """One picture measured. method: "input", "irflow" or a peer; steps: 0 for what has none; degrade: "" for pairs.

    digest: of the input's and the clean picture's pixels; identity: of the method. Both the same: the row can be kept.
    error: why there are no figures. notes: what is suspicious.
    """

    picture: str
    method: str
    steps: int
    scores: Scores
    task: str = ""
    degrade: str = ""
    variant: str = ""
    parameters: int | None = None
    border: int = 0
    digest: str = ""
    identity: str = ""
    error: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What its figures are averaged by."""
        return self.degrade, self.method, self.steps, self.variant

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values, the figures among the others, rounded to five decimals; null for nan."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "scores"}
        scores = {name: None if math.isnan(value) else round(value, 5) for name, value in asdict(self.scores).items()}
        return {**values, "notes": list(self.notes), **scores}

    @classmethod
    def from_dict(cls, values: dict) -> Row:
        """Return the row of JSON values; unknown entries are passed over, so that files of other versions can be read."""
        names = {field.name for field in fields(cls)} - {"scores"}
        scores = {name: value for name in FIGURES if (value := values.get(name)) is not None}
        plain = {name: values[name] for name in names if name in values}
        return cls(**{**plain, "notes": tuple(values.get("notes", ())), "scores": Scores(**scores)})


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file. A last line that was cut off is passed over; lines of another kind too.

    Raises UsageError when the file cannot be read or a line before the last is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no file of results: it is not text") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            if "picture" in values:
                rows.append(Row.from_dict(values))
        except (ValueError, TypeError, KeyError) as error:
            if number < len(lines):
                raise UsageError(f"{path}, line {number}: not a line of results ({error})") from None
    return rows


def read_environment(path: Path) -> dict[str, str]:
    """Return what a file of rows says in its first line that it was made with; empty where it says nothing."""
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.readline()).get("environment", {})
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def other_machine(one: dict[str, str], other: dict[str, str]) -> tuple[str, ...]:
    """Return in what two environments differ that time and memory hang on, such as "threads"."""
    return tuple(name for name in MACHINE if name in one and name in other and one[name] != other[name])


def write_rows(path: Path, rows: list[Row], environment: dict[str, str]) -> None:
    """Write what rows were made with, and the rows, as JSON Lines, whole or not at all."""
    write_atomically(path, "".join([head_of(environment), *map(line_of, rows)]).encode(), overwrite=True)


def head_of(environment: dict[str, str]) -> str:
    """Return the first line of a file of rows."""
    return json.dumps({"schema": SCHEMA, "environment": environment}) + "\n"


def line_of(row: Row) -> str:
    """Return a row as a line of JSON."""
    return json.dumps({"schema": SCHEMA, **row.to_dict()}) + "\n"


def averages(rows: list[Row]) -> dict[Key, Scores]:
    """Return the mean figures by key, in order of appearance. A method that failed on a picture has none: its mean would be
    over easier pictures, or harder ones, than the others'."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return {
        key: Scores() if any(row.error for row in group) else mean_of([row.scores for row in group])
        for key, group in groups.items()
    }


def label_of(key: Key, task: str) -> str:
    """Return how a row of the table is called."""
    degrade, method, steps, variant = key
    if method == "input":
        name = "input"
    elif steps:
        name = f"{task if method == 'irflow' else method}, {steps} step{'s' if steps > 1 else ''}"
    else:
        name = method
    return ": ".join(part for part in (degrade, ", ".join(part for part in (name, variant) if part)) if part)


def columns_of(rows: list[Row]) -> list[str]:
    """Return the names of the figures that any row has; PSNR where all failed."""
    return [name for name in FIGURES if any(not math.isnan(getattr(row.scores, name)) for row in rows)] or ["psnr"]


def show(value: float, digits: int) -> str:
    """Return a figure as text, "-" for nan."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def parameters_text(count: int | None) -> str:
    """Return a number of weights in millions."""
    return "-" if count is None else f"{count / 1e6:.2f} M"


def table(rows: list[Row], title: str, columns: list[str] | None = None) -> list[list[str]]:
    """Return the table of means as text: the header, then a row for each key. The header says how it was measured."""
    columns = columns or columns_of(rows)
    kinds = {row.degrade for row in rows}
    several = len(kinds) > 1
    title = ", ".join([title, *(kind for kind in kinds if kind and not several)])
    counts = len({row.picture for row in rows})
    border = f"border {rows[0].border}" if rows else "border 0"
    header = [f"{title}, {counts} picture{'s' if counts != 1 else ''} (8 bits, range 255, {border})"]
    header += [FIGURES[name].title for name in columns] + ["parameters"]
    weights = {row.key: row.parameters for row in rows}
    body = []
    for key, mean in averages(rows).items():
        label = label_of(key if several else ("", *key[1:]), rows[0].task)
        figures = [show(getattr(mean, name), FIGURES[name].digits) for name in columns]
        failed = sum(row.error is not None for row in rows if row.key == key)
        label += f" (failed on {failed})" if failed else ""
        body.append([label, *figures, parameters_text(weights[key])])
    return [header, *body]


def gains(rows: list[Row]) -> dict[Key, Scores]:
    """Return, by key, the mean figures less those of the input: what was won."""
    means = averages(rows)
    won = {}
    for key, mean in means.items():
        start = means.get((key[0], "input", 0, ""))
        if key[1] != "input" and start is not None:
            won[key] = Scores(**{name: getattr(mean, name) - getattr(start, name) for name in FIGURES})
    return won


def markdown(cells: list[list[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return [lines[0], "|" + "---|" * len(cells[0]), *lines[1:]]
