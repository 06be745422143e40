"""Who is followed: the instrument master of each day, and the universe chosen from it."""

from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg
import polars as pl

from assets.declare import lake_asset, write_days
from assets.market import READ_RETRIES
from assets.partitions import days_of
from resources.platform import Platform, PlatformResource
from trading.instruments.corrections import unmatched
from trading.instruments.rows import build_rows, instruments_of
from trading.instruments.universe import choose, with_listings
from trading.model.days import end_ms, start_ms
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE


@lake_asset(INSTRUMENTS, group="market", retry_policy=READ_RETRIES)
def instruments(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The instrument master of each day: what the venue says, with dated corrections on top."""
    tidemill = platform.get()
    lake, now_ms = tidemill.lake, tidemill.clock.now_ms()
    listed = tidemill.listed_instruments()
    for warning in unmatched(tidemill.corrections, listed):
        context.log.warning(warning)

    def rows(day: date) -> pl.DataFrame:
        closed = end_ms(day) <= now_ms
        stored = lake.window(INSTRUMENTS, day, day) if closed else None
        return build_rows(day, listed, tidemill.corrections, stated_at_ms=now_ms, stored=stored)

    return write_days(context, lake, INSTRUMENTS, rows)


class UniverseConfig(dg.Config):
    """Options of a run that chooses universes."""

    choose_again: bool = False
    """Replace a day's frozen universe. What was computed from it before then belongs to another one."""


@lake_asset(UNIVERSE, group="market", deps=["instruments"], retry_policy=READ_RETRIES)
def universe(
    context: dg.AssetExecutionContext, config: UniverseConfig, platform: PlatformResource
) -> dg.MaterializeResult:
    """The day's universe, from the traded value of the day before; chosen once and then kept."""
    tidemill = platform.get()
    lake = tidemill.lake
    frozen = set() if config.choose_again else set(lake.days(UNIVERSE))
    wanted = [day for day in days_of(context) if day not in frozen]
    volumes = _volumes(tidemill, wanted)
    open_day_held = tidemill.held()
    known = (
        {item.symbol for item in [*tidemill.market.instruments(), *tidemill.corrections]} if wanted else set()
    )

    def rows(day: date) -> pl.DataFrame:
        if day in frozen:
            return lake.read(UNIVERSE, day)
        stored = lake.read(INSTRUMENTS, day)
        chosen = choose(
            day,
            instruments_of(stored, start_ms(day)),
            volumes,
            tidemill.settings.universe,
            known=known | set(stored["symbol"]),
            held=open_day_held if end_ms(day) > tidemill.clock.now_ms() else (),
        )
        unknown = chosen.filter(pl.col("followed") & pl.col("listed_at").is_null())["symbol"].to_list()
        return with_listings(chosen, day, tidemill.market.listed_at_ms(unknown))

    return write_days(context, lake, UNIVERSE, rows, extra={"days_chosen": len(wanted)})


def _volumes(tidemill: Platform, days: Sequence[date]) -> pl.DataFrame:
    """Traded value of the days before the given ones, of every pair that might be followed."""
    if not days:
        return pl.DataFrame(schema={"symbol": pl.String, "day": pl.Date, "quote_volume": pl.Float64})
    pairs = pl.col("quote") == tidemill.settings.universe.quote
    spot = pl.col("market") == "spot"
    master = tidemill.lake.scan(INSTRUMENTS, min(days), max(days)).filter(spot & pairs)
    symbols = master.select("symbol").unique().collect()["symbol"].sort().to_list()
    one = timedelta(days=1)
    return tidemill.market.daily_volumes(symbols, min(days) - one, max(days) - one)
