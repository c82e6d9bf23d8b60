"""Records: one picture measured with one method, as a line of JSON, and the table of their means."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from irflow_cli.bench.metrics import METRICS, Scores, mean_of
from irflow_cli.errors import UsageError
from irflow_cli.regular import open_regular, read_regular
from irflow_cli.runtime.files import write_atomically
from irflow_cli.runtime.places import own_cache

SCHEMA = 1
MOST = 2**28  # bytes of a file of records, which is read as a whole
MACHINE = ("processor", "device, precision", "threads")  # entries of an environment on which time and memory hang

Key = tuple[str, str, int, str]  # degrade, method, steps, variant


@dataclass(frozen=True)
class Record:
    """One picture measured. method: "input", "irflow" or a baseline; steps: 0 for what has none; degrade: "" for pairs.

    digest: of the input's and the clean picture's pixels; identity: of the method. Both the same: the record can be kept.
    error: why there are no metrics. notes: what is suspicious.
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
        """What its metrics are averaged by."""
        return self.degrade, self.method, self.steps, self.variant

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values, the metrics among the others, rounded to five decimals; null for nan."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "scores"}
        scores = {name: None if math.isnan(value) else round(value, 5) for name, value in asdict(self.scores).items()}
        return {**values, "notes": list(self.notes), **scores}

    @classmethod
    def from_dict(cls, values: dict) -> Record:
        """Return the record of JSON values; unknown entries are passed over, so that files of other versions can be read."""
        names = {field.name for field in fields(cls)} - {"scores"}
        scores = {name: value for name in METRICS if (value := values.get(name)) is not None}
        plain = {name: values[name] for name in names if name in values}
        return cls(**{**plain, "notes": tuple(values.get("notes", ())), "scores": Scores(**scores)})


def read_records(path: Path) -> list[Record]:
    """Return the records of a JSON Lines file. A last line that was cut off is passed over; lines of another kind too.

    Raises UsageError when the file cannot be read or a line before the last is damaged.
    """
    try:
        lines = read_regular(path, MOST).decode("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no file of results: it is not text") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            if "picture" in values:
                records.append(Record.from_dict(values))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            if number < len(lines):
                raise UsageError(f"{path}, line {number}: not a line of results ({error})") from None
    return records


def kept_in(store: Path | None) -> dict[tuple, Record]:
    """Return the records of a file that need not be measured again, by what they hang on."""
    records = read_records(store) if store is not None and store.is_file() else []
    return {
        (record.digest, record.degrade, record.picture, record.identity, record.border): record
        for record in records
        if record.error is None
    }


def read_environment(path: Path) -> dict[str, str]:
    """Return what a file of records says in its first line that it was made with; empty where it says nothing."""
    try:
        with open_regular(path) as file:
            found = json.loads(file.readline(2**20)).get("environment", {})
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def other_machine(one: dict[str, str], other: dict[str, str]) -> tuple[str, ...]:
    """Return in what two environments differ that time and memory hang on, such as "threads"."""
    return tuple(name for name in MACHINE if name in one and name in other and one[name] != other[name])


def joint_environment(
    now: dict[str, str], before: dict[str, str], records: list[Record], kept: dict[tuple, Record]
) -> dict[str, str]:
    """Return what records are made with, some of which may be `kept` from before: if all are, what they were made with then;
    else `now`, and of those of another machine, under `kept`, when and where they were measured."""
    old = {id(record) for record in kept.values()}.intersection(map(id, records))
    if len(old) == len(records):
        return before
    other = f"{before.get('date', 'unknown')}, {before.get('processor', 'unknown')}" if other_machine(before, now) else None
    where = " and ".join(filter(None, (before.get("kept"), other)))
    return {**now, "kept": where} if where and old else now


def write_records(path: Path, records: list[Record], environment: dict[str, str]) -> None:
    """Write what records were made with, and the records, as JSON Lines, whole or not at all."""
    write_atomically(path, "".join([head_of(environment), *map(line_of, records)]).encode(), overwrite=True)


def head_of(environment: dict[str, str]) -> str:
    """Return the first line of a file of records."""
    return json.dumps({"schema": SCHEMA, "environment": environment}) + "\n"


def line_of(record: Record) -> str:
    """Return a record as a line of JSON."""
    return json.dumps({"schema": SCHEMA, **record.to_dict()}) + "\n"


def averages(records: list[Record]) -> dict[Key, Scores]:
    """Return the mean metrics by key, in order of appearance. A method that failed on a picture has none: its mean would be
    over easier pictures, or harder ones, than the others'."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(record.key, []).append(record)
    return {
        key: Scores() if any(record.error for record in group) else mean_of([record.scores for record in group])
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


def columns_of(records: list[Record]) -> list[str]:
    """Return the names of the metrics that any record has; PSNR where all failed."""
    return [name for name in METRICS if any(not math.isnan(getattr(record.scores, name)) for record in records)] or ["psnr"]


def show(value: float, digits: int) -> str:
    """Return a metric as text, "-" for nan."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def parameters_text(count: int | None) -> str:
    """Return a number of weights in millions."""
    return "-" if count is None else f"{count / 1e6:.2f} M"


def table(records: list[Record], title: str, columns: list[str] | None = None) -> list[list[str]]:
    """Return the table of means as text: the header, then a row for each key. The header says how it was measured."""
    columns = columns or columns_of(records)
    kinds = {record.degrade for record in records}
    several = len(kinds) > 1
    title = ", ".join([title, *(kind for kind in kinds if kind and not several)])
    counts = len({record.picture for record in records})
    border = f"border {records[0].border}" if records else "border 0"
    header = [f"{title}, {counts} picture{'s' if counts != 1 else ''} (8 bits, range 255, {border})"]
    header += [METRICS[name].title for name in columns] + ["parameters"]
    weights = {record.key: record.parameters for record in records}
    body = []
    for key, mean in averages(records).items():
        label = label_of(key if several else ("", *key[1:]), records[0].task)
        metrics = [show(getattr(mean, name), METRICS[name].digits) for name in columns]
        failed = sum(record.error is not None for record in records if record.key == key)
        label += f" (failed on {failed})" if failed else ""
        body.append([label, *metrics, parameters_text(weights[key])])
    return [header, *body]


def gains(records: list[Record]) -> dict[Key, Scores]:
    """Return, by key, the mean metrics less those of the input: what was won."""
    means = averages(records)
    won = {}
    for key, mean in means.items():
        start = means.get((key[0], "input", 0, ""))
        if key[1] != "input" and start is not None:
            won[key] = Scores(**{name: getattr(mean, name) - getattr(start, name) for name in METRICS})
    return won


def failures(records: Iterable[Record]) -> list[str]:
    """Return a line for every record that failed: the method, the picture and why."""
    return [f"{record.method} on {record.picture}: {record.error}" for record in records if record.error]


def markdown(cells: list[list[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return [lines[0], "|" + "---|" * len(cells[0]), *lines[1:]]


def before_of(store: Path) -> Path:
    """Return the file beside one of results where those stay that are being measured again."""
    return store.with_suffix(".before.jsonl")


def fresh_store(data: Path, task: str) -> Path:
    """Return where the records of a run go that names no folder: into irflow's cache, in place of those of the run before."""
    place = data.resolve()  # folders of one name have a file each
    store = own_cache() / "bench" / f"{place.name}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}-{task}.jsonl"
    store.unlink(missing_ok=True)
    shutil.rmtree(features_of(store), ignore_errors=True)
    return store


def features_of(store: Path) -> Path:
    """Return the folder beside a file of results where what FID and KID need is kept."""
    return store.with_suffix(".features")
