"""From Coinbase's candles to reference klines; pure."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel, ValidationError

from resources.market_data.columns import milliseconds
from trading.errors import BadData
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import REFERENCE_KLINES
from warehouse.schema import TIMESTAMP

_NUMBERS = ("open", "high", "low", "close", "volume")


class Candle(BaseModel):
    """One candle: its start in seconds, and amounts as text."""

    start: int
    open: str
    high: str
    low: str
    close: str
    volume: str


class Candles(BaseModel):
    """The answer to a request for candles, newest first."""

    candles: list[Candle]


def reference_klines(content: bytes, symbol: str, source: str) -> pl.DataFrame:
    """One answer as reference klines of our symbol, oldest first.

    Raises
    ------
    BadData
        If the answer is not as documented: names the symbol and, where there is one, the candle.
    """
    where = f"candles of {symbol} at {source}"
    try:
        found = Candles.model_validate_json(content).candles
    except ValidationError as error:
        raise BadData(f"{where} are not as documented: {error}") from error
    rows = [candle.model_dump() for candle in found]
    frame = pl.DataFrame(rows, schema={"start": pl.Int64, **dict.fromkeys(_NUMBERS, pl.String)})
    opened = milliseconds(frame["start"] * 1_000, where, micro=False)
    numbers = frame.select(pl.col(name).cast(pl.Float64, strict=False) for name in _NUMBERS)
    sound = (
        numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(value=False))).to_series()
        & (numbers["high"] >= numbers["low"])
        & (opened % MINUTE_MS == 0)
    )
    if not sound.all():
        row = int((~sound).arg_true()[0])
        raise BadData(f"{where}: candle {row + 1} is {rows[row]}, which no minute can be")
    return (
        numbers.with_columns(
            pl.lit(symbol).alias("symbol"),
            opened.cast(TIMESTAMP).alias("open_time"),
            pl.lit(source).alias("source"),
        )
        .select(list(REFERENCE_KLINES.schema))
        .sort("open_time")
    )
