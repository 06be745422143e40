"""USDT-margined perpetuals of the coins in the universe: klines, computed prices, funding, open interest."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import polars as pl

from assets.declare import lake_asset, write_days
from assets.market import READ_RETRIES
from assets.partitions import days_of
from resources.platform import Platform, PlatformResource
from trading.model.days import end_ms, start_ms
from trading.model.series import Series
from warehouse.datasets.futures import (
    FUNDING_RATES,
    INDEX_KLINES,
    MARK_KLINES,
    OPEN_INTEREST,
    PREMIUM_KLINES,
    USDM_KLINES,
)
from warehouse.schema import Dataset

_SERIES = {
    Series.USDM: USDM_KLINES,
    Series.MARK: MARK_KLINES,
    Series.INDEX: INDEX_KLINES,
    Series.PREMIUM: PREMIUM_KLINES,
}
#: What a venue answers about contracts between two moments (ms).
Read = Callable[[Platform, list[str], int, int], pl.DataFrame]


def _futures_asset(dataset: Dataset, read: Read, series: Series | None = None) -> dg.AssetsDefinition:
    @lake_asset(dataset, group="futures", deps=["universe"], retry_policy=READ_RETRIES)
    def futures(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
        tidemill = platform.get()
        days = days_of(context)
        if series is not None and len(days) > 1:
            contracts = sorted({contract for day in days for contract in tidemill.contracts(day)})
            tidemill.market.prefetch(contracts, start_ms(days[0]), end_ms(days[-1]), series)

        def build(day: date) -> pl.DataFrame:
            return read(tidemill, tidemill.contracts(day), start_ms(day), end_ms(day))

        return write_days(context, tidemill.lake, dataset, build)

    return futures


def _klines(series: Series) -> Read:
    return lambda tidemill, contracts, start, end: tidemill.market.klines(contracts, start, end, series)


FUTURES_ASSETS = [
    *(_futures_asset(dataset, _klines(series), series) for series, dataset in _SERIES.items()),
    _futures_asset(FUNDING_RATES, lambda tidemill, *query: tidemill.market.funding_rates(*query)),
    _futures_asset(OPEN_INTEREST, lambda tidemill, *query: tidemill.market.open_interest(*query)),
]
