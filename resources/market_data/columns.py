"""From a source's columns to the klines datasets: units of time, types, plausibility, order."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import polars as pl

from trading.errors import BadData, FixConfiguration
from trading.model.interval import MINUTE_MS
from trading.model.series import Series
from warehouse.datasets.futures import INDEX_KLINES, MARK_KLINES, PREMIUM_KLINES, USDM_KLINES
from warehouse.datasets.market import KLINES
from warehouse.schema import TIMESTAMP, Dataset

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
#: The dataset that each series is stored in.
DATASETS: dict[Series, Dataset] = {
    Series.SPOT: KLINES,
    Series.USDM: USDM_KLINES,
    Series.MARK: MARK_KLINES,
    Series.INDEX: INDEX_KLINES,
    Series.PREMIUM: PREMIUM_KLINES,
}
_PRICES = ("open", "high", "low", "close")
_FIRST_MS = 1_230_768_000_000  # 2009-01-01: before the first trade of any coin
_LAST_MS = 4_102_444_800_000  # 2100-01-01


def required(series: Series) -> tuple[str, ...]:
    """Number columns that a kline of the series cannot be without."""
    return (*_PRICES, "volume") if series.traded else _PRICES


def optional(series: Series) -> tuple[str, ...]:
    """Number columns that a source may lack; a computed price has none."""
    return OPTIONAL if series.traded else ()


def empty(series: Series = Series.SPOT) -> pl.DataFrame:
    """No klines, in the dataset's schema."""
    return pl.DataFrame(schema=DATASETS[series].schema)


def milliseconds(times: pl.Series, where: str, *, micro: bool = True) -> pl.Series:
    """Epoch times in milliseconds, whether they were counted in milliseconds or microseconds.

    Binance's spot archive switched to microseconds on 2025-01-01; its futures stayed in
    milliseconds. The ranges do not overlap: a plausible millisecond count is thirteen digits long,
    a microsecond count sixteen.

    Parameters
    ----------
    micro
        Whether microseconds may be.

    Raises
    ------
    BadData
        If a time is neither, which is what swapped columns look like, or the unit changes.
    """
    if times.is_empty():
        return times.cast(pl.Int64)
    if times.dtype == pl.Int64 and not times.null_count() and _within(times, 1):
        return times
    counts = times.cast(pl.Int64, strict=False)
    if counts.null_count() or (counts != times.cast(pl.Float64, strict=False)).any():
        raise BadData(f"{where}: {times.name} has values that are no whole numbers; are columns swapped?")
    if micro and _within(counts, 1000):
        return counts // 1000
    _require_one_unit(counts, where, micro=micro)
    return counts


def to_klines(
    frame: pl.DataFrame, *, symbol: str | None, source: str, where: str, series: Series = Series.SPOT
) -> pl.DataFrame:
    """Bring raw columns into the series' dataset, or say which row cannot be.

    Parameters
    ----------
    frame
        Named columns; numbers may be text. ``symbol`` is a column where the argument is None.
        Optional columns may be absent; extra ones are left out.
    where
        What error messages call the data.

    Returns
    -------
    polars.DataFrame
        In the order of ``frame``. ``known_at`` is the bar's close.

    Raises
    ------
    BadData
        If a column is missing, a value is no number, a time is implausible or off the minute, or
        highs lie below lows (swapped columns).
    """
    schema = DATASETS[series].schema
    numbers = required(series)
    needed = ["open_time", *numbers] + ([] if symbol else ["symbol"])
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        raise BadData(f"{where} lacks the column(s) {', '.join(absent)}; it has {', '.join(frame.columns)}")
    times = frame["open_time"]
    temporal = times.dtype.is_temporal()
    opened = times.dt.epoch("ms") if temporal else milliseconds(times, where, micro=series is Series.SPOT)
    _require_whole_minutes(opened, where)
    present = [name for name in optional(series) if name in frame.columns]
    missing = [name for name in optional(series) if name not in frame.columns]
    klines = frame.with_columns(
        opened.cast(TIMESTAMP).alias("open_time"),
        (opened + MINUTE_MS).cast(TIMESTAMP).alias("known_at"),
        *(pl.col(name).cast(pl.Float64, strict=False).fill_nan(None) for name in numbers),
        *(pl.col(name).cast(schema[name], strict=False) for name in present),
        *(pl.lit(None, schema[name]).alias(name) for name in missing),
        (pl.lit(symbol) if symbol else pl.col("symbol").cast(pl.String)).alias("symbol"),
        pl.lit(source).alias("source"),
    ).select(list(schema))
    for name in (*numbers, *present):
        _require_numbers(frame[name], klines[name], optional=name in present, where=where)
    _require_sense(klines, where)
    return klines


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


def lacks(source: str, what: str) -> FixConfiguration:
    """The error of a source that is asked for data that only Binance and its archive have."""
    return FixConfiguration(
        f"the source {source} has no {what}; set market_data.source to binance or archive, which have"
    )


def _within(times: pl.Series, per_millisecond: int) -> bool:
    low, high = times.min(), times.max()
    first, last = _FIRST_MS * per_millisecond, _LAST_MS * per_millisecond
    return isinstance(low, int) and isinstance(high, int) and low >= first and high <= last


def _require_one_unit(counts: pl.Series, where: str, *, micro: bool) -> None:
    in_micro = counts.is_between(_FIRST_MS * 1000, _LAST_MS * 1000)
    in_milli = counts.is_between(_FIRST_MS, _LAST_MS)
    wrong = ~(in_micro | in_milli)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise BadData(
            f"{where} row {row + 1}: {counts.name} {counts[row]} is no time in milliseconds or "
            "microseconds between 2009 and 2100; are columns swapped?"
        )
    if not micro and in_micro.any():
        row = int(in_micro.arg_true()[0])
        raise BadData(
            f"{where} row {row + 1}: {counts.name} {counts[row]} counts microseconds, but futures count "
            "milliseconds; is this spot data?"
        )
    if in_micro.any() and in_milli.any():
        row = int((in_micro != in_micro[0]).arg_true()[0])
        raise BadData(
            f"{where} row {row + 1}: {counts.name} {counts[row]} counts another unit than the rows before; "
            "split the file there, or fetch it again"
        )


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
