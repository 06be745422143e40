"""Which klines the exchange shows at a moment: paging, longer intervals and the bar still open."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from apps.sandbox.backing import Minutes
from trading.bars.resample import resample
from trading.model.interval import DAY_MS, MINUTE_MS, Interval

_FOREVER_MS = 1 << 60
_AMOUNTS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")


def klines(
    backing: Minutes,
    symbol: str,
    interval: Interval,
    *,
    now_ms: int,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> pl.DataFrame:
    """Klines as Binance pages them, the bar still open included.

    Parameters
    ----------
    start_ms, end_ms
        Inclusive bounds of the open time. With a start the first ``limit`` bars from it are
        returned, without one the last.
    """
    step = interval.milliseconds
    newest = min(now_ms, _FOREVER_MS if backing.end_ms is None else backing.end_ms - 1)
    last = newest if end_ms is None else min(end_ms, newest)
    if start_ms is None:
        pages = _backwards(backing, symbol, interval, now_ms, last)
    else:
        first = -(-max(start_ms, backing.start_ms - backing.start_ms % step) // step) * step
        pages = _forwards(backing, symbol, interval, now_ms, first, last)
    found: list[pl.DataFrame] = []
    height = 0
    for page in pages:
        found.append(page)
        height += page.height
        if height >= limit:
            break
    if not found:
        return _bars(backing.day(symbol, 0), interval)
    if start_ms is None:
        return pl.concat(reversed(found)).tail(limit)
    return pl.concat(found).head(limit)


def last_day(backing: Minutes, symbol: str, now_ms: int) -> pl.DataFrame:
    """Minutes of the last 24 hours: an older price would pass for a current one."""
    return klines(
        backing,
        symbol,
        Interval.M1,
        now_ms=now_ms,
        start_ms=now_ms - DAY_MS + 1,
        end_ms=None,
        limit=1440,
    )


def _forwards(
    backing: Minutes, symbol: str, interval: Interval, now_ms: int, first: int, last: int
) -> Iterator[pl.DataFrame]:
    for day_ms in range(first // DAY_MS * DAY_MS, last + 1, DAY_MS):
        yield _within(_day(backing, symbol, interval, now_ms, day_ms, last), first, last)


def _backwards(
    backing: Minutes, symbol: str, interval: Interval, now_ms: int, last: int
) -> Iterator[pl.DataFrame]:
    oldest = backing.start_ms // DAY_MS * DAY_MS
    for day_ms in range(last // DAY_MS * DAY_MS, oldest - 1, -DAY_MS):
        yield _within(_day(backing, symbol, interval, now_ms, day_ms, last), oldest, last)


def _within(bars: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    begin, end = bars["open_time"].dt.epoch("ms").to_numpy().searchsorted((first, last + 1))
    return bars.slice(int(begin), max(0, int(end - begin)))


def _day(
    backing: Minutes, symbol: str, interval: Interval, now_ms: int, day_ms: int, last: int
) -> pl.DataFrame:
    minutes = backing.day(symbol, day_ms)
    only_closed = interval is Interval.M1 and last < now_ms // MINUTE_MS * MINUTE_MS
    if now_ms < day_ms + DAY_MS and not only_closed:
        minutes = visible(minutes, now_ms)
    return _bars(minutes, interval)


def _bars(minutes: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    if interval is Interval.M1:
        return minutes
    return resample(minutes, interval, closed_before_ms=_FOREVER_MS).select(minutes.columns)


def visible(minutes: pl.DataFrame, now_ms: int) -> pl.DataFrame:
    """What of a day can be seen at a moment: closed minutes whole, the open one in part.

    The open minute has gone a share of its way: volume is that share, the close lies on the line
    from open to close, and high and low span only what that line has touched.
    """
    times = minutes["open_time"].dt.epoch("ms")
    opened = int(times.search_sorted(now_ms, side="right"))
    shown = minutes.head(opened)
    if not opened or int(times[opened - 1]) + MINUTE_MS <= now_ms:
        return shown
    share = (now_ms - int(times[opened - 1])) / MINUTE_MS
    latest = shown.tail(1)
    digits = max(_decimals(latest, name) for name in ("open", "high", "low", "close"))
    close = (pl.col("open") + (pl.col("close") - pl.col("open")) * share).round(digits)
    part = (
        latest.with_columns(
            close.alias("close"),
            *((pl.col(name) * share).round(8) for name in _AMOUNTS),
            (pl.col("trades") * share).floor().cast(pl.Int64),
        )
        .with_columns(
            pl.max_horizontal("open", "close").alias("high"), pl.min_horizontal("open", "close").alias("low")
        )
        .select(minutes.columns)
    )
    return pl.concat([shown.head(opened - 1), part])


def _decimals(row: pl.DataFrame, name: str) -> int:
    text = f"{row[name][0]:.8f}".rstrip("0")
    return len(text.partition(".")[2])
