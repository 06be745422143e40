"""Choose the day's pairs from the lake; where that fails, those of the day before stay."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from trading.factory.lifecycle.pairs import SCHEMA, PairFacts, facts_of, select_pairs
from trading.factory.lifecycle.settings import PairSettings
from trading.model.days import end_ms
from trading.model.interval import Interval
from warehouse.datasets.market import BARS
from warehouse.datasets.screening import SCREENER_RATINGS
from warehouse.datasets.selection import PAIR_SELECTION
from warehouse.lake.lake import Lake

#: Days that a choice is kept for; an older one is not traded on.
KEPT_DAYS = 7


def choose_pairs(lake: Lake, day: date, settings: PairSettings) -> pl.DataFrame:
    """The rows of the day's `PAIR_SELECTION`.

    Where no pair passes, the last choice of at most `KEPT_DAYS` days before is kept, each of its pairs with
    the reason ``kept``; the others say why they did not pass.

    Returns
    -------
    polars.DataFrame
        Without a selected row where there is nothing to keep either.
    """
    rows = select_pairs(_facts(lake, day, settings), day, settings)
    if rows["selected"].any():
        return rows
    kept = _newest_choice(lake, day - timedelta(days=1), day)
    if kept.is_empty():
        return rows
    kept = kept.with_columns(pl.lit("kept").alias("reason"))
    return pl.concat([rows.join(kept, on="symbol", how="anti"), kept]).sort("symbol")


def pairs_of(lake: Lake, day: date) -> list[str]:
    """The pairs to trade on a day, best first: of its choice, else of the newest one of the last `KEPT_DAYS`.

    Empty where there is none.
    """
    chosen = _newest_choice(lake, day, day)
    return [str(symbol) for symbol in chosen.sort("rank", "symbol")["symbol"]]


def _facts(lake: Lake, day: date, settings: PairSettings) -> list[PairFacts]:
    end = datetime.fromtimestamp(end_ms(day) / 1000, UTC)
    first = day - timedelta(days=max(settings.volatility_days, settings.momentum_days) + 1)
    columns = ["symbol", "close_time", "close", "quote_volume"]
    bars = lake.window(BARS, first, day, Interval.H1, columns)
    rated = lake.window(SCREENER_RATINGS, day, day, Interval.H1, ["symbol", "close_time", "rating"])
    newest = rated.filter(pl.col("close_time") == end, pl.col("rating").is_not_null())
    ratings = dict(zip(newest["symbol"], newest["rating"], strict=True))
    return facts_of(bars, ratings, end, settings)


def _newest_choice(lake: Lake, newest: date, day: date) -> pl.DataFrame:
    """The selected rows of the newest partition up to ``newest`` that are young enough for the day."""
    oldest = day - timedelta(days=KEPT_DAYS)
    for back in range((newest - oldest).days + 1):
        before = newest - timedelta(days=back)
        if lake.info(PAIR_SELECTION, before) is not None:
            return lake.read(PAIR_SELECTION, before).filter("selected", pl.col("chosen_on") >= oldest)
    return pl.DataFrame(schema=SCHEMA)
