"""Bars of many symbols on one clock: what a back-test trades on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.errors import BadData
from trading.indicators.columns import FloatArray
from trading.model.interval import DAY_MS, MINUTE_MS

_PRICES = ("open", "high", "low", "close")
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bars:
    """Execution bars, shape (symbols, bars), float64.

    A bar is missing where its prices and volume are NaN. A bar without volume exists but nothing can
    trade in it.

    Attributes
    ----------
    first_open_ms
        Open time of the first bar, milliseconds since the epoch; a multiple of the bar's length.
    minutes
        Length of a bar; divides a day.
    volume
        Base currency.
    funding_rate
        Fraction of the position's value that longs pay to shorts at the bar's open; 0 where nothing
        falls due. May be set where the bar is missing.
    warmup_bars
        Leading bars that feed indicators only: nothing is filled in them, and returns start after them.

    Raises
    ------
    BadData
        If shapes differ, a price is not positive, high or low does not enclose open and close, or a
        bar is half missing.
    """

    symbols: tuple[str, ...]
    first_open_ms: int
    minutes: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    funding_rate: FloatArray
    warmup_bars: int = 0

    def __post_init__(self) -> None:
        shape = (len(self.symbols), self.count)
        for name in (*_PRICES, "volume", "funding_rate"):
            values = getattr(self, name)
            if values.shape != shape or values.dtype != np.float64:
                raise BadData(f"bars: {name} is {values.dtype} {values.shape}; it must be float64 {shape}")
        if DAY_MS % self.length_ms or self.first_open_ms % self.length_ms:
            raise BadData(
                f"bars: {self.minutes} minutes from {self.first_open_ms} are not aligned to midnight UTC"
            )
        if not 0 <= self.warmup_bars < max(self.count, 1):
            raise BadData(
                f"bars: warmup_bars is {self.warmup_bars}; it must leave at least one of {self.count} bars"
            )
        if not np.isfinite(self.funding_rate).all():
            raise BadData("bars: funding_rate has a missing value; 0 means that nothing fell due")
        self._check_prices()

    def _check_prices(self) -> None:
        here = np.isfinite(self.close)
        half = [name for name in (*_PRICES, "volume") if (np.isfinite(getattr(self, name)) != here).any()]
        if half:
            raise BadData(f"bars: {half} are missing where close is not, or the reverse; drop the whole bar")
        top, bottom = np.maximum(self.open, self.close), np.minimum(self.open, self.close)
        wrong = here & ~((self.low > 0) & (self.low <= bottom) & (self.high >= top) & (self.volume >= 0))
        if wrong.any():
            row, at = (int(index[0]) for index in np.nonzero(wrong))
            raise BadData(
                f"bars: {self.symbols[row]} bar {at} has impossible prices or volume; repair or drop it"
            )

    @property
    def count(self) -> int:
        """Bars on the clock."""
        return int(self.close.shape[-1])

    @property
    def length_ms(self) -> int:
        """Length of a bar in milliseconds."""
        return self.minutes * MINUTE_MS

    def before(self, end_ms: int) -> Bars:
        """The bars that close by a moment, on the same clock.

        Raises
        ------
        BadData
            If none of those after the warm-up does.
        """
        count = (end_ms - self.first_open_ms) // self.length_ms
        cut = {name: getattr(self, name)[:, :count] for name in (*_PRICES, "volume", "funding_rate")}
        return replace(self, **cut)

    @property
    def day_ends(self) -> IntArray:
        """Exclusive end of each UTC day after the warm-up as a bar position; the last day may be partial."""
        per_day = DAY_MS // self.length_ms
        first = (-(self.first_open_ms // self.length_ms)) % per_day or per_day
        ends = np.append(np.arange(first, self.count, per_day), self.count)
        return ends[ends > self.warmup_bars].astype(np.int64)


def bars_from_frame(
    frame: pl.DataFrame,
    start: datetime,
    end: datetime,
    *,
    minutes: int,
    trade_from: datetime | None = None,
    funding: pl.DataFrame | None = None,
) -> Bars:
    """Bars that open in [start, end).

    Parameters
    ----------
    frame
        Columns symbol, open_time, open, high, low, close, volume, in any order of rows.
    start, end
        UTC, whole bars.
    minutes
        Length of the bars.
    trade_from
        What comes before feeds indicators only; ``start`` when None.
    funding
        Columns symbol, funding_time and funding_rate; a payment belongs to the bar that it falls in, and
        payments of symbols without bars are left out. None for spot.

    Raises
    ------
    BadData
        If there is no bar, a bar comes twice or off the clock, or prices are impossible.
    """
    length_ms = minutes * MINUTE_MS
    first_ms = int(start.timestamp() * 1000)
    count = (int(end.timestamp() * 1000) - first_ms) // length_ms
    chosen = frame.filter(pl.col("open_time") >= start, pl.col("open_time") < end).sort("symbol", "open_time")
    if chosen.is_empty():
        raise BadData(f"bars: none between {start} and {end}; ingest or backfill the window")
    symbols = tuple(chosen["symbol"].unique(maintain_order=True).to_list())
    row = _rows(chosen["symbol"], symbols)
    since = chosen["open_time"].dt.epoch("ms").to_numpy() - first_ms
    if (since % length_ms != 0).any():
        at = chosen["open_time"][int(np.argmax(since % length_ms != 0))]
        raise BadData(f"bars: one opens at {at}, which is not on a clock of {minutes} minutes")
    place = row * count + since // length_ms
    if np.unique(place).size != place.size:
        raise BadData("bars: one comes twice; drop the repeated one")
    matrices = {}
    for name in (*_PRICES, "volume"):
        matrices[name] = np.full((len(symbols), count), np.nan)
        matrices[name].ravel()[place] = chosen[name].cast(pl.Float64).to_numpy()
    rates = np.zeros((len(symbols), count))
    if funding is not None:
        _add_funding(rates, funding, symbols, first_ms, length_ms)
    warmup = 0 if trade_from is None else (int(trade_from.timestamp() * 1000) - first_ms) // length_ms
    return Bars(symbols, first_ms, minutes, **matrices, funding_rate=rates, warmup_bars=warmup)


def _add_funding(
    rates: FloatArray, funding: pl.DataFrame, symbols: tuple[str, ...], first_ms: int, length_ms: int
) -> None:
    due = funding.filter(pl.col("symbol").is_in(symbols)).sort("symbol", "funding_time")
    bar = (due["funding_time"].dt.epoch("ms").to_numpy() - first_ms) // length_ms
    inside = (bar >= 0) & (bar < rates.shape[1])
    np.add.at(
        rates, (_rows(due["symbol"], symbols)[inside], bar[inside]), due["funding_rate"].to_numpy()[inside]
    )


def _rows(column: pl.Series, symbols: tuple[str, ...]) -> IntArray:
    places = {symbol: place for place, symbol in enumerate(symbols)}
    return column.replace_strict(places, return_dtype=pl.Int64).to_numpy()
