"""Time-ordered split: train | purge, embargo | calibration | purge, embargo | test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from trading.confidence.settings import ConfidenceSettings
from trading.errors import BadData, FixConfiguration


@dataclass(frozen=True, slots=True)
class Split:
    """Three slices of labelled rows, in time order and without shared futures."""

    train: pl.DataFrame
    calibration: pl.DataFrame
    test: pl.DataFrame


def split_by_time(labelled: pl.DataFrame, settings: ConfidenceSettings) -> Split:
    """Split labelled rows by decision time, at fixed shares of the time span.

    A row belongs to an earlier slice only if its label ended (purge) at least ``embargo_bars``
    hours before the first decision of the next slice: the embargo comes on top of the purge, so
    the gap between decisions is the horizon plus the embargo. Rows without a label are left out.

    Raises
    ------
    BadData
        If no row has a label.
    FixConfiguration
        If the fractions leave no test slice.
    """
    if settings.train_fraction + settings.calibration_fraction >= 1:
        raise FixConfiguration(
            f"train_fraction {settings.train_fraction} + calibration_fraction "
            f"{settings.calibration_fraction} leave no test slice; lower one of them"
        )
    rows = labelled.filter(pl.col("label").is_not_null()).sort("close_time", "symbol")
    if rows.is_empty():
        raise BadData("confidence training: no row has a label; more days of hourly bars are needed")
    first: datetime = rows["close_time"][0]
    last: datetime = rows["close_time"][-1]
    span = last - first
    calibration_start = first + span * settings.train_fraction
    test_start = first + span * (settings.train_fraction + settings.calibration_fraction)
    decided, ended = pl.col("close_time"), pl.col("label_end")
    embargo = timedelta(hours=settings.embargo_bars)
    return Split(
        train=rows.filter(ended + embargo <= calibration_start),
        calibration=rows.filter((decided >= calibration_start) & (ended + embargo <= test_start)),
        test=rows.filter(decided >= test_start),
    )
