"""Market data: the day's klines, their certificate, a second opinion, and the bars made of them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.checks import (
    CERTIFIED,
    GAP_CHECKS,
    ROW_CHECKS,
    kline_checks,
    provisional_agrees,
    provisional_agrees_spec,
    revised_rows,
    specs,
    summarised,
)
from assets.declare import lake_asset, lake_spec, write_days
from assets.partitions import DAILY, days_of
from resources.history import Update
from resources.ingest import Ingested
from resources.platform import PlatformResource
from trading.bars.resample import resample
from trading.errors import RetryLater
from trading.model.days import end_ms, start_ms
from trading.model.interval import RESAMPLED, Interval
from warehouse.datasets.certificates import KLINE_CERTIFICATES, KLINE_GAPS, REFERENCE_KLINES
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.partition import PartitionInfo

#: Reads from a venue may be repeated; nothing else in the graph is.
READ_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@lake_asset(
    KLINES,
    group="market",
    deps=["universe"],
    retry_policy=READ_RETRIES,
    check_specs=[
        *specs("klines", ROW_CHECKS),
        provisional_agrees_spec("klines"),
    ],
)
def klines(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """One-minute klines: closed days whole and repaired, the open day extended bar by bar."""
    tidemill = platform.get()
    fetched: dict[date, Ingested] = {}
    updates: dict[date, Update] = {}
    extra: dict[str, Any] = {"source": tidemill.market.name}
    tidemill.prefetch_klines(days_of(context), context.log.info)

    def build(day: date) -> pl.DataFrame:
        fetched[day] = tidemill.ingest.fetch(tidemill.universe(day), day)
        return fetched[day].klines

    def written(day: date, info: PartitionInfo) -> None:
        ingested = fetched.pop(day)
        tidemill.ingest.record(day, ingested, info)
        updates[day] = ingested.update.without_rows()

    def checks(days: list[date]) -> Iterator[dg.AssetCheckResult]:
        yield from kline_checks(tidemill, "klines", ROW_CHECKS, days)
        yield provisional_agrees("klines", updates)
        extra.update(revised_rows(updates))

    return write_days(
        context,
        tidemill.lake,
        KLINES,
        build,
        extra=extra,
        written=written,
        checks=checks,
        background=True,
    )


@lake_asset(REFERENCE_KLINES, group="market", deps=["universe"])
def reference_klines(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Candles of another venue for the same minutes; no rows where none is configured."""
    tidemill = platform.get()
    lake, venue = tidemill.lake, tidemill.second_opinion

    def build(day: date) -> pl.DataFrame:
        stored = lake.window(REFERENCE_KLINES, day, day)
        if venue is None:
            return stored
        symbols = tidemill.universe(day)["symbol"].to_list()
        try:
            return venue.reference_klines(symbols, start_ms(day), min(end_ms(day), tidemill.clock.now_ms()))
        except RetryLater as error:  # a second opinion that cannot be had stops nobody
            context.log.warning(f"no second opinion of {day}: {error}")
            return stored

    return write_days(context, lake, REFERENCE_KLINES, build)


@dg.multi_asset(
    name="certify_klines",
    specs=[
        lake_spec(KLINE_GAPS, group="market", deps=["klines"]),
        lake_spec(KLINE_CERTIFICATES, group="market", deps=["klines", "reference_klines"]),
    ],
    check_specs=[
        *specs("kline_gaps", GAP_CHECKS),
        *specs(
            "kline_certificates",
            {CERTIFIED: "Every followed symbol is certified, for exactly the klines that are stored."},
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def certify_klines(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Every hole with its kind, and a certificate for every symbol."""
    tidemill = platform.get()
    lake, judge = tidemill.lake, tidemill.judge

    def gaps(day: date) -> pl.DataFrame:
        return judge.gaps(day, tidemill.closed_before_ms(day))

    def gap_checks(days: list[date]) -> Iterator[dg.AssetCheckResult]:
        return kline_checks(tidemill, "kline_gaps", GAP_CHECKS, days)

    def certificates(day: date) -> pl.DataFrame:
        return judge.certificates(day, tidemill.closed_before_ms(day))

    def certified(days: list[date]) -> list[dg.AssetCheckResult]:
        return [summarised("kline_certificates", CERTIFIED, {day: judge.certified(day) for day in days})]

    yield write_days(context, lake, KLINE_GAPS, gaps, checks=gap_checks, key="kline_gaps")
    yield write_days(
        context, lake, KLINE_CERTIFICATES, certificates, checks=certified, key="kline_certificates"
    )


def _bars(interval: Interval) -> dg.AssetsDefinition:
    @lake_asset(BARS, interval=interval, group="bars", deps=["klines", "kline_certificates"])
    def bars(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
        tidemill = platform.get()

        def build(day: date) -> pl.DataFrame:
            rows = tidemill.judge.require_certified(day)
            return resample(rows, interval, closed_before_ms=tidemill.closed_before_ms(day))

        return write_days(context, tidemill.lake, BARS, build, interval=interval)

    return bars


BARS_ASSETS = [_bars(interval) for interval in RESAMPLED]
