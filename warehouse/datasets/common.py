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
