"""The confidence cache: the newest calibrated probability per symbol, with its expiry."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from trading.confidence.settings import ConfidenceSettings
from trading.confidence.training import TrainedConfidence

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "as_of": pl.Datetime("ms", "UTC"),
    "confidence": pl.Float64,
    "model_name": pl.String,
    "model_version": pl.String,
    "expires_at": pl.Datetime("ms", "UTC"),
}


def empty_confidence() -> pl.DataFrame:
    """No rows in the schema of `ml_confidence`: what is served while no model is promoted."""
    return pl.DataFrame(schema=_SCHEMA)


def score(
    model: TrainedConfidence,
    feature_rows: pl.DataFrame,
    *,
    model_name: str,
    model_version: str,
    as_of: datetime,
    settings: ConfidenceSettings,
) -> pl.DataFrame:
    """Score the newest feature row of every symbol.

    Parameters
    ----------
    as_of
        The tick (UTC): rows that close later are ignored, rows older than
        ``maximum_row_age_bars`` are not scored.

    Returns
    -------
    polars.DataFrame
        In the schema of `ml_confidence`, sorted by symbol. Confidence is null where fewer than
        ``minimum_known_fraction`` of the features are known. Empty when the model's data ended
        more than ``maximum_model_age_days`` before ``as_of``, or after it: a model that saw the
        future of the rows must not score them.
    """
    age = as_of - model.trained_through
    if not timedelta(0) <= age <= timedelta(days=settings.maximum_model_age_days):
        return empty_confidence()
    oldest = as_of - timedelta(hours=settings.maximum_row_age_bars)
    newest = (
        feature_rows.filter((pl.col("close_time") <= as_of) & (pl.col("close_time") > oldest))
        .sort("symbol", "close_time")
        .group_by("symbol", maintain_order=True)
        .last()
    )
    if newest.is_empty():
        return empty_confidence()
    known = newest.select(
        pl.mean_horizontal(pl.col(name).is_not_null().cast(pl.Float64) for name in model.features)
    ).to_series()
    usable = known.to_numpy() >= settings.minimum_known_fraction
    confidence = np.where(usable, model.probability(newest), np.nan)
    return newest.select(
        "symbol",
        pl.col("close_time").alias("as_of"),
        pl.Series("confidence", confidence).fill_nan(None),
        pl.lit(model_name).alias("model_name"),
        pl.lit(model_version).alias("model_version"),
        (pl.col("close_time") + timedelta(hours=settings.expires_after_bars)).alias("expires_at"),
    ).select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())
