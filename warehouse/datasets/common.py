"""Columns that several datasets share."""

from __future__ import annotations

import polars as pl

from warehouse.schema import TIMESTAMP, Column

SYMBOL = Column("symbol", pl.String, "", "Venue symbol of the pair, for example BTCUSDT")
OPEN_TIME = Column("open_time", TIMESTAMP, "UTC", "Start of the bar, inclusive")
CLOSE_TIME = Column("close_time", TIMESTAMP, "UTC", "End of the bar, exclusive: when it became known")


def number(
    name: str,
    unit: str,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    nullable: bool = True,
) -> Column:
    """A float64 column; null where there is not enough history."""
    return Column(name, pl.Float64, unit, description, nullable, minimum, maximum)


def price(name: str, description: str) -> Column:
    """A price column: quote currency, strictly positive in practice, never null."""
    return number(name, "quote", description, minimum=0.0, nullable=False)


#: What was traded in a bar.
TRADED = (
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
SOURCE = Column("source", pl.String, "", "Where the row came from: sandbox, binance, archive, files")
KNOWN_AT = Column(
    "known_at",
    TIMESTAMP,
    "UTC",
    "When this value became known: the bar's close, or the fetch that corrected or repaired it later",
)
