"""The trial ledger: every genome that was ever looked at."""

from __future__ import annotations

import polars as pl

from trading.factory.trials.record import Outcome
from warehouse.datasets.common import number
from warehouse.schema import TIMESTAMP, Column, Dataset

TRIALS = Dataset(
    name="trials",
    description="Every genome that was ever looked at, append-only and hash-chained; see `tidemill trials verify`.",
    columns=(
        Column(
            "segment",
            pl.Int64,
            "",
            "The append that the record belongs to; sealed in the audit chain",
            False,
            1,
        ),
        Column("position", pl.Int64, "", "Place in the segment, from 1", False, 1),
        Column("recorded_at", TIMESTAMP, "UTC", "When the record was written"),
        Column("strategy_id", pl.String, "", "Content hash of the genome"),
        Column("genome", pl.String, "", "Canonical JSON of the genome"),
        Column("proposer", pl.String, "", "Who came up with it; hand for a person"),
        Column("parents", pl.String, "", "Hashes of its parents, separated by commas; empty for none"),
        Column("day", pl.Date, "UTC", "Day of the search; its back-tests end with the last of the returns"),
        Column("outcome", pl.String, "", "scored, idle or crashed", allowed=tuple(Outcome)),
        Column("reason", pl.String, "", "The filter that discarded it, or the error that it crashed with"),
        Column("trades", pl.Int64, "count", "Closed trades in the window; null after a crash", True, 0),
        number("sharpe", "annualised", "Sharpe ratio of daily net returns, 365 days; null where undefined"),
        number("total_return_fraction", "fraction", "Net return over the window"),
        number("max_drawdown_fraction", "fraction", "Deepest fall from a peak", minimum=0.0),
        Column("first_day", pl.Date, "UTC", "Day of the first return; null after a crash", True),
        number("returns_scale", "fraction", "Largest absolute daily return", minimum=0.0),
        Column("returns_steps", pl.Binary, "1/127 of the scale", "Daily returns, a signed byte each", True),
        Column("returns_hash", pl.String, "", "SHA-256 of the exact daily returns", True),
        Column("link", pl.String, "", "Hash of this record and the link before it"),
    ),
    key=("segment", "position"),
    time_column=None,
)
