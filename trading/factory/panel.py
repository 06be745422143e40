"""Hourly bars of many symbols on one clock: what back-tests and signals read."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.errors import BadData
from trading.indicators.columns import BarColumns, FloatArray
from trading.model.interval import Interval

HOUR_MS = 3_600_000
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars as matrices, shape (symbols, hours); NaN where a symbol has no bar.

    Attributes
    ----------
    symbols
        Row order, sorted.
    first_open_ms
        Open time of the first column, milliseconds since the epoch.
    columns
        The present bars only, as flat arrays: indicators run over these, so a hole shortens
        history and never feeds a made-up price.
    row, hour
        Where each flat bar stands in the matrices.
    follows
        Whether the flat bar's predecessor in the symbol is exactly one hour older.
    """

    symbols: tuple[str, ...]
    first_open_ms: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    columns: BarColumns
    row: NDArray[np.int64]
    hour: NDArray[np.int64]
    follows: Mask
    memo: dict[Hashable, FloatArray] = field(default_factory=dict)

    @property
    def window(self) -> tuple[datetime, datetime]:
        """Start and exclusive end of the window, UTC."""
        start = datetime.fromtimestamp(self.first_open_ms / 1000, UTC)
        return start, start + timedelta(hours=self.close.shape[1])

    def series(self, key: Hashable, compute: Callable[[], FloatArray]) -> FloatArray:
        """A flat indicator series, computed once per key."""
        if key not in self.memo:
            self.memo[key] = compute()
        return self.memo[key]

    def previous(self, values: FloatArray) -> FloatArray:
        """Values one hour earlier; NaN where that hour has no bar."""
        return np.where(self.follows, self.columns.lag(values, 1), np.nan)

    def on_clock(self, mask: Mask) -> Mask:
        """A flat mask as a matrix, shape (symbols, hours); False where there is no bar."""
        dense = np.zeros(self.close.shape, dtype=np.bool_)
        dense[self.row, self.hour] = mask
        return dense


def build_panel(bars_1h: pl.DataFrame, start: datetime, end: datetime) -> Panel:
    """A panel of the hourly bars that open in [start, end).

    Parameters
    ----------
    bars_1h
        In the schema of `bars`, any order.
    start, end
        UTC, whole hours.

    Raises
    ------
    BadData
        If there is no bar in the window, a bar comes twice, does not open on the hour, or has a
        price that is not a positive finite number.
    """
    opened = pl.col("open_time")
    bars = bars_1h.filter((opened >= start) & (opened < end)).sort("symbol", "open_time")
    if bars.is_empty():
        raise BadData(f"bars 1h: none between {start} and {end}; ingest or backfill the window")
    columns = BarColumns.from_frame(bars, Interval.H1)
    first_ms = int(start.timestamp() * 1000)
    hours = int((end - start) / timedelta(hours=1))
    since = bars["open_time"].dt.epoch("ms").to_numpy() - first_ms
    if (since % HOUR_MS != 0).any():
        at = bars["open_time"][int(np.argmax(since % HOUR_MS != 0))]
        raise BadData(f"bars 1h: a bar opens at {at}, not on the hour; rebuild the bars partition")
    hour = since // HOUR_MS
    symbols = tuple(bars["symbol"].unique(maintain_order=True).to_list())
    row = np.repeat(np.arange(len(symbols), dtype=np.int64), np.diff(columns.starts))
    follows = np.zeros(hour.size, dtype=np.bool_)
    follows[1:] = (row[1:] == row[:-1]) & (hour[1:] == hour[:-1] + 1)
    matrices: list[FloatArray] = []
    for name in ("open", "high", "low", "close"):
        values = bars[name].cast(pl.Float64).to_numpy()
        if not (np.isfinite(values) & (values > 0)).all():
            raise BadData(f"bars 1h: {name} is not a positive number somewhere; rebuild the bars partition")
        matrix = np.full((len(symbols), hours), np.nan)
        matrix[row, hour] = values
        matrices.append(matrix)
    opens, highs, lows, closes = matrices
    return Panel(symbols, first_ms, opens, highs, lows, closes, columns, row, hour, follows)
