"""Forward labels: whether a long entry at the next open reaches its target before its stop."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.confidence.settings import ConfidenceSettings
from trading.errors import BadData

_HOUR = timedelta(hours=1)
_BPS = 1e-4


def forward_labels(
    feature_rows: pl.DataFrame, bars_1h: pl.DataFrame, settings: ConfidenceSettings
) -> pl.DataFrame:
    """Triple-barrier label of each feature row, decided only by bars after its close.

    The entry is the open of the bar that starts at the row's close. Target: entry x (1 + costs +
    ``target_atr`` x ATR fraction); stop: entry x (1 - ``stop_atr`` x ATR fraction). The label is 1
    when a high reaches the target within ``horizon_bars`` bars and no low reached the stop before
    or in the same bar (the pessimistic order), else 0.

    Parameters
    ----------
    feature_rows
        In the schema of `features`.
    bars_1h
        In the schema of `bars`, at least as far as the labels shall reach.

    Returns
    -------
    polars.DataFrame
        The feature rows with ``label`` (Int8) and ``label_end`` (end of the horizon, UTC). The
        label is null where the ATR is unknown, the horizon is not finished, or one of its bars is
        missing: also when the outcome seems decided early, or only fast outcomes would be kept.
    """
    if bars_1h.select("symbol", "open_time").is_duplicated().any():
        raise BadData("bars 1h: a (symbol, open_time) occurs twice; rebuild the bars partition")
    horizon = settings.horizon_bars
    labelled = []
    for (symbol,), rows in feature_rows.sort("symbol", "open_time").group_by("symbol", maintain_order=True):
        bars = bars_1h.filter(pl.col("symbol") == symbol)
        label = _labels_of_symbol(rows, bars, settings)
        labelled.append(rows.with_columns(pl.Series("label", label, dtype=pl.Int8)))
    frame = pl.concat(labelled) if labelled else feature_rows.with_columns(label=pl.lit(None, pl.Int8))
    return frame.with_columns(label_end=pl.col("close_time") + horizon * _HOUR)


def _labels_of_symbol(
    rows: pl.DataFrame, bars: pl.DataFrame, settings: ConfidenceSettings
) -> list[int | None]:
    atr = rows["atr_fraction"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    path = _future_bars(rows, bars, settings.horizon_bars)
    opens, highs, lows = path
    entry = opens[:, 0]
    target = entry * (1 + settings.round_trip_cost_bps * _BPS + settings.target_atr * atr)
    stop = entry * (1 - settings.stop_atr * atr)
    first_target = _first_true(highs >= target[:, None])
    first_stop = _first_true(lows <= stop[:, None])
    won = first_target < first_stop
    known = np.isfinite(highs).all(axis=1) & np.isfinite(lows).all(axis=1) & np.isfinite(target)
    return [int(hit) if usable else None for hit, usable in zip(won, known, strict=True)]


def _future_bars(
    rows: pl.DataFrame, bars: pl.DataFrame, horizon: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Open, high and low of the ``horizon`` bars from each row's close, (rows, horizon); NaN where missing."""
    hour_of_row = rows["close_time"].dt.epoch("ms").to_numpy() // 3_600_000
    hour_of_bar = bars["open_time"].dt.epoch("ms").to_numpy() // 3_600_000
    first = int(min(hour_of_row.min(), hour_of_bar.min(initial=hour_of_row.min())))
    last = int(max(hour_of_row.max(), hour_of_bar.max(initial=hour_of_row.max())))
    where = (hour_of_row - first)[:, None] + np.arange(horizon)[None, :]
    columns = []
    for name in ("open", "high", "low"):
        dense = np.full(last - first + 1 + horizon, np.nan)
        dense[hour_of_bar - first] = bars[name].cast(pl.Float64).to_numpy()
        columns.append(dense[where])
    return columns[0], columns[1], columns[2]


def _first_true(hits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the first True of each row; the row length where there is none."""
    found: NDArray[np.int64] = np.where(hits.any(axis=1), hits.argmax(axis=1), hits.shape[1])
    return found
