"""The market of perpetuals at a tick: its instruments, and views of them at their own prices.

What speaks for or against a coin (indicators, ratings, scores, signals) is of its spot pair, as everywhere in
Tidemill. What is paid, stopped and valued is the contract's own price: from the lake where it has the minutes,
else from the market data source. No spot price ever stands in for it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl

from resources.execution.market_view import LakeReader
from trading.costs.spread import spread_by_symbol
from trading.errors import FixConfiguration
from trading.instruments.contracts import Contract, contracts_of
from trading.model.canonical import digest
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS, Interval
from trading.model.series import Series
from trading.model.snapshot import SymbolView
from trading.ports import MarketData
from warehouse.datasets.futures import USDM_KLINES
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.screening import INDICATORS

#: What a unit of an indicator turns into when the contract's unit is so many coins.
_POWER_OF_UNITS = {"quote": 1, "base": -1}
_UNIT_OF = {column.name: column.unit for column in INDICATORS.columns}


@dataclass(frozen=True, slots=True)
class ContractMarket:
    """The perpetuals that stand for the followed pairs, and those that are held.

    Attributes
    ----------
    contracts
        By the contract's symbol.
    """

    reader: LakeReader
    source: MarketData
    contracts: Mapping[str, Contract]

    @property
    def names(self) -> dict[str, str]:
        """The contract's symbol by that of its pair."""
        first: dict[str, str] = {}
        for symbol, contract in self.contracts.items():
            first.setdefault(contract.pair, symbol)
        return first

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The contracts as of the bar close, by symbol."""
        return {symbol: contract.instrument for symbol, contract in self.contracts.items()}

    def views(self, pairs: Mapping[str, SymbolView], span_ms: int) -> dict[str, SymbolView]:
        """Views of the pairs as views of their contracts, by symbol.

        A pair without a contract keeps its symbol and has no price, so that its candidates are explained.

        Parameters
        ----------
        span_ms
            Length of the minutes before the bar close that prices and spreads come from.
        """
        minutes = self.minutes(self.contracts, self.reader.bar_close_ms - span_ms).sort("open_time")
        opened = pl.col("open_time").dt.epoch("ms")
        newest = {
            name: (ms, close) for name, ms, close in minutes.select("symbol", opened, "close").iter_rows()
        }
        spreads = dict(spread_by_symbol(minutes).iter_rows())
        found = [
            replace(
                _in_units(_priced(pairs[contract.pair], newest.get(symbol)), contract.units),
                symbol=symbol,
                spread_bps=_number(spreads.get(symbol)),
                spot_symbol=contract.pair,
                spot_close=pairs[contract.pair].close * contract.units,
            )
            for symbol, contract in self.contracts.items()
            if contract.pair in pairs
        ]
        found += [
            replace(view, close=math.nan, spread_bps=math.nan, spot_symbol=pair, spot_close=view.close)
            for pair, view in pairs.items()
            if pair not in self.names
        ]
        return {view.symbol: view for view in sorted(found, key=lambda view: view.symbol)}

    def closes_since(self, symbol: str, since_ms: int) -> list[float]:
        """Closes of the contract's bars of 15 minutes from the one that a moment lies in, oldest first."""
        step = Interval.M15.milliseconds
        minutes = self.minutes([symbol], since_ms - since_ms % step)
        quarter = pl.col("open_time").dt.epoch("ms") // step
        closes = minutes.sort("open_time").group_by(quarter, maintain_order=True).agg(pl.col("close").last())
        return closes["close"].to_list()

    def minutes(self, symbols: Collection[str], since_ms: int) -> pl.DataFrame:
        """Closed minutes of contracts, those of the lake first, up to the bar close.

        Raises
        ------
        RetryLater
            If the source cannot be reached for what the lake lacks.
        """
        stored = self.reader.minutes(USDM_KLINES, symbols, since_ms)
        newest = stored.group_by("symbol").agg(pl.col("open_time").max().dt.epoch("ms"))
        reached = dict(newest.iter_rows())
        end_ms = self.reader.bar_close_ms
        parts = [stored]
        for start_ms, missing in _by_start(symbols, reached, since_ms):
            if start_ms < end_ms:
                parts.append(self.source.klines(missing, start_ms, end_ms, Series.USDM))
        fresh = pl.concat(parts[1:]) if parts[1:] else stored.clear()
        if fresh.height:
            self._note(fresh, since_ms)
        return pl.concat([stored.select(fresh.columns), fresh]).sort("symbol", "open_time")

    def _note(self, rows: pl.DataFrame, since_ms: int) -> None:
        content = rows.sort("symbol", "open_time").select(
            "symbol", pl.col("open_time").dt.epoch("ms"), "open", "high", "low", "close", "volume"
        )
        name = f"{USDM_KLINES.name}/source={self.source.name}/since={since_ms}"
        before = self.reader.sources.get(name)  # of other contracts since the same moment
        self.reader.sources[name] = digest(before, [list(row) for row in content.iter_rows()])


def read_contracts(
    reader: LakeReader, source: MarketData, quote: str, held: Collection[str], *, futures: bool
) -> ContractMarket:
    """The contracts as of the bar close.

    Parameters
    ----------
    held
        Symbols of open positions, which keep their instrument when their pair is no longer followed.
    futures
        Whether perpetuals are followed at all (``market_data.futures``).

    Raises
    ------
    FixConfiguration
        If they are not.
    """
    if not futures:
        raise FixConfiguration(
            "market_data.futures is false and the venue trades futures: the lake has no contracts; set it to true"
        )
    followed = reader.partition(UNIVERSE).filter(pl.col("followed"))
    pairs = dict(followed.select("symbol", "base").iter_rows())
    rows = reader.partition(INSTRUMENTS)
    contracts = contracts_of(rows, reader.bar_close_ms, pairs, quote, held=held)
    return ContractMarket(reader, source, contracts)


def _priced(view: SymbolView, minute: tuple[int, float] | None) -> SymbolView:
    """The view at the contract's newest minute, open time and close; without one it has no price."""
    if minute is None:
        return replace(view, close=math.nan)
    opened_ms, close = minute
    return replace(view, close=close, bar_close_ms=min(view.bar_close_ms, opened_ms + MINUTE_MS))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _in_units(view: SymbolView, units: int) -> SymbolView:
    """The view with its indicators per unit of the contract: prices are so many times higher, volumes lower."""

    def scaled(name: str, value: float) -> float:
        unit = _UNIT_OF.get(name.partition(".")[2], "")
        return value * float(units) ** _POWER_OF_UNITS.get(unit, 0)

    return replace(view, indicators={name: scaled(name, value) for name, value in view.indicators.items()})


def _by_start(
    symbols: Collection[str], reached: Mapping[str, int], since_ms: int
) -> list[tuple[int, list[str]]]:
    """Symbols by the moment from which the lake lacks their minutes."""
    starts: dict[int, list[str]] = {}
    for symbol in sorted(symbols):
        start_ms = reached[symbol] + MINUTE_MS if symbol in reached else since_ms
        starts.setdefault(start_ms, []).append(symbol)
    return sorted(starts.items())
