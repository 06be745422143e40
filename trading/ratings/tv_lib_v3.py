"""Technical ratings from indicators: votes, group means, total, label, streak (``tv_lib_v3``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from trading.errors import BadData
from trading.indicators.columns import symbol_starts
from trading.ratings.labels import label_expression, streaks
from trading.ratings.rules import EARLIER, MOVING_AVERAGES, OSCILLATORS, Component

RATING_SPEC = "tv_lib_v3"


def rate(indicators: pl.DataFrame) -> pl.DataFrame:
    """Rate every bar.

    A group's rating is the mean of its votes that exist; the total is the mean of the two groups, or
    the one that exists. The total is one division of whole numbers, so that a rating that is exactly
    0.1 or 0.5 falls on the right side of its label's boundary.

    Parameters
    ----------
    indicators
        Rows of the indicator catalogue, sorted by symbol and open_time. The row before a row, in the
        same symbol, counts as the previous bar.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``close_time``, ``rating``, ``moving_averages``, ``oscillators``,
        ``label``, ``streak`` and one ``vote_`` column per component; null where missing.

    Raises
    ------
    BadData
        When rows are unsorted or repeated.
    """
    starts = symbol_starts(indicators)
    votes = with_earlier(indicators).select(
        "symbol",
        "open_time",
        "close_time",
        *(component.vote() for component in (*MOVING_AVERAGES, *OSCILLATORS)),
    )
    averages_sum, averages_count = _tally(MOVING_AVERAGES)
    oscillators_sum, oscillators_count = _tally(OSCILLATORS)
    averages = _quotient(averages_sum, averages_count)
    oscillators = _quotient(oscillators_sum, oscillators_count)
    both = _quotient(
        averages_sum * oscillators_count + oscillators_sum * averages_count,
        2 * averages_count * oscillators_count,
    )
    rated = votes.with_columns(
        pl.coalesce(both, averages, oscillators).alias("rating"),
        averages.alias("moving_averages"),
        oscillators.alias("oscillators"),
    ).with_columns(label_expression(pl.col("rating")).alias("label"))
    counted = streaks(rated["rating"].to_list(), starts.tolist())
    leading = ("symbol", "open_time", "close_time", "rating", "moving_averages", "oscillators", "label")
    return rated.with_columns(pl.Series("streak", counted, dtype=pl.Int32)).select(
        *leading, "streak", pl.col("^vote_.*$")
    )


def with_earlier(indicators: pl.DataFrame) -> pl.DataFrame:
    """The indicators with the earlier bars that the rules read, as ``name@bars``."""
    symbol = pl.col("symbol")
    return indicators.with_columns(
        pl.when(symbol == symbol.shift(bars)).then(pl.col(name).shift(bars)).alias(f"{name}@{bars}")
        for name, bars in EARLIER
    )


def breakdown(
    rated: Mapping[str, Any], indicators: Mapping[str, Any]
) -> list[tuple[str, int | None, float | None]]:
    """Component, vote and value of one rated bar, in the published order.

    Parameters
    ----------
    rated, indicators
        The bar's row of ratings and of indicators.

    Raises
    ------
    BadData
        If the rows are of different bars.
    """
    bar, other = ((row["symbol"], row["open_time"]) for row in (rated, indicators))
    if bar != other:
        raise BadData(f"indicators: are of {other}, the ratings of {bar}; hand in rows of one bar")
    return [
        (component.name, rated[f"vote_{component.name}"], indicators[component.value])
        for component in (*MOVING_AVERAGES, *OSCILLATORS)
    ]


def _tally(components: tuple[Component, ...]) -> tuple[pl.Expr, pl.Expr]:
    names = [f"vote_{component.name}" for component in components]
    total = pl.sum_horizontal(pl.col(name).cast(pl.Int64) for name in names)
    count = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int64) for name in names)
    return total, count


def _quotient(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    return pl.when(denominator > 0).then(numerator.cast(pl.Float64) / denominator.cast(pl.Float64))
