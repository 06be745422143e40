"""Filling holes from the next source: what one lacks another may have, and every question is on record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from resources.market_data.columns import empty
from trading.bars.gaps import REPAIRABLE, GapEvidence, find_gaps
from trading.errors import BadData, TradingError
from trading.instruments.calendar import Maintenance
from trading.model.days import end_ms
from trading.model.interval import MINUTE_MS
from trading.model.series import Series
from trading.ports import MarketData
from warehouse.datasets.certificates import KLINE_REPAIRS
from warehouse.datasets.market import KLINES
from warehouse.schema import TIMESTAMP

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repairs:
    """Klines with their holes filled as far as anybody could.

    Attributes
    ----------
    klines
        Rows of the series' dataset, sorted; a repaired row names the source that had it.
    asked
        Rows of the ``kline_repairs`` dataset: one per hole and source asked.
    """

    klines: pl.DataFrame
    asked: pl.DataFrame


def read_whole(
    source: MarketData,
    symbols: Sequence[str],
    start_ms: int,
    end_ms: int,
    series: Series = Series.SPOT,
    *,
    leave_bad: bool,
) -> pl.DataFrame:
    """Klines of a closed day, sorted.

    Parameters
    ----------
    leave_bad
        Leave out the symbols whose data is bad, because another source can be asked for them.

    Raises
    ------
    BadData
        If the data of any symbol is bad and none may be left out.
    """
    try:
        return source.klines(symbols, start_ms, end_ms, series)
    except BadData as error:
        if not leave_bad:
            raise
        _LOG.warning("%s: %s; its symbols are asked for one by one", source.name, error)
    parts = [empty(series)]
    for symbol in symbols:
        try:
            parts.append(source.klines([symbol], start_ms, end_ms, series))
        except BadData as error:
            _LOG.warning("%s is left to the next source: %s", symbol, error)
    return pl.concat(parts).sort(KLINES.key)


def repair(
    klines: pl.DataFrame,
    universe: pl.DataFrame,
    day: date,
    others: Sequence[MarketData],
    maintenance: Sequence[Maintenance],
    now_ms: int,
    series: Series = Series.SPOT,
) -> Repairs:
    """Ask other sources, in their order, for the minutes of a closed day that are missing.

    A source that cannot be asked leaves no answer: the hole then counts as a defect, not as silence.
    """
    asked: list[pl.DataFrame] = []
    for source in others:
        gaps = find_gaps(klines, universe, day, end_ms(day), GapEvidence(maintenance=maintenance))
        holes = gaps.filter(pl.col("kind").is_in(REPAIRABLE))
        if holes.is_empty():
            break
        try:
            offered = _offered(source, holes, series)
        except TradingError as error:
            _LOG.warning("%s cannot be asked about the holes of %s: %s", source.name, day, error)
            continue
        added = offered.join(klines.select(KLINES.key), on=list(KLINES.key), how="anti")
        asked.append(_answers(holes, added, source.name, now_ms))
        klines = pl.concat([klines, added]).sort(KLINES.key)
    return Repairs(klines, pl.concat(asked) if asked else pl.DataFrame(schema=KLINE_REPAIRS.schema))


def _offered(source: MarketData, holes: pl.DataFrame, series: Series) -> pl.DataFrame:
    """What a source has between the first and the last hole."""
    first = int(holes["first_missing"].dt.epoch("ms").min())  # type: ignore[arg-type]
    last = int(holes["last_missing"].dt.epoch("ms").max())  # type: ignore[arg-type]
    return source.klines(holes["symbol"].unique().sort().to_list(), first, last + MINUTE_MS, series)


def _answers(holes: pl.DataFrame, added: pl.DataFrame, source: str, now_ms: int) -> pl.DataFrame:
    inside = pl.col("open_time").is_between("first_missing", "last_missing")
    found = (
        holes.join(added.select("symbol", "open_time"), on="symbol")
        .filter(inside)
        .group_by("symbol", "first_missing")
        .agg(pl.len().cast(pl.Int64).alias("found"))
    )
    return (
        holes.join(found, on=["symbol", "first_missing"], how="left")
        .with_columns(
            pl.col("found").fill_null(0),
            pl.lit(source).alias("asked"),
            pl.lit(now_ms).cast(TIMESTAMP).alias("asked_at"),
        )
        .select(list(KLINE_REPAIRS.schema))
    )
