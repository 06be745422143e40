"""A small lake with every table that the nightly suite reads, made from the tables' own declarations."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import polars as pl

from trading.bars.resample import resample
from trading.model.days import end_ms
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_CERTIFICATES, KLINE_GAPS
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.research import ML_CONFIDENCE
from warehouse.datasets.screening import FORK_SCORES, INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake
from warehouse.schema import Column, Dataset

SYMBOLS = ("ADAUSDT", "BTCUSDT", "ETHUSDT")


def klines(day: date, symbols: Iterable[str] = SYMBOLS, minutes: int = 1440) -> pl.DataFrame:
    """Random walks; the same day and symbol are always the same."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rows = []
    for symbol in symbols:
        source = random.Random(f"{day} {symbol}")
        close = 100.0
        for minute in range(minutes):
            before, close = close, close * (1.0 + source.gauss(0.0, 1e-3))
            volume = source.lognormvariate(0.0, 1.0)
            opened = start + timedelta(minutes=minute)
            prices = (before, max(before, close), min(before, close), close)
            traded = (volume, volume * close, 10, volume / 2, volume * close / 2)
            rows.append((symbol, opened, *prices, *traded, "files", opened + timedelta(minutes=1)))
    return pl.DataFrame(rows, schema=KLINES.schema, orient="row")


def filled(dataset: Dataset, known: pl.DataFrame, seed: str) -> pl.DataFrame:
    """The declared columns: those known, and the others at random within their declared bounds."""
    source = random.Random(f"{dataset.name} {seed}")
    made = [
        pl.Series(column.name, [_value(column, source) for _ in range(known.height)], column.dtype)
        for column in dataset.columns
        if column.name not in known.columns
    ]
    return known.with_columns(made).select(*dataset.schema)


def _value(column: Column, source: random.Random) -> object:
    if column.allowed is not None:
        return source.choice(column.allowed)
    if column.dtype == pl.String:
        return column.name
    if column.dtype == pl.Boolean:
        return source.random() < 0.5
    if isinstance(column.dtype, pl.Datetime):
        return datetime(2020, 1, 1, tzinfo=UTC)
    low = 0.0 if column.minimum is None else column.minimum
    high = low + 1.0 if column.maximum is None else column.maximum
    value = source.uniform(low, high)
    return value if column.dtype == pl.Float64 else round(value)


def write_day(lake: Lake, day: date, rows: pl.DataFrame | None = None) -> None:
    """Every table of a day, all made from the same klines."""
    minutes = klines(day) if rows is None else rows
    seed = day.isoformat()
    lake.write(KLINES, day, minutes)
    hours = resample(minutes, Interval.H1, closed_before_ms=end_ms(day))
    lake.write(BARS, day, hours, Interval.H1)
    bar = hours.select("symbol", "open_time", "close_time", "close", "volume")
    lake.write(INDICATORS, day, filled(INDICATORS, bar, seed), Interval.H1)
    rated = bar.select("symbol", "open_time", "close_time")
    lake.write(SCREENER_RATINGS, day, filled(SCREENER_RATINGS, rated, seed), Interval.H1)
    lake.write(FORK_SCORES, day, filled(FORK_SCORES, bar.drop("volume"), seed))
    counted = minutes.group_by("symbol").agg(observed=pl.len().cast(pl.Int64))
    by_symbol = counted.with_columns(status=pl.lit("certified"), revised=pl.lit(0, pl.Int64))
    lake.write(KLINE_CERTIFICATES, day, filled(KLINE_CERTIFICATES, by_symbol, "the same every day"))
    lake.write(KLINE_GAPS, day, pl.DataFrame(schema=KLINE_GAPS.schema))
    symbols = counted.select("symbol")
    lake.write(UNIVERSE, day, filled(UNIVERSE, symbols.with_columns(followed=pl.lit(True)), "the same"))
    lake.write(INSTRUMENTS, day, filled(INSTRUMENTS, symbols, "the same"))
    as_of = pl.lit(datetime.fromtimestamp(end_ms(day) / 1000, UTC)).cast(ML_CONFIDENCE.schema["as_of"])
    lake.write(ML_CONFIDENCE, day, filled(ML_CONFIDENCE, symbols.with_columns(as_of=as_of), "the same"))
