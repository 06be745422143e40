"""Rating kicks: the fork score moved by the rating label of the same 15-minute bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from annotated_types import Gt

from trading.screening.fork import SCORE_DECIMALS


@dataclass(frozen=True, slots=True)
class KickSettings:
    """What each rating label adds to a fork score.

    Attributes
    ----------
    strong_buy, buy, neutral, sell, strong_sell
        Added to the score for that label of the 15-minute rating; a missing label adds 0.
    pass_mark
        Adjusted score from which a bar passes.
    """

    strong_buy: float = 0.50
    buy: float = 0.25
    neutral: float = 0.0
    sell: float = -0.20
    strong_sell: float = -0.30
    pass_mark: Annotated[float, Gt(0)] = 0.73


def rating_kicks(
    ratings_15m: pl.DataFrame,
    fork_scores: pl.DataFrame,
    btc_condition: pl.DataFrame,
    settings: KickSettings,
) -> pl.DataFrame:
    """Adjust every fork score by its bar's rating label; look-back 0 bars, a day needs its own rows only.

    The kicker works only while BTC is bullish: otherwise the kick is 0 and nothing passes. A bar passes
    when the kicker is active, its fork score passed on its own, and the adjusted score reaches the pass
    mark, so a kick can veto a candidate but never make one. A missing score is never adjusted.

    Parameters
    ----------
    ratings_15m, fork_scores
        Joined on symbol and open_time; one row out per fork score.
    btc_condition
        BTC regime rows, joined on the same bar; a bar without one is not bullish.

    Returns
    -------
    DataFrame
        Sorted by symbol and open_time.
    """
    joined = fork_scores.join(
        ratings_15m.select("symbol", "open_time", "label"),
        on=["symbol", "open_time"],
        how="left",
        maintain_order="left",
    ).join(
        btc_condition.select("open_time", (pl.col("condition") == "bullish").alias("active")),
        on="open_time",
        how="left",
        maintain_order="left",
    )
    weights = {
        name: float(getattr(settings, name))
        for name in ("strong_buy", "buy", "neutral", "sell", "strong_sell")
    }
    weight = pl.col("label").replace_strict(weights, default=0.0, return_dtype=pl.Float64)
    adjusted = (pl.col("score") + pl.col("kick")).round(SCORE_DECIMALS)
    reached = (adjusted >= settings.pass_mark).fill_null(False)
    return (
        joined.with_columns(pl.col("active").fill_null(False))
        .with_columns(pl.when("active").then(weight).otherwise(0.0).alias("kick"))
        .select(
            "symbol",
            "open_time",
            "close_time",
            "label",
            "kick",
            "score",
            adjusted.alias("adjusted"),
            "active",
            (pl.col("active") & pl.col("passed") & reached).alias("passed"),
        )
    )
