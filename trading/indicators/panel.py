"""All indicators of all symbols: bars in, one row of values per bar out."""

from __future__ import annotations

import numpy as np
import polars as pl

from trading.indicators.catalogue import INDICATORS
from trading.indicators.columns import BarColumns
from trading.model.interval import Interval


def compute(bars: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Every indicator of the catalogue at every bar.

    A symbol's bars count as consecutive even where one is absent. A value depends on its own symbol's
    bars up to and including its own row, never on a later bar or on another symbol.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``close_time``, ``high``, ``low``, ``close`` (quote) and ``volume``
        (base), sorted by symbol and open_time; finite numbers.
    interval
        Length of the bars; only a day changes a formula (VWAP has no session within it).

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``close_time`` and the catalogue's columns; null where the history is
        short or the value undefined.

    Raises
    ------
    BadData
        When bars are unsorted, repeated or not finite.
    """
    return compute_rows(bars, interval, np.ones(bars.height, dtype=np.bool_))


def compute_rows(bars: pl.DataFrame, interval: Interval, keep: np.ndarray) -> pl.DataFrame:
    """As :func:`compute`, but only the rows where ``keep`` (shape (rows,), bool) is true."""
    columns = BarColumns.from_frame(bars, interval)
    values = {
        indicator.name: indicator.function(columns, **indicator.parameters)[keep] for indicator in INDICATORS
    }
    identity = bars.select("symbol", "open_time", "close_time").filter(pl.Series(keep))
    return identity.hstack(
        [pl.Series(name, column, dtype=pl.Float64, nan_to_null=True) for name, column in values.items()]
    )
