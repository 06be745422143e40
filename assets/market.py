"""Market data: the day's universe, its one-minute klines, their gaps and the bars made of them."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import lake_asset, write_days
from resources.collect import choose_universe, collect_day, instrument_rows
from resources.platform import PlatformResource
from trading.bars.gaps import find_gaps
from trading.bars.resample import resample
from trading.model.days import end_ms, start_ms
from trading.model.interval import RESAMPLED, Interval
from warehouse.datasets.market import BARS, INSTRUMENTS, KLINE_GAPS, KLINES

#: Reads from a venue may be repeated; nothing else in the graph is.
READ_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@lake_asset(INSTRUMENTS, group="market", retry_policy=READ_RETRIES)
def instruments(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The universe of each day with the venue's filters."""
    tidemill = platform.get()
    chosen = choose_universe(tidemill.market.instruments(), tidemill.settings.universe)
    rows = instrument_rows(chosen)
    return write_days(context, tidemill.lake, INSTRUMENTS, lambda day: rows)


@lake_asset(KLINES, group="market", deps=["instruments"], retry_policy=READ_RETRIES)
def klines(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """One-minute klines: closed days whole, the open day extended bar by bar."""
    tidemill = platform.get()
    revised: dict[str, int] = {}

    def build(day: date) -> pl.DataFrame:
        symbols = tidemill.lake.read(INSTRUMENTS, day)["symbol"].to_list()
        before = tidemill.lake.info(KLINES, day)
        provisional = tidemill.lake.read(KLINES, day) if before else None
        frame = collect_day(
            tidemill.market, tidemill.lake, symbols, day, day_start_ms=start_ms(day), day_end_ms=end_ms(day)
        )
        if provisional is not None:
            changed = provisional.join(frame, on=frame.columns, how="anti", nulls_equal=True).height
            if changed:
                revised[day.isoformat()] = changed
        return frame

    extra: dict[str, Any] = {"source": tidemill.market.name, "revised_rows_by_day": revised}
    return write_days(context, tidemill.lake, KLINES, build, extra=extra)


@lake_asset(KLINE_GAPS, group="market", deps=["klines"])
def kline_gaps(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Every hole in the day's klines, by symbol and kind."""
    tidemill = platform.get()

    def build(day: date) -> pl.DataFrame:
        return find_gaps(
            tidemill.lake.read(KLINES, day),
            tidemill.lake.read(INSTRUMENTS, day),
            day,
            closed_before_ms=tidemill.closed_before_ms(day),
        )

    return write_days(context, tidemill.lake, KLINE_GAPS, build)


def _bars(interval: Interval) -> dg.AssetsDefinition:
    @lake_asset(BARS, interval=interval, group="bars", deps=["klines", "kline_gaps"])
    def bars(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
        tidemill = platform.get()

        def build(day: date) -> pl.DataFrame:
            rows = tidemill.lake.read(KLINES, day)
            return resample(rows, interval, closed_before_ms=tidemill.closed_before_ms(day))

        return write_days(context, tidemill.lake, BARS, build, interval=interval)

    return bars


BARS_ASSETS = [_bars(interval) for interval in RESAMPLED]
