"""Which perpetual stands for a spot pair, and how many coins one unit of it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from trading.instruments.master import TRADING
from trading.instruments.rows import instruments_of, rows_at
from trading.model.instrument import Instrument
from trading.model.series import Market


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual and the spot pair that it stands for.

    Attributes
    ----------
    pair
        Symbol of the spot pair; the venue may not list it.
    units
        How many of the pair's base one unit of the contract is: 1000 for 1000PEPEUSDT and PEPEUSDT.
    """

    instrument: Instrument
    pair: str
    units: int


def contracts_of(
    rows: pl.DataFrame, at_ms: int, pairs: Mapping[str, str], quote: str, *, held: Collection[str] = ()
) -> dict[str, Contract]:
    """Perpetuals that stand for spot pairs as of a moment, by the contract's symbol, then others that are held.

    A pair has the contract on its own base, else the one on a bundle of it; of several bundles the one that
    trades, then the smallest.

    Parameters
    ----------
    rows
        A partition of the ``instruments`` dataset.
    pairs
        Base asset by symbol of the pairs quoted in ``quote``.
    held
        Symbols of contracts that are wanted whatever is followed.
    """
    bases = {*pairs.values()}
    found = rows_at(rows, at_ms, Market.USDM).filter(
        pl.col("quote") == quote,
        pl.col("base").is_in(list(bases))
        | pl.col("underlying").is_in(list(bases))
        | pl.col("symbol").is_in(list(held)),
    )
    listed = instruments_of(rows, at_ms, Market.USDM, symbols=found["symbol"].to_list()).values()
    chosen: dict[str, Contract] = {}
    for symbol, base in pairs.items():
        best = min(_standing_for(base, listed), key=_preference, default=None)
        if best is not None:
            chosen[best.symbol] = Contract(best, symbol, _units(best, base))
    others = {
        item.symbol: Contract(item, item.underlying + quote, item.multiplier)
        for item in listed
        if item.symbol in held and item.symbol not in chosen
    }
    return dict(sorted(chosen.items())) | dict(sorted(others.items()))


def _standing_for(base: str, listed: Iterable[Instrument]) -> list[Instrument]:
    own = [item for item in listed if item.base == base]
    return own or [item for item in listed if item.underlying == base]


def _preference(item: Instrument) -> tuple[bool, int, str]:
    return item.status != TRADING, item.multiplier, item.symbol


def _units(item: Instrument, base: str) -> int:
    return 1 if item.base == base else item.multiplier
