"""Values of settings as the kinds that their fields say: what Python lets through until something deep inside trips over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from irflow_cli.errors import require

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"  # numpy's, too


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {  # by annotation; True and False are no numbers, numpy's numbers are
    "int": (lambda value: isinstance(value, Integral) and not _is_truth(value), "a whole number"),
    "float": (lambda value: isinstance(value, Real) and not _is_truth(value), "a number"),
    "bool": (_is_truth, "True or False"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "None": (lambda value: value is None, "None"),
}


def check_kinds(record: DataclassInstance) -> None:
    """Raise UsageError, which names the field, for the first value of a record that is not of its field's kind."""
    for one in fields(record):
        check_kind(one.name, getattr(record, one.name), str(one.type))


def check_kind(name: str, value: Any, annotation: str) -> None:
    """Raise UsageError, which names the field, for a value that is not of the annotated kind, such as "int | None". Kinds that
    are not in KINDS are not looked at."""
    kinds = [part.strip() for part in annotation.split("|")]
    if all(kind in KINDS for kind in kinds):
        wanted = " or ".join(KINDS[kind][1] for kind in kinds)
        fits = any(KINDS[kind][0](value) for kind in kinds)
        require(fits, f"`{name}` is {wanted}, got {str(value)[:60]!r} of type {type(value).__name__}")
