"""Whether bars can be right: each high is the highest, each time comes once."""

from __future__ import annotations

import polars as pl

from trading.errors import BadData

#: Share of bars whose open or close may lie outside high and low: adjusted prices do, swapped columns always.
_TOLERATED_FRACTION = 0.01


def in_order(bars: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[str]]:
    """The bars sorted by symbol and time without exact repeats, and notes on what was odd.

    Raises
    ------
    BadData
        If prices are out of order, a volume is negative, or a time has two different bars. ``name``
        is what the message calls the bars.
    """
    notes = _prices(bars, name)
    if (negative := bars.filter(pl.col("volume") < 0)).height:
        raise BadData(f"{name}: volume is negative in {negative.height} bar(s), the first {_show(negative)}")
    unique = bars.unique().sort("symbol", "open_time")
    if dropped := bars.height - unique.height:
        notes.append(f"{dropped} row(s) repeated another one exactly and were left out")
    repeated = unique.filter(pl.struct("symbol", "open_time").is_duplicated())
    if repeated.height:
        raise BadData(
            f"{name}: {repeated['symbol'][0]} has different bars of the same time, the first {_show(repeated)} "
            f"({repeated.height} rows in all); keep one of each, or add a symbol column if the pairs differ"
        )
    return unique, notes


def _prices(bars: pl.DataFrame, name: str) -> list[str]:
    body = (pl.col("high") < pl.max_horizontal("open", "close")) | (
        pl.col("low") > pl.min_horizontal("open", "close")
    )
    inverted, outside = bars.filter(pl.col("high") < pl.col("low")), bars.filter(body)
    if inverted.height:
        raise BadData(
            f"{name}: high is below low in {inverted.height} of {bars.height} bars, the first {_show(inverted)}; "
            "are the columns high and low swapped?"
        )
    if outside.height > _TOLERATED_FRACTION * bars.height:
        raise BadData(
            f"{name}: open or close lies outside high and low in {outside.height} of {bars.height} bars, "
            f"the first {_show(outside)}; are columns swapped?"
        )
    if outside.height:
        return [f"{outside.height} bar(s) open or close outside high and low; rated as they are"]
    return []


def _show(bars: pl.DataFrame) -> str:
    row = bars.row(0, named=True)
    numbers = ", ".join(f"{key} {row[key]:g}" for key in ("open", "high", "low", "close", "volume"))
    return f"at {row['open_time']:%Y-%m-%d %H:%M} ({numbers})"
