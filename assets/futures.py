"""USDT-margined perpetuals of the coins in the universe: klines, computed prices, funding, open interest."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.checks import (
    CERTIFIED,
    provisional_agrees,
    provisional_agrees_spec,
    revised_rows,
    specs,
    summarised,
)
from assets.declare import lake_spec, write_days
from assets.market import READ_RETRIES
from assets.partitions import DAILY, days_of
from resources.futures_ingest import Fetched
from resources.history import Update
from resources.ingest import read_or_empty
from resources.platform import Platform, PlatformResource
from trading.model.days import end_ms
from warehouse.datasets.futures_certificates import (
    CERTIFIED_SERIES,
    FUTURES_CERTIFICATES,
    FUTURES_GAPS,
    FUTURES_REPAIRS,
    FUTURES_SOURCES,
)
from warehouse.lake.partition import PartitionInfo
from warehouse.schema import Dataset

_FETCHED = [dataset.name for dataset in (*CERTIFIED_SERIES, FUTURES_SOURCES, FUTURES_REPAIRS)]


@dg.multi_asset(
    name="fetch_futures",
    specs=[
        lake_spec(dataset, group="futures", deps=["universe"])
        for dataset in (*CERTIFIED_SERIES, FUTURES_SOURCES, FUTURES_REPAIRS)
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[provisional_agrees_spec(dataset.name) for dataset in CERTIFIED_SERIES],
    retry_policy=READ_RETRIES,
)
def fetch_futures(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Every series of the day's perpetuals, repaired, with the files and the repairs behind it."""
    tidemill = platform.get()
    days = days_of(context)
    files: dict[date, list[pl.DataFrame]] = {day: [_none(FUTURES_SOURCES)] for day in days}
    asked: dict[date, list[pl.DataFrame]] = {day: [_none(FUTURES_REPAIRS)] for day in days}

    def note(dataset: Dataset, day: date, fetched: Fetched) -> None:
        series = pl.lit(dataset.name).alias("series")
        files[day].append(fetched.files.select(series, pl.all()))
        asked[day].append(fetched.repairs.select(series, pl.all()))

    for dataset in CERTIFIED_SERIES:
        yield _series(context, tidemill, dataset, note)

    def sources(day: date) -> pl.DataFrame:
        return pl.concat(files[day])

    def repairs(day: date) -> pl.DataFrame:
        known = read_or_empty(tidemill.lake, FUTURES_REPAIRS, day)
        return pl.concat([known, *asked[day]]).unique(FUTURES_REPAIRS.key, keep="last")

    yield write_days(context, tidemill.lake, FUTURES_SOURCES, sources, key=FUTURES_SOURCES.name)
    yield write_days(context, tidemill.lake, FUTURES_REPAIRS, repairs, key=FUTURES_REPAIRS.name)


def _series(
    context: dg.AssetExecutionContext,
    tidemill: Platform,
    dataset: Dataset,
    note: Callable[[Dataset, date, Fetched], None],
) -> dg.MaterializeResult:
    """Fetch and store the days of one series."""
    ingest = tidemill.futures
    contracts = {day: tidemill.futures_judge.contracts(day) for day in days_of(context)}
    followed = sorted({symbol for rows in contracts.values() for symbol in rows["symbol"]})
    ingest.prefetch(dataset.name, followed, list(contracts))

    fetched: dict[date, Fetched] = {}
    updates: dict[date, Update] = {}
    extra: dict[str, Any] = {}

    def build(day: date) -> pl.DataFrame:
        fetched[day] = ingest.fetch(dataset.name, contracts[day], day)
        note(dataset, day, fetched[day])
        return fetched[day].rows

    def written(day: date, info: PartitionInfo) -> None:
        found = fetched.pop(day)
        ingest.record(dataset.name, day, found, info)
        updates[day] = found.update.without_rows()

    def checks(_: list[date]) -> list[dg.AssetCheckResult]:
        extra.update(revised_rows(updates))
        return [provisional_agrees(dataset.name, updates)]

    return write_days(
        context,
        tidemill.lake,
        dataset,
        build,
        extra=extra,
        written=written,
        checks=checks,
        key=dataset.name,
        background=True,
    )


def _none(dataset: Dataset) -> pl.DataFrame:
    return pl.DataFrame(schema=dataset.schema)


@dg.multi_asset(
    name="certify_futures",
    specs=[
        lake_spec(FUTURES_GAPS, group="futures", deps=_FETCHED),
        lake_spec(FUTURES_CERTIFICATES, group="futures", deps=_FETCHED),
    ],
    check_specs=specs(
        FUTURES_CERTIFICATES.name,
        {CERTIFIED: "Every contract of every series is certified, for exactly the rows that are stored."},
    ),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def certify_futures(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Every hole with its kind, and a certificate for every series and contract."""
    tidemill = platform.get()
    judge, now_ms = tidemill.futures_judge, tidemill.clock.now_ms()

    def gaps(day: date) -> pl.DataFrame:
        return judge.gaps(day, min(end_ms(day), now_ms))

    def certificates(day: date) -> pl.DataFrame:
        return judge.certificates(day, min(end_ms(day), now_ms))

    def certified(days: list[date]) -> list[dg.AssetCheckResult]:
        outcomes = {day: judge.certified(day) for day in days}
        return [summarised(FUTURES_CERTIFICATES.name, CERTIFIED, outcomes)]

    yield write_days(context, tidemill.lake, FUTURES_GAPS, gaps, key=FUTURES_GAPS.name)
    yield write_days(
        context,
        tidemill.lake,
        FUTURES_CERTIFICATES,
        certificates,
        checks=certified,
        key=FUTURES_CERTIFICATES.name,
    )


FUTURES_ASSETS = [fetch_futures, certify_futures]
