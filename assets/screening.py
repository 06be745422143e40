"""Screening: indicators and ratings per interval, the BTC regime, fork scores and rating kicks."""

from datetime import date, timedelta

import dagster as dg
import polars as pl

from assets.checks import rated_every_bar, rated_every_bar_spec, window_complete, window_complete_spec
from assets.declare import lake_asset, write_days
from resources.platform import PlatformResource
from trading.indicators import window as indicator_window
from trading.model.interval import RESAMPLED, Interval
from trading.ratings import window as rating_window
from trading.screening import btc, fork, kicks
from warehouse.datasets.market import BARS
from warehouse.datasets.screening import (
    BTC_CONDITION,
    FORK_SCORES,
    INDICATORS,
    RATING_KICKS,
    SCREENER_RATINGS,
)

#: A look-back is as long on every day.
_ANY_DAY = date(2026, 1, 1)


def _indicators(interval: Interval) -> dg.AssetsDefinition:
    @lake_asset(
        INDICATORS,
        interval=interval,
        group="indicators",
        deps=[f"bars_{interval.value}"],
        lookback_days=(_ANY_DAY - indicator_window.window_start(_ANY_DAY, interval)).days,
        kinds={"talib", "parquet"},
        check_specs=[window_complete_spec(f"indicators_{interval.value}")],
    )
    def indicators(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
        lake = platform.get().lake

        def build(day: date) -> pl.DataFrame:
            first = indicator_window.window_start(day, interval)
            bars = lake.window(BARS, first, day, interval).sort(BARS.key)
            return indicator_window.for_day(bars, day, interval)

        def checks(days: list[date]) -> list[dg.AssetCheckResult]:
            return [window_complete(lake, days, interval)]

        return write_days(context, lake, INDICATORS, build, interval=interval, checks=checks)

    return indicators


def _ratings(interval: Interval) -> dg.AssetsDefinition:
    @lake_asset(
        SCREENER_RATINGS,
        interval=interval,
        group="screening",
        deps=[f"indicators_{interval.value}"],
        lookback_days=(_ANY_DAY - rating_window.window_start(_ANY_DAY, interval)).days,
        check_specs=[rated_every_bar_spec(f"screener_ratings_{interval.value}")],
    )
    def screener_ratings(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult:
        lake = platform.get().lake

        def build(day: date) -> pl.DataFrame:
            first = rating_window.window_start(day, interval)
            rows = lake.window(INDICATORS, first, day, interval).sort(INDICATORS.key)
            return rating_window.for_day(rows, day, interval)

        def checks(days: list[date]) -> list[dg.AssetCheckResult]:
            return [rated_every_bar(lake, days, interval)]

        return write_days(context, lake, SCREENER_RATINGS, build, interval=interval, checks=checks)

    return screener_ratings


INDICATOR_ASSETS = [_indicators(interval) for interval in RESAMPLED]
RATING_ASSETS = [_ratings(interval) for interval in RESAMPLED]


@lake_asset(BTC_CONDITION, group="screening", deps=["indicators_15m", "indicators_1h"], lookback_days=1)
def btc_condition(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The BTC regime of every 15-minute bar."""
    tidemill = platform.get()
    lake, symbol = tidemill.lake, tidemill.settings.universe.reference

    def build(day: date) -> pl.DataFrame:
        quarter_hours = lake.window(INDICATORS, day, day, Interval.M15)
        hours = lake.window(INDICATORS, day - timedelta(days=1), day, Interval.H1)
        return btc.for_day(quarter_hours, hours, day, symbol)

    return write_days(context, lake, BTC_CONDITION, build)


@lake_asset(
    FORK_SCORES,
    group="screening",
    deps=["indicators_15m", "indicators_1h", "btc_condition"],
    lookback_days=1,
)
def fork_scores(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Early-recovery scores of every 15-minute bar."""
    tidemill = platform.get()
    lake, settings = tidemill.lake, tidemill.settings.fork_score

    def build(day: date) -> pl.DataFrame:
        before = day - timedelta(days=1)
        quarter_hours = lake.window(INDICATORS, before, day, Interval.M15).sort(INDICATORS.key)
        hours = lake.window(INDICATORS, before, day, Interval.H1)
        return fork.for_day(quarter_hours, hours, lake.read(BTC_CONDITION, day), settings, day)

    return write_days(context, lake, FORK_SCORES, build)


@lake_asset(RATING_KICKS, group="screening", deps=["screener_ratings_15m", "fork_scores", "btc_condition"])
def rating_kicks(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Fork scores adjusted by the rating label of the same bar."""
    tidemill = platform.get()
    lake, settings = tidemill.lake, tidemill.settings.kicks

    def build(day: date) -> pl.DataFrame:
        ratings = lake.read(SCREENER_RATINGS, day, Interval.M15)
        scores, regime = lake.read(FORK_SCORES, day), lake.read(BTC_CONDITION, day)
        return kicks.rating_kicks(ratings, scores, regime, settings)

    return write_days(context, lake, RATING_KICKS, build)
