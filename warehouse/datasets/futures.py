"""USDT-margined perpetuals: their klines, the prices that the venue computes, funding, open interest."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from warehouse.datasets.common import KNOWN_AT, OPEN_TIME, SOURCE, SYMBOL, number
from warehouse.datasets.market import KLINES
from warehouse.schema import TIMESTAMP, Column, Dataset

USDM_KLINES = replace(
    KLINES,
    name="usdm_klines",
    description="Closed one-minute klines of USDT-margined perpetuals, as the source gave them.",
)


def _price_klines(name: str, what: str) -> Dataset:
    columns = tuple(
        number(part, "quote", f"{part.capitalize()} of the {what}", nullable=False)
        for part in ("open", "high", "low", "close")
    )
    return Dataset(
        name=name,
        description=f"One-minute bars of the {what} of USDT-margined perpetuals, computed by the venue.",
        columns=(SYMBOL, OPEN_TIME, *columns, SOURCE, KNOWN_AT),
        key=("symbol", "open_time"),
        time_column="open_time",
        rows_per_group=14_400,
    )


MARK_KLINES = _price_klines("mark_klines", "mark price")
INDEX_KLINES = _price_klines("index_klines", "index price")
PREMIUM_KLINES = _price_klines("premium_klines", "premium index (a fraction, may be negative)")

_KNOWN_AT = Column(
    "known_at",
    TIMESTAMP,
    "UTC",
    "When this value became known: the moment that it is of, or the fetch that corrected it later",
)

FUNDING_RATES = Dataset(
    name="funding_rates",
    description="Funding of USDT-margined perpetuals: what longs paid shorts, and the interval it was for.",
    columns=(
        SYMBOL,
        Column("funding_time", TIMESTAMP, "UTC", "When the funding was settled"),
        number("funding_rate", "fraction", "Paid by longs to shorts; negative the other way", nullable=False),
        Column("interval_hours", pl.Int64, "hours", "Hours since the payment before, where known", True, 1),
        SOURCE,
        _KNOWN_AT,
    ),
    key=("symbol", "funding_time"),
    time_column="funding_time",
)

OPEN_INTEREST = Dataset(
    name="open_interest",
    description="Open interest of USDT-margined perpetuals, every five minutes.",
    columns=(
        SYMBOL,
        Column("time", TIMESTAMP, "UTC", "When it was counted"),
        number("open_interest", "base", "Open contracts", minimum=0.0, nullable=False),
        number("open_interest_value", "quote", "Their value", minimum=0.0),
        SOURCE,
        _KNOWN_AT,
    ),
    key=("symbol", "time"),
    time_column="time",
)
