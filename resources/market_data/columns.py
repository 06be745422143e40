"""From a source's columns to the ``klines`` dataset: units of time, types, plausibility, order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import polars as pl

from trading.errors import BadData, FixConfiguration
from trading.model.interval import MINUTE_MS
from warehouse.datasets.market import KLINES
from warehouse.schema import TIMESTAMP

#: The twelve columns of a Binance kline, in order.
BINANCE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_buy_base",
    "taker_buy_quote",
    "ignore",
)
#: Columns that a source may lack.
OPTIONAL = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
_FIRST_MS = 1_230_768_000_000  # 2009-01-01: before the first trade of any coin
_PRICES = ("open", "high", "low", "close", "volume")
_LAST_MS = 4_102_444_800_000  # 2100-01-01


def empty() -> pl.DataFrame:
    """No klines, in the dataset's schema."""
    return pl.DataFrame(schema=KLINES.schema)


def milliseconds(times: pl.Series, where: str) -> pl.Series:
    """Epoch times in milliseconds, whether they were counted in milliseconds or microseconds.

    Binance's spot archive switched to microseconds on 2025-01-01. The ranges do not overlap: a
    plausible millisecond count is thirteen digits long, a microsecond count sixteen.

    Raises
    ------
    BadData
        If a time is neither, which is what swapped columns look like.
    """
    if times.is_empty():
        return times.cast(pl.Int64)
    if times.dtype == pl.Int64 and not times.null_count() and _plausible(times):
        return times
    counts = times.cast(pl.Int64, strict=False)
    if counts.null_count() or (counts != times.cast(pl.Float64, strict=False)).any():
        raise BadData(f"{where}: open_time has values that are no whole numbers; are columns swapped?")
    micro = counts.is_between(_FIRST_MS * 1000, _LAST_MS * 1000)
    milli = counts.is_between(_FIRST_MS, _LAST_MS)
    wrong = ~(micro | milli)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise BadData(
            f"{where} row {row + 1}: open_time {counts[row]} is no time in milliseconds or "
            "microseconds between 2009 and 2100; are columns swapped?"
        )
    return (counts // 1000).zip_with(micro, counts)


def to_klines(frame: pl.DataFrame, *, symbol: str | None, source: str, where: str) -> pl.DataFrame:
    """Bring raw columns into the ``klines`` schema, or say which row cannot be.

    Parameters
    ----------
    frame
        Named columns; numbers may be text. ``symbol`` is a column where the argument is None.
        Optional columns may be absent; extra ones are left out.
    where
        What error messages call the data.

    Raises
    ------
    BadData
        If a column is missing, a value is no number, a time is implausible or off the minute, or
        highs lie below lows (swapped columns).
    """
    needed = ["open_time", "open", "high", "low", "close", "volume"] + ([] if symbol else ["symbol"])
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        raise BadData(f"{where} lacks the column(s) {', '.join(absent)}; it has {', '.join(frame.columns)}")
    times = frame["open_time"]
    opened = times.dt.epoch("ms") if times.dtype.is_temporal() else milliseconds(times, where)
    _require_whole_minutes(opened, where)
    present = [name for name in OPTIONAL if name in frame.columns]
    klines = (
        frame.with_columns(
            opened.cast(TIMESTAMP).alias("open_time"),
            *(pl.col(name).cast(pl.Float64, strict=False).fill_nan(None) for name in _PRICES),
            *(pl.col(name).cast(KLINES.schema[name], strict=False) for name in present),
            *(pl.lit(None, KLINES.schema[name]).alias(name) for name in OPTIONAL if name not in present),
            (pl.lit(symbol) if symbol else pl.col("symbol").cast(pl.String)).alias("symbol"),
            pl.lit(source).alias("source"),
        )
    ).select(list(KLINES.schema))
    for name in (*_PRICES, *present):
        _require_numbers(frame[name], klines[name], optional=name in present, where=where)
    _require_sense(klines, where)
    return klines


def ordered(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One frame, sorted by symbol and time."""
    parts = [frame for frame in frames if frame.height]
    return pl.concat(parts).sort("symbol", "open_time") if parts else empty()


def require_known(symbols: Sequence[str], known: Sequence[str], source: str) -> None:
    """Refuse symbols that the source does not have, naming the nearest that it has."""
    have = set(known)
    for symbol in symbols:
        if symbol not in have:
            near = difflib.get_close_matches(symbol, known, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise FixConfiguration(
                f"symbol {symbol!r} is unknown to the source {source}{hint}; correct the universe"
            )


def _plausible(times: pl.Series) -> bool:
    low, high = times.min(), times.max()
    return isinstance(low, int) and isinstance(high, int) and low >= _FIRST_MS and high <= _LAST_MS


def _require_numbers(raw: pl.Series, values: pl.Series, *, optional: bool, where: str) -> None:
    allowed = raw.null_count() if optional else 0
    if values.null_count() == allowed:
        return
    row = int((values.is_null() & (raw.is_not_null() | (not optional))).arg_true()[0])
    raise BadData(f"{where} row {row + 1}: {raw.name} is {raw[row]!r}, which is no number")


def _require_whole_minutes(opened: pl.Series, where: str) -> None:
    off = (opened % MINUTE_MS) != 0
    if off.sum():
        row = int(off.arg_true()[0])
        raise BadData(f"{where} row {row + 1}: open_time {opened[row]} does not start a minute")


def _require_sense(klines: pl.DataFrame, where: str) -> None:
    if (klines["high"] < klines["low"]).sum():
        swapped = klines.filter(pl.col("high") < pl.col("low"))
        row = swapped.row(0, named=True)
        count = f"{swapped.height} of {klines.height}"
        raise BadData(
            f"{where}: high is below low in {count} rows, first {row['symbol']} "
            f"{row['open_time']:%Y-%m-%d %H:%M} (high {row['high']}, low {row['low']}); are columns swapped?"
        )
