"""Trials as rows of the lake, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from trading.factory.trials.fingerprint import Fingerprint
from trading.factory.trials.record import Outcome, Trial
from warehouse.datasets.trials import TRIALS

_SAME = (
    "strategy_id",
    "genome",
    "proposer",
    "day",
    "reason",
    "trades",
    "sharpe",
    "total_return_fraction",
    "max_drawdown_fraction",
)


def frame_of(
    trials: Sequence[Trial], segment: int, recorded_at: datetime, links: Sequence[str]
) -> pl.DataFrame:
    """Rows of a segment, in the order of the chain."""
    kept = [trial.returns for trial in trials]
    columns: dict[str, Sequence[Any]] = {
        "segment": [segment] * len(trials),
        "position": range(1, len(trials) + 1),
        "recorded_at": [recorded_at] * len(trials),
        **{name: [getattr(trial, name) for trial in trials] for name in _SAME},
        "parents": [",".join(trial.parents) for trial in trials],
        "outcome": [trial.outcome.value for trial in trials],
        "first_day": [item and item.first_day for item in kept],
        "returns_scale": [item and item.scale for item in kept],
        "returns_steps": [item and item.steps for item in kept],
        "returns_hash": [item and item.sha256 for item in kept],
        "link": links,
    }
    return pl.DataFrame({name: columns[name] for name in TRIALS.schema}, schema=TRIALS.schema)


def trials_of(rows: pl.DataFrame) -> Iterator[Trial]:
    """The trials of rows, in their order."""
    for row in rows.iter_rows(named=True):
        yield Trial(
            **{name: row[name] for name in _SAME},
            parents=tuple(filter(None, row["parents"].split(","))),
            outcome=Outcome(row["outcome"]),
            returns=_fingerprint(row),
        )


def fingerprints_of(rows: pl.DataFrame) -> list[Fingerprint]:
    """Fingerprints of the rows that have one."""
    kept = rows.select("first_day", "returns_scale", "returns_steps", "returns_hash").drop_nulls()
    return [Fingerprint(*row) for row in kept.iter_rows()]


def _fingerprint(row: dict[str, Any]) -> Fingerprint | None:
    """None where nothing is known; a half-known fingerprint is damage, and must not hash like a whole one."""
    names = ("first_day", "returns_scale", "returns_steps", "returns_hash")
    if all(row[name] is None for name in names):
        return None
    first_day, scale, steps, exact = (row[name] for name in names)
    return Fingerprint(first_day or date.min, math.nan if scale is None else scale, steps or b"", exact or "")
