"""Bars of many symbols as flat columns, and the moves that respect where one symbol ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from trading.errors import BadData
from trading.model.interval import DAY_MS, Interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Bars sorted by symbol and time, as one flat array per column.

    Attributes
    ----------
    high, low, close, volume
        Shape (rows,), float64.
    starts
        First row of each symbol, with the number of rows at the end: shape (symbols + 1,).
    position
        Bars of the same symbol before the row: shape (rows,).
    session_position
        Bars of the same symbol before the row within its UTC day: shape (rows,).
    daily
        Whether a bar is a whole day, so that a session within the day does not exist.
    memo
        Intermediate series that several indicators share, by a key of their own.
    """

    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    starts: IntArray
    position: IntArray
    session_position: IntArray
    daily: bool
    memo: dict[Hashable, FloatArray] = field(default_factory=dict)

    @classmethod
    def from_frame(cls, bars: pl.DataFrame, interval: Interval) -> BarColumns:
        """Columns of a frame sorted by symbol and open_time.

        Raises
        ------
        BadData
            When rows are unsorted or a bar comes twice.
        """
        starts = symbol_starts(bars)
        rows = np.arange(bars.height, dtype=np.int64)
        first = np.repeat(starts[:-1], np.diff(starts))
        days = milliseconds(bars["open_time"]) // DAY_MS
        opens_session = rows == first
        opens_session[1:] |= days[1:] != days[:-1]
        session = np.maximum.accumulate(np.where(opens_session, rows, 0))
        high, low, close, volume = (_floats(bars[name]) for name in ("high", "low", "close", "volume"))
        return cls(
            high=high,
            low=low,
            close=close,
            volume=volume,
            starts=starts,
            position=rows - first,
            session_position=rows - session,
            daily=interval is Interval.D1,
        )

    def shared(self, key: Hashable, compute: Callable[[], FloatArray]) -> FloatArray:
        """The series under ``key``, computed once."""
        if key not in self.memo:
            self.memo[key] = compute()
        return self.memo[key]

    def lag(self, values: FloatArray, bars: int) -> FloatArray:
        """Values ``bars`` bars earlier in the same symbol; NaN before its first."""
        return lag(values, bars, self.position)

    def by_time(self, values: FloatArray) -> FloatArray:
        """Values as a matrix, shape (longest symbol, symbols); NaN after a symbol's last bar."""
        lengths = np.diff(self.starts)
        matrix = np.full((int(lengths.max(initial=0)), lengths.size), np.nan)
        matrix[self.position, self._symbol_index()] = values
        return matrix

    def from_time(self, matrix: FloatArray) -> FloatArray:
        """Inverse of :meth:`by_time`."""
        values: FloatArray = matrix[self.position, self._symbol_index()]
        return values

    def _symbol_index(self) -> IntArray:
        lengths = np.diff(self.starts)
        return np.repeat(np.arange(lengths.size, dtype=np.int64), lengths)


def lag(values: FloatArray, bars: int, position: IntArray) -> FloatArray:
    """Values ``bars`` rows earlier; NaN where fewer rows of the same run precede."""
    shifted = np.empty_like(values)
    shifted[bars:] = values[: max(values.size - bars, 0)]
    shifted[position < bars] = np.nan
    return shifted


def symbol_starts(frame: pl.DataFrame) -> IntArray:
    """First row of each symbol, then the number of rows: shape (symbols + 1,).

    Raises
    ------
    BadData
        When the frame is not sorted by symbol and open_time, or a key comes twice.
    """
    if frame.is_empty():
        return np.zeros(1, dtype=np.int64)
    runs = frame["symbol"].rle().struct.unnest()
    lengths = runs["len"].to_numpy().astype(np.int64)
    if runs["value"].n_unique() != runs.height:
        raise BadData("symbol: rows of one symbol are scattered; sort the frame by symbol, open_time")
    starts = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    step = np.diff(milliseconds(frame["open_time"]))
    step[starts[1:-1] - 1] = 1
    if (step <= 0).any():
        row = int(np.argmax(step <= 0)) + 1
        raise BadData(
            f"open_time: {frame['symbol'][row]} at {frame['open_time'][row]} does not come after the bar "
            "before it; sort the frame by symbol, open_time and drop repeated bars"
        )
    return starts


def milliseconds(times: pl.Series) -> IntArray:
    """Timestamps as milliseconds since the epoch."""
    return times.dt.epoch("ms").to_numpy().astype(np.int64)


def _floats(series: pl.Series) -> FloatArray:
    values = series.cast(pl.Float64).to_numpy()
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise BadData(f"{series.name}: row {row} is {values[row]}; a bar needs finite numbers, drop the bar")
    return np.ascontiguousarray(values)
