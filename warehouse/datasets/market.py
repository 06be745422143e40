"""Market data: instruments, one-minute klines, their gaps, and the bars resampled from them."""

from __future__ import annotations

import polars as pl

from trading.model.interval import RESAMPLED
from warehouse.datasets.common import CLOSE_TIME, OPEN_TIME, SYMBOL, number, price
from warehouse.schema import TIMESTAMP, Column, Dataset

_TRADED = (
    price("open", "First traded price"),
    price("high", "Highest traded price"),
    price("low", "Lowest traded price"),
    price("close", "Last traded price"),
    number("volume", "base", "Traded volume", minimum=0.0, nullable=False),
    number("quote_volume", "quote", "Traded value; null where the source has none", minimum=0.0),
    Column("trades", pl.Int64, "count", "Number of trades; null where the source has none", True, 0),
    number("taker_buy_base", "base", "Volume bought by takers", minimum=0.0),
    number("taker_buy_quote", "quote", "Value bought by takers", minimum=0.0),
)

INSTRUMENTS = Dataset(
    name="instruments",
    description="The day's universe: every pair followed, with the venue's order filters.",
    columns=(
        SYMBOL,
        Column("base", pl.String, "", "Base asset"),
        Column("quote", pl.String, "", "Quote asset"),
        Column("tick_size", pl.String, "quote", "Smallest price step, exact decimal text"),
        Column("lot_step", pl.String, "base", "Smallest quantity step, exact decimal text"),
        Column("min_quantity", pl.String, "base", "Smallest quantity, exact decimal text"),
        Column("max_quantity", pl.String, "base", "Largest quantity, exact decimal text; 0 unbounded"),
        Column("min_notional", pl.String, "quote", "Smallest order value, exact decimal text"),
        Column("listed_at", TIMESTAMP, "UTC", "First moment of trading, where known", True),
        Column("status", pl.String, "", "Trading status at the venue"),
    ),
    key=("symbol",),
    time_column=None,
)

KLINES = Dataset(
    name="klines",
    description="Closed one-minute klines of the whole universe, as the source gave them.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        *_TRADED,
        Column("source", pl.String, "", "Where the row came from: sandbox, binance, archive, files"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
    rows_per_group=14_400,
)

KLINE_GAPS = Dataset(
    name="kline_gaps",
    description="Runs of minutes without a kline, per symbol, and whether the whole venue was silent.",
    columns=(
        SYMBOL,
        Column("first_missing", TIMESTAMP, "UTC", "Open time of the first missing minute"),
        Column("last_missing", TIMESTAMP, "UTC", "Open time of the last missing minute"),
        Column("missing_minutes", pl.Int64, "minutes", "Length of the hole", False, 1),
        Column(
            "kind",
            pl.String,
            "",
            "not_listed: before listing; venue: no symbol has the minute; symbol: others have it",
            allowed=("not_listed", "venue", "symbol"),
        ),
    ),
    key=("symbol", "first_missing"),
    time_column="first_missing",
)

BARS = Dataset(
    name="bars",
    description="Bars resampled from one-minute klines, aligned to midnight UTC; closed bars only.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        CLOSE_TIME,
        *_TRADED,
        Column("minutes", pl.Int32, "minutes", "One-minute klines behind the bar", False, 1),
        Column("complete", pl.Boolean, "", "Whether every minute of the bar was present"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
    intervals=RESAMPLED,
)
