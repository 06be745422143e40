"""Instruments as rows of the ``instruments`` dataset and back, every Decimal exact."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import polars as pl

from trading.instruments.corrections import Correction
from trading.instruments.master import DatedInstrument, build
from trading.model.canonical import canonical_json
from trading.model.instrument import Instrument, MarginBracket
from trading.model.series import Market

_STAMP = pl.Datetime("ms", "UTC")
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "market": pl.String,
    "symbol": pl.String,
    "valid_from": _STAMP,
    "valid_to": _STAMP,
    "base": pl.String,
    "quote": pl.String,
    "underlying": pl.String,
    "multiplier": pl.Int64,
    "tick_size": pl.String,
    "lot_step": pl.String,
    "min_quantity": pl.String,
    "max_quantity": pl.String,
    "min_notional": pl.String,
    "maker_fee_bps": pl.String,
    "taker_fee_bps": pl.String,
    "funding_interval_hours": pl.Int64,
    "brackets": pl.String,
    "listed_at": _STAMP,
    "delisted_at": _STAMP,
    "status": pl.String,
    "origin": pl.String,
}
_DECIMALS = (
    *("tick_size", "lot_step", "min_quantity", "max_quantity", "min_notional"),
    *("maker_fee_bps", "taker_fee_bps"),
)
_AS_THEY_ARE = ("symbol", "base", "quote", "underlying", "multiplier", "funding_interval_hours", "status")


def build_rows(
    day: date,
    venue: Iterable[Instrument],
    corrections: Iterable[Correction],
    *,
    stated_at_ms: int,
    stored: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The day's partition of ``instruments``: `trading.instruments.master.build` as rows.

    ``stored`` is the partition that is there already; what the venue said then is kept. Pass it for a
    closed day, and None to take over what the venue says now.
    """
    kept = [] if stored is None else venue_facts(stored)
    return to_rows(build(day, venue, corrections, stated_at_ms=stated_at_ms, stored=kept))


def to_rows(dated: Sequence[DatedInstrument]) -> pl.DataFrame:
    """Rows of the ``instruments`` dataset, in the order given."""
    found = [item.instrument for item in dated]
    columns: dict[str, list[object]] = {
        "market": [item.market.value for item in found],
        "valid_from": [item.valid_from_ms for item in dated],
        "valid_to": [item.valid_to_ms for item in dated],
        "brackets": [_brackets_text(item.brackets) for item in found],
        "listed_at": [item.listed_at_ms for item in found],
        "delisted_at": [item.delisted_at_ms for item in found],
        "origin": [item.origin for item in dated],
    }
    columns |= {name: [getattr(item, name) for item in found] for name in _AS_THEY_ARE}
    columns |= {name: [_text(getattr(item, name)) for item in found] for name in _DECIMALS}
    raw = {name: pl.Int64 if dtype == _STAMP else dtype for name, dtype in SCHEMA.items()}
    return pl.DataFrame({name: columns[name] for name in SCHEMA}, schema=raw).cast(SCHEMA)  # type: ignore[arg-type]


def rows_at(rows: pl.DataFrame, at_ms: int, market: Market = Market.SPOT) -> pl.DataFrame:
    """The rows of one market that hold at a moment: at most one per symbol."""
    from_ms, to_ms = pl.col("valid_from").dt.epoch("ms"), pl.col("valid_to").dt.epoch("ms")
    return rows.filter(pl.col("market") == market.value, from_ms <= at_ms, to_ms.is_null() | (to_ms > at_ms))


def instruments_of(
    rows: pl.DataFrame, at_ms: int, market: Market = Market.SPOT, symbols: Collection[str] | None = None
) -> dict[str, Instrument]:
    """A market's instruments as of a moment, by symbol.

    Parameters
    ----------
    rows
        A partition of the ``instruments`` dataset.
    at_ms
        A moment of the partition's day, or a later one that nothing newer is known about. Earlier
        days have their own partitions.
    symbols
        Only these; None is all. Reading few is much faster.
    """
    found = rows_at(rows, at_ms, market)
    if symbols is not None:
        found = found.filter(pl.col("symbol").is_in(list(symbols)))
    return {item.symbol: item for item in _instruments(found)}


def venue_facts(rows: pl.DataFrame) -> list[Instrument]:
    """What the venue said when a stored partition was built, without any correction."""
    found = rows.filter(pl.col("origin") == "venue").unique(["market", "symbol"], maintain_order=True)
    return _instruments(found)


def _instruments(rows: pl.DataFrame) -> list[Instrument]:
    times = pl.col("listed_at", "delisted_at").dt.epoch("ms")
    return [_instrument(row) for row in rows.with_columns(times).iter_rows(named=True)]


def _instrument(row: dict[str, Any]) -> Instrument:
    maker, taker = row["maker_fee_bps"], row["taker_fee_bps"]
    return Instrument(
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
        market=Market(row["market"]),
        delisted_at_ms=row["delisted_at"],
        underlying=row["underlying"],
        multiplier=row["multiplier"],
        maker_fee_bps=None if maker is None else Decimal(maker),
        taker_fee_bps=None if taker is None else Decimal(taker),
        funding_interval_hours=row["funding_interval_hours"],
        brackets=_brackets(row["brackets"]),
    )


def _text(value: Decimal | None) -> str | None:
    """One text for equal values, without an exponent."""
    if value is None:
        return None
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if value == 0 else text


# The same few hundred schedules come back on every day of a backfill.
@lru_cache(maxsize=4_096)
def _brackets_text(brackets: tuple[MarginBracket, ...]) -> str:
    return canonical_json([{name: getattr(item, name) for name in item.__slots__} for item in brackets])


@lru_cache(maxsize=4_096)
def _brackets(text: str) -> tuple[MarginBracket, ...]:
    return tuple(
        MarginBracket(
            floor_notional=Decimal(item["floor_notional"]),
            cap_notional=Decimal(item["cap_notional"]),
            max_leverage=item["max_leverage"],
            maintenance_fraction=Decimal(item["maintenance_fraction"]),
            maintenance_amount=Decimal(item["maintenance_amount"]),
        )
        for item in json.loads(text)
    )
