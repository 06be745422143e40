"""Market data: one-minute klines and the bars resampled from them."""

from __future__ import annotations

import polars as pl

from trading.model.interval import RESAMPLED
from warehouse.datasets.common import CLOSE_TIME, KNOWN_AT, OPEN_TIME, SOURCE, SYMBOL, TRADED
from warehouse.schema import Column, Dataset

KLINES = Dataset(
    name="klines",
    description="Closed one-minute spot klines of the whole universe, as the source gave them.",
    columns=(SYMBOL, OPEN_TIME, *TRADED, SOURCE, KNOWN_AT),
    key=("symbol", "open_time"),
    time_column="open_time",
    rows_per_group=14_400,
)

BARS = Dataset(
    name="bars",
    description="Bars resampled from one-minute klines, aligned to midnight UTC; closed bars only.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        CLOSE_TIME,
        *TRADED,
        Column("minutes", pl.Int32, "minutes", "One-minute klines behind the bar", False, 1),
        Column("complete", pl.Boolean, "", "Whether every minute of the bar was present"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
    intervals=RESAMPLED,
)
