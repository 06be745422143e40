"""The values of columns on a clock, many symbols at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from trading.errors import BadData
from trading.factory.engine.bars import Bars, IntArray
from trading.factory.genes.features import FEATURES, RATINGS
from trading.factory.genes.rules import Column
from trading.indicators.columns import BarColumns, FloatArray
from trading.indicators.panel import compute
from trading.model.interval import DAY_MS, MINUTE_MS, Interval
from trading.ratings.tv_lib_v3 import rate


def decision_ratio(bars: Bars, minutes: int) -> int:
    """How many execution bars make one bar of ``minutes``.

    Raises
    ------
    BadData
        If they do not fit: the first bar must open where a bar of ``minutes`` does.
    """
    ratio, rest = divmod(minutes, bars.minutes)
    if rest or ratio == 0:
        raise BadData(f"bars: {bars.minutes} minutes do not divide a timeframe of {minutes}; pass finer bars")
    if bars.first_open_ms % (minutes * MINUTE_MS):
        raise BadData(
            f"bars: the first opens at {bars.first_open_ms}, inside a bar of {minutes} minutes; start earlier"
        )
    return ratio


class Decisions:
    """Bars of a timeframe, resampled from execution bars, and their columns.

    A decision bar is missing where all its execution bars are; otherwise it is made of those that are
    there, as the `bars` dataset is. Indicators run over the bars that exist: a hole shortens history
    and never feeds a made-up price. On the clock a column is NaN where the bar is missing.

    Attributes
    ----------
    count
        Whole decision bars on the clock.
    """

    def __init__(self, bars: Bars, rows: slice, minutes: int) -> None:
        ratio = decision_ratio(bars, minutes)
        self.count = bars.count // ratio
        self._minutes = minutes
        self._first_ms = bars.first_open_ms
        self._symbols = bars.symbols[rows]

        def grouped(values: FloatArray) -> FloatArray:
            return values[rows, : self.count * ratio].reshape(-1, self.count, ratio)

        closes = grouped(bars.close)
        here = np.isfinite(closes)
        self._here = here.any(axis=2)
        last = ratio - 1 - np.argmax(here[:, :, ::-1], axis=2)
        first = np.argmax(here, axis=2)
        flat = self._flat
        self._open = flat(np.take_along_axis(grouped(bars.open), first[:, :, None], axis=2)[:, :, 0])
        self._high = flat(np.where(here, grouped(bars.high), -np.inf).max(axis=2))
        self._low = flat(np.where(here, grouped(bars.low), np.inf).min(axis=2))
        self._close = flat(np.take_along_axis(closes, last[:, :, None], axis=2)[:, :, 0])
        # Added bar by bar: a pairwise sum's last digits would depend on the processor.
        volume = np.zeros(self._here.shape)
        for step in np.moveaxis(np.where(here, grouped(bars.volume), 0.0), 2, 0):
            volume += step
        self._volume = flat(volume)
        self._columns = self._bar_columns()
        self._rated: dict[str, FloatArray] = {}

    def column(self, column: Column) -> FloatArray:
        """Values on the clock, shape (symbols, decision bars); NaN where missing."""
        function = column.feature.compute
        if function is None:
            values = self._rating(column.name)
        elif self._close.size == 0:
            values = self._close
        else:
            values = function(
                self._columns, **{name: _argument(column, name, v) for name, v in column.parameters}
            )
        if values.size == self._here.size:
            return values.reshape(self._here.shape)
        on_clock = np.full(self._here.shape, np.nan)
        on_clock[self._here] = values
        return on_clock

    def _flat(self, matrix: FloatArray) -> FloatArray:
        return np.ascontiguousarray(matrix[self._here])

    def _bar_columns(self) -> BarColumns:
        lengths = self._here.sum(axis=1)
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        rows = np.arange(self._close.size, dtype=np.int64)
        first = np.repeat(starts[:-1], lengths)
        days = self._open_ms() // DAY_MS
        opens_session = rows == first
        opens_session[1:] |= days[1:] != days[:-1]
        session = np.maximum.accumulate(np.where(opens_session, rows, 0))
        return BarColumns(
            high=self._high,
            low=self._low,
            close=self._close,
            volume=self._volume,
            starts=starts,
            position=rows - first,
            session_position=rows - session,
            daily=False,
        )

    def _open_ms(self) -> IntArray:
        bar = np.broadcast_to(np.arange(self.count, dtype=np.int64), self._here.shape)[self._here]
        return self._first_ms + bar * self._minutes * MINUTE_MS

    def _rating(self, name: str) -> FloatArray:
        if not self._rated:
            opened = pl.Series("open_time", self._open_ms()).cast(pl.Datetime("ms", "UTC"))
            symbol = np.repeat(np.arange(len(self._symbols)), self._here.sum(axis=1))
            frame = pl.DataFrame(
                {
                    "symbol": np.char.zfill(symbol.astype(str), 6),
                    "open_time": opened,
                    "close_time": opened.dt.offset_by(f"{self._minutes}m"),
                    "high": self._high,
                    "low": self._low,
                    "close": self._close,
                    "volume": self._volume,
                }
            )
            # No decision bar is a day, and only a day's indicators depend on the interval's name.
            rated = rate(compute(frame, Interval.H1))
            self._rated = {key: rated[key].cast(pl.Float64).fill_null(np.nan).to_numpy() for key in RATINGS}
        return self._rated[name]


def columns_of(rules_columns: Iterable[Iterable[Column]]) -> list[Column]:
    """Distinct columns in a stable order, features that share work next to each other."""
    distinct = {column for columns in rules_columns for column in columns}
    order = {name: place for place, name in enumerate(FEATURES)}
    return sorted(distinct, key=lambda column: (order[column.name], column.parameters))


def _argument(column: Column, name: str, value: float) -> float:
    return int(value) if column.feature.parameters[name].whole else value
