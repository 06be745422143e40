"""The instrument master, and the universe that is chosen from it."""

from __future__ import annotations

import polars as pl

from warehouse.datasets.common import SYMBOL, number
from warehouse.schema import TIMESTAMP, Column, Dataset

_DECIMAL = "exact decimal text"

INSTRUMENTS = Dataset(
    name="instruments",
    description="The instrument master of the day: every pair and contract, each row with the time it holds for.",
    columns=(
        Column("market", pl.String, "", "spot or usdm", allowed=("spot", "usdm")),
        SYMBOL,
        Column("valid_from", TIMESTAMP, "UTC", "First moment that the row holds for"),
        Column(
            "valid_to", TIMESTAMP, "UTC", "Moment from which it no longer holds; null while it does", True
        ),
        Column("base", pl.String, "", "Base asset as the venue writes it"),
        Column("quote", pl.String, "", "Quote asset"),
        Column("underlying", pl.String, "", "Coin behind the base asset: PEPE for 1000PEPE"),
        Column("multiplier", pl.Int64, "count", "Units of the underlying in one unit of base", False, 1),
        Column("tick_size", pl.String, "quote", f"Smallest price step, {_DECIMAL}"),
        Column("lot_step", pl.String, "base", f"Smallest quantity step, {_DECIMAL}"),
        Column("min_quantity", pl.String, "base", f"Smallest quantity, {_DECIMAL}"),
        Column("max_quantity", pl.String, "base", f"Largest quantity, {_DECIMAL}; 0 unbounded"),
        Column("min_notional", pl.String, "quote", f"Smallest order value, {_DECIMAL}"),
        Column("maker_fee_bps", pl.String, "bps", f"Maker fee of the account's tier, {_DECIMAL}", True),
        Column("taker_fee_bps", pl.String, "bps", f"Taker fee of the account's tier, {_DECIMAL}", True),
        Column("funding_interval_hours", pl.Int64, "hours", "Hours between funding payments", True, 1),
        Column("brackets", pl.String, "", "Margin schedule as JSON, by rising notional; [] for spot"),
        Column("listed_at", TIMESTAMP, "UTC", "First moment of trading, where known", True),
        Column("delisted_at", TIMESTAMP, "UTC", "Moment after the last trade, where known", True),
        Column("status", pl.String, "", "Trading status at the venue"),
        Column("origin", pl.String, "", "venue, or correction: a dated line of config/instruments.yaml"),
    ),
    key=("market", "symbol", "valid_from"),
    time_column=None,
)

UNIVERSE = Dataset(
    name="universe",
    description="Who is followed on the day, chosen before it began and never changed afterwards, and why.",
    columns=(
        SYMBOL,
        Column("base", pl.String, "", "Base asset"),
        Column("quote", pl.String, "", "Quote asset"),
        Column("followed", pl.Boolean, "", "Whether the symbol belongs to the day's universe"),
        Column(
            "reason",
            pl.String,
            "",
            "Why it is or is not",
            allowed=(
                "configured",
                "reference",
                "held",
                "volume",
                "not_configured",
                "low_volume",
                "volume_unknown",
                "stable",
                "fiat",
                "wrapped",
                "leveraged",
                "not_trading",
                "beyond_max_symbols",
            ),
        ),
        number(
            "quote_volume_24h", "quote", "Traded value of the day before; null when not known", minimum=0.0
        ),
        Column("rank", pl.Int64, "", "Place by traded value, from 1; null when not known", True, 1),
        Column("listed_at", TIMESTAMP, "UTC", "First moment of trading, where known", True),
        Column("delisted_at", TIMESTAMP, "UTC", "Moment after the last trade, where known", True),
    ),
    key=("symbol",),
    time_column=None,
)
