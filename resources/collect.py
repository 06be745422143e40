"""Bringing the klines of a day from a source into the shape of its partition."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl

from resources.settings import Universe
from trading.errors import BadData, FixConfiguration
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS
from trading.ports import MarketData
from warehouse.datasets.market import INSTRUMENTS, KLINES
from warehouse.lake.lake import Lake


def choose_universe(instruments: list[Instrument], universe: Universe) -> list[Instrument]:
    """The pairs to follow, sorted by symbol, with the reference pair always among them.

    Raises
    ------
    FixConfiguration
        If a configured symbol or the reference is not among the source's instruments.
    """
    listed = {i.symbol: i for i in instruments if i.quote == universe.quote and i.status == "TRADING"}
    wanted = list(universe.symbols) or list(listed)[: universe.max_symbols]
    if universe.reference not in wanted:
        wanted = [universe.reference, *wanted[: max(len(wanted) - (not universe.symbols), 0)]]
    unknown = [symbol for symbol in wanted if symbol not in listed]
    if unknown:
        raise FixConfiguration(
            f"universe: the source does not trade {', '.join(unknown)} against {universe.quote}; "
            f"it lists {len(listed)} pairs such as {', '.join(list(listed)[:5])}"
        )
    return [listed[symbol] for symbol in sorted(wanted)]


def instrument_rows(instruments: list[Instrument]) -> pl.DataFrame:
    """Instruments as rows of the ``instruments`` dataset; Decimals as exact text."""
    rows = [
        {
            "symbol": i.symbol,
            "base": i.base,
            "quote": i.quote,
            "tick_size": format(i.tick_size, "f"),
            "lot_step": format(i.lot_step, "f"),
            "min_quantity": format(i.min_quantity, "f"),
            "max_quantity": format(i.max_quantity, "f"),
            "min_notional": format(i.min_notional, "f"),
            "listed_at": i.listed_at_ms,
            "status": i.status,
        }
        for i in instruments
    ]
    frame = pl.DataFrame(rows, schema_overrides={"listed_at": pl.Int64})
    return frame.with_columns(pl.col("listed_at").cast(INSTRUMENTS.schema["listed_at"]))


def instruments_of(rows: pl.DataFrame) -> dict[str, Instrument]:
    """Instruments by symbol from rows of the ``instruments`` dataset, with exact Decimals."""
    return {
        row["symbol"]: Instrument(
            symbol=row["symbol"],
            base=row["base"],
            quote=row["quote"],
            tick_size=Decimal(row["tick_size"]),
            lot_step=Decimal(row["lot_step"]),
            min_quantity=Decimal(row["min_quantity"]),
            max_quantity=Decimal(row["max_quantity"]),
            min_notional=Decimal(row["min_notional"]),
            listed_at_ms=row["listed_at"],
            status=row["status"],
        )
        for row in rows.with_columns(pl.col("listed_at").dt.timestamp("ms")).iter_rows(named=True)
    }


def collect_day(
    source: MarketData, lake: Lake, symbols: list[str], day: date, *, day_start_ms: int, day_end_ms: int
) -> pl.DataFrame:
    """Klines of one day: a closed day is fetched whole, the open day is extended from what is stored.

    Raises
    ------
    BadData
        If the day has not begun at the source.
    """
    now_ms = source.now_ms()
    if day_start_ms >= now_ms:
        raise BadData(f"date {day}: the source's clock has not reached it; choose an earlier day")
    stored = None if day_end_ms <= now_ms else _stored(lake, day)
    if stored is None:
        return source.klines(symbols, day_start_ms, min(day_end_ms, now_ms))
    return _extend(source, stored, symbols, day_start_ms, min(day_end_ms, now_ms))


def _extend(
    source: MarketData, stored: pl.DataFrame, symbols: list[str], start_ms: int, end_ms: int
) -> pl.DataFrame:
    """Add what is new; a symbol that missed an earlier extension is asked from where it stopped."""
    newest = stored.group_by("symbol").agg(pl.col("open_time").dt.timestamp("ms").max() + MINUTE_MS)
    resume = dict(zip(newest["symbol"], newest["open_time"], strict=True))
    front = max(resume.values())
    current = [symbol for symbol in symbols if resume.get(symbol) == front]
    lagging = [symbol for symbol in symbols if resume.get(symbol) != front]
    parts = [source.klines(current, front, end_ms)]
    if lagging:
        parts.append(source.klines(lagging, min(resume.get(s, start_ms) for s in lagging), end_ms))
    fresh = pl.concat(parts)
    kept = stored.join(fresh, on=list(KLINES.key), how="anti")
    return pl.concat([kept, fresh]).sort(KLINES.key)


def _stored(lake: Lake, day: date) -> pl.DataFrame | None:
    if lake.info(KLINES, day) is None:
        return None
    frame = lake.read(KLINES, day)
    return frame if len(frame) else None
