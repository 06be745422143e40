"""Snapshots as canonical JSON and back, without loss, and the content hash that names them."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Hashable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from trading.errors import BadData
from trading.model.canonical import canonical_json, digest
from trading.model.snapshot import Snapshot


def to_json(snapshot: Snapshot) -> str:
    """Serialise to one line of canonical JSON: Decimals as exact text, NaN as null.

    Raises
    ------
    BadData
        If a float is infinite or a Decimal is not finite: neither has a place in a snapshot.
    """
    return canonical_json(_write(Snapshot, snapshot, "snapshot"))


def from_json(text: str) -> Snapshot:
    """Read what `to_json` wrote; null reads as NaN where a float is expected.

    Raises
    ------
    BadData
        If the text is no JSON, or a field is missing, unknown or of the wrong type: names its path.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadData(f"snapshot: not JSON ({error}); restore the stored text") from error
    snapshot: Snapshot = _read(Snapshot, content, "snapshot")
    return snapshot


def snapshot_id(snapshot: Snapshot) -> str:
    """SHA-256 (64 hex digits) of the snapshot's content without its id."""
    content = _write(Snapshot, snapshot, "snapshot")
    del content["snapshot_id"]
    return digest("snapshot", content)


def seal(snapshot: Snapshot) -> Snapshot:
    """The same snapshot, carrying its own content hash as ``snapshot_id``."""
    return replace(snapshot, snapshot_id=snapshot_id(snapshot))


def is_intact(snapshot: Snapshot) -> bool:
    """Whether the id is the hash of the content: False after any edit of a stored snapshot."""
    return snapshot.snapshot_id == snapshot_id(snapshot)


def left_out(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field's value is no part of ids: it was not there at first, and stands at its default."""
    if not field.metadata.get("later"):
        return False
    both_missing = value != value and field.default != field.default  # NaN
    return bool(value == field.default) or both_missing


def _write(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return {
            field.name: _write(hints[field.name], getattr(value, field.name), f"{path}.{field.name}")
            for field in dataclasses.fields(kind)
            if not left_out(field, getattr(value, field.name))
        }
    if isinstance(value, Decimal):
        return _decimal_text(value, path)
    if isinstance(value, float) and math.isinf(value):
        raise BadData(f"{path}: {value} is infinite; the value must be finite, or NaN when missing")
    if kind is float and type(value) is int:
        return float(value)  # else 100 and 100.0, which are equal, would give two ids
    if isinstance(value, Mapping):
        (_, item) = get_args(kind)
        return {key: _write(item, entry, f"{path}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, tuple):
        (item, _) = get_args(kind)
        return [_write(item, entry, f"{path}[{index}]") for index, entry in enumerate(value)]
    return value


def _decimal_text(value: Decimal, path: str) -> str:
    if not value.is_finite():
        raise BadData(f"{path}: {value} is not a finite amount; repair the ledger row behind it")
    # Not canonical_json's own rule: normalize() would round to the context's 28 digits.
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


@cache
def _hints_of(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _hints(kind: Any) -> dict[str, Any]:
    return _hints_of(kind)


def _read(kind: Any, value: Any, path: str) -> Any:
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path)
    if origin is tuple and isinstance(value, list):
        (item, _) = get_args(kind)
        return tuple(_read(item, entry, f"{path}[{index}]") for index, entry in enumerate(value))
    if origin is dict and isinstance(value, dict):
        (_, item) = get_args(kind)
        return {key: _read(item, entry, f"{path}[{key!r}]") for key, entry in value.items()}
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), value, path)
    if kind is float and value is None:
        return math.nan
    if kind is float and isinstance(value, float):
        return value
    if kind is Decimal and isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation as error:
            raise BadData(f"{path}: {value!r} is no decimal number") from error
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value in list(kind):
        return kind(value)
    if kind in (str, bool, int) and type(value) is kind:
        return value
    raise BadData(f"{path}: expected {getattr(kind, '__name__', kind)}, found {value!r}")


def _read_dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise BadData(f"{path}: expected an object, found {value!r}")
    hints = _hints(kind)
    unknown = sorted(set(value) - set(hints))
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    absent = sorted(required - set(value))
    if unknown or absent:
        raise BadData(f"{path}: unknown fields {unknown}, missing fields {absent}")
    return kind(**{name: _read(hints[name], value[name], f"{path}.{name}") for name in value})


def _read_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    if value is None and float in kinds:
        return math.nan
    for kind in kinds:
        if type(value) is kind or (kind is Decimal and isinstance(value, str)):
            return _read(kind, value, path)
    raise BadData(f"{path}: expected one of {[kind.__name__ for kind in kinds]}, found {value!r}")
