"""Genomes from JSON: strict, because a rule that is half understood would trade."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from trading.errors import BadData
from trading.factory.genes.genome import GRIDS, VERSION, Genome, Rules, Timeframe
from trading.factory.genes.rules import (
    AllOf,
    AnyOf,
    Column,
    Direction,
    Relation,
    Rule,
    Slope,
    Threshold,
    Versus,
)

_Choice = TypeVar("_Choice", bound=StrEnum)
_FIELDS = {"version", "timeframe", "long", "short", *GRIDS}
# Beyond any tree that a genome may hold, and far below Python's own limit.
_DEEPEST = 32


def parse(text: str) -> Genome:
    """The genome of a JSON text, the inverse of `Genome.json`.

    Raises
    ------
    BadData
        If the text is not JSON, or anything in it is missing, unknown or out of range.
    """
    try:
        plain = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise BadData(f"genome: not JSON: {error}; write it as Genome.json does") from None
    return genome(plain)


def known(texts: Iterable[str]) -> list[Genome]:
    """The genomes of JSON texts that this release can read; those of other versions are left out.

    Raises
    ------
    BadData
        If a text of this version is damaged.
    """
    return [parse(text) for text in texts if _version(text) == VERSION]


def genome(plain: Any) -> Genome:
    """The genome of `Genome.parameters`.

    Raises
    ------
    BadData
        If anything is missing, unknown or out of range; the message names it.
    """
    fields = _object("genome", plain, _FIELDS)
    if fields["version"] != VERSION:
        raise BadData(f"genome: version is {fields['version']!r}; this release reads {VERSION}")
    numbers = {name: fields[name] for name in GRIDS}
    return Genome(
        timeframe=_choice("timeframe", fields["timeframe"], Timeframe),
        long=_rules("long", fields["long"]),
        short=_rules("short", fields["short"]),
        **numbers,
    )


def _version(text: str) -> object:
    """The version that a text says it is; this one where it is no JSON object, for `parse` to refuse it."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return VERSION
    return plain.get("version") if isinstance(plain, Mapping) else VERSION


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        raise BadData(f"genome: a field comes twice among {[name for name, _ in pairs]}; keep one")
    return plain


def _rules(side: str, plain: Any) -> Rules | None:
    if plain is None:
        return None
    fields = _object(side, plain, {"entry", "exit"})
    leave = fields["exit"]
    return Rules(
        _rule(f"{side}.entry", fields["entry"]), _rule(f"{side}.exit", leave) if leave is not None else None
    )


def _rule(where: str, plain: Any, level: int = 0) -> Rule:
    if not isinstance(plain, Mapping):
        raise BadData(f"genome: {where} is {_short(plain)}; it must be an object")
    if level > _DEEPEST:
        raise BadData(f"genome: {where} is nested more than {_DEEPEST} levels")
    for name, kind in (("all", AllOf), ("any", AnyOf)):
        if name in plain:
            parts = _object(where, plain, {name})[name]
            if not isinstance(parts, list):
                raise BadData(f"genome: {where}.{name} is {_short(parts)}; it must be a list of rules")
            return kind(tuple(_rule(f"{where}.{name}[{i}]", part, level + 1) for i, part in enumerate(parts)))
    return _leaf(where, plain)


def _leaf(where: str, plain: Mapping[str, Any]) -> Rule:
    if "bars" in plain:
        fields = _object(where, plain, {"column", "is", "bars"})
        direction = _choice(f"{where}.is", fields["is"], Direction)
        return Slope(_column(where, fields["column"]), direction, fields["bars"])
    if "other" in plain:
        fields = _object(where, plain, {"column", "is", "other"})
        relation = _choice(f"{where}.is", fields["is"], Relation)
        return Versus(_column(where, fields["column"]), relation, _column(where, fields["other"]))
    fields = _object(where, plain, {"column", "is", "value"})
    relation = _choice(f"{where}.is", fields["is"], Relation)
    return Threshold(_column(where, fields["column"]), relation, fields["value"])


def _column(where: str, plain: Any) -> Column:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise BadData(f"genome: {where}: column is {_short(plain)}; it must be an object with a name")
    return Column(plain["name"], tuple((key, value) for key, value in plain.items() if key != "name"))


def _object(where: str, plain: Any, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise BadData(f"genome: {where} is {_short(plain)}; it must be an object")
    if plain.keys() != names:
        wrong = sorted(map(str, plain.keys() ^ names))
        raise BadData(f"genome: {where}: fields missing or unknown: {wrong}; it must have {sorted(names)}")
    return plain


def _choice(where: str, value: Any, kind: type[_Choice]) -> _Choice:
    if not isinstance(value, str) or value not in {member.value for member in kind}:
        raise BadData(
            f"genome: {where} is {_short(value)}; it must be one of {[member.value for member in kind]}"
        )
    return kind(value)


def _short(value: Any) -> str:
    return repr(value)[:80]
