"""Binance (or the sandbox) as a source of market data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import TypeVar

import polars as pl

from resources.market_data.binance import endpoints, futures, parse, parse_instruments
from resources.market_data.binance.client import FUNDING, BinanceClient
from resources.market_data.binance.errors import UnknownSymbol
from resources.market_data.columns import require_known
from resources.market_data.parallel import each
from resources.market_data.rows import between, joined
from resources.market_data.settings import BinanceSettings
from resources.market_data.surroundings import Surroundings
from trading.model.days import end_ms as end_of
from trading.model.days import start_ms as start_of
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Market, Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST

_DAILY_PAGE = 1_000
_SPOT_INFO_WEIGHT = 20
_FUTURES_INFO_WEIGHT = 1
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class BinanceMarketData:
    """Market data over Binance's public REST protocols, spot and USDT-margined futures.

    Parameters
    ----------
    name
        What the ``source`` column says.
    """

    def __init__(
        self, settings: BinanceSettings, *, name: str = "binance", surroundings: Surroundings | None = None
    ) -> None:
        self.name = name
        self._settings = settings
        self._surroundings = surroundings
        self._client = BinanceClient(settings, surroundings)
        self._listed: dict[str, int | None] = {}

    @cached_property
    def _futures(self) -> BinanceClient:
        return BinanceClient(self._settings, self._surroundings, market=Market.USDM)

    def now_ms(self) -> int:
        """The venue's server time."""
        return parse.server_time(self._client.get("/api/v3/time", {}, weight=1).content)

    def instruments(self, market: Market = Market.SPOT) -> list[Instrument]:
        """Every pair, or every perpetual quoted in USDT, by symbol.

        Futures tell their listing; spot listings are asked for only where the settings say so.
        """
        found = self._known(market)
        if market is Market.USDM or not self._settings.discover_listings:
            return found
        listed = self.listed_at_ms([item.symbol for item in found])
        return [replace(item, listed_at_ms=listed[item.symbol]) for item in found]

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each spot symbol's first kline: the venue does not publish listings.

        None where the symbol has not traded yet; asked again the next time.
        """

        def first(symbol: str) -> int | None:
            page = self._page(Series.SPOT, symbol, "1m", {"startTime": 0, "limit": 1})
            return None if page.is_empty() else int(page["open_time"][0])

        unknown = [symbol for symbol in dict.fromkeys(symbols) if self._listed.get(symbol) is None]
        self._listed.update(zip(unknown, self._each(first, unknown), strict=True))
        return {symbol: self._listed[symbol] for symbol in symbols}

    def klines(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        The range is cut into pages, so pages of all symbols fly side by side and a hole cannot end
        the paging early. What is closed is judged by the venue's time before the first page.

        Raises
        ------
        FixConfiguration
            If the venue does not know a symbol: names the nearest that it knows.
        RetryLater, BadData
            If the venue cannot be reached, or sends something else than documented.
        """
        closed_ms = min(end_ms, self.now_ms() // MINUTE_MS * MINUTE_MS)
        pages = self._pages(symbols, start_ms, closed_ms, series)
        return between(parse.klines(pages, self.name, series), "open_time", start_ms, closed_ms)

    def prefetch(
        self,
        symbols: Sequence[str],
        start_ms: int,
        end_ms: int,
        series: Series = Series.SPOT,
        report: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Nothing: there are no files to bring close."""

    def evidence(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """No rows: the interface gives no checksums."""
        return pl.DataFrame(schema=KLINE_SOURCES.schema)

    def funding_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """No rows: the interface gives no checksums."""
        return pl.DataFrame(schema=KLINE_SOURCES.schema)

    def open_interest_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """No rows: the interface gives no checksums."""
        return pl.DataFrame(schema=KLINE_SOURCES.schema)

    def daily_volumes(self, symbols: Sequence[str], first_day: date, last_day: date) -> pl.DataFrame:
        """Traded value of each closed UTC day of spot pairs, from the venue's own daily klines."""
        now_ms = self.now_ms()
        length_ms = _DAILY_PAGE * DAY_MS
        start_ms, end_ms = start_of(first_day), end_of(last_day)
        windows = [
            (symbol, begin_ms, min(begin_ms + length_ms, end_ms))
            for symbol in dict.fromkeys(symbols)
            for begin_ms in range(start_ms, end_ms, length_ms)
        ]

        def page(window: tuple[str, int, int]) -> pl.DataFrame:
            symbol, begin_ms, until_ms = window
            bounds = {"startTime": begin_ms, "endTime": until_ms - 1, "limit": _DAILY_PAGE}
            return self._page(Series.SPOT, symbol, "1d", bounds)

        return parse.daily_volumes(self._for_known(page, windows, symbols, Market.SPOT), now_ms)

    def funding_rates(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Funding of perpetuals with ``start_ms <= funding_time < end_ms``."""

        def rates(symbol: str) -> pl.DataFrame:
            return futures.funding_rates(self._futures, symbol, start_ms, end_ms, self.name)

        return joined(
            self._for_known(rates, list(dict.fromkeys(symbols)), symbols, Market.USDM), FUNDING_RATES
        )

    def open_interest(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Open interest with ``start_ms <= time < end_ms``; the venue keeps thirty days of it.

        Raises
        ------
        FixConfiguration
            If the range begins earlier than that.
        """
        futures.require_recent(start_ms, self.now_ms(), self.name)

        def counts(symbol: str) -> pl.DataFrame:
            return futures.open_interest(self._futures, symbol, start_ms, end_ms, self.name)

        return joined(
            self._for_known(counts, list(dict.fromkeys(symbols)), symbols, Market.USDM), OPEN_INTEREST
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        if "_futures" in self.__dict__:
            self._futures.close()

    def _known(self, market: Market) -> list[Instrument]:
        if market is Market.SPOT:
            response = self._client.get("/api/v3/exchangeInfo", {}, weight=_SPOT_INFO_WEIGHT)
            info = parse_instruments.exchange_info(response.content)
            found, client = parse_instruments.spot(info), self._client
        else:
            response = self._futures.get("/fapi/v1/exchangeInfo", {}, weight=_FUTURES_INFO_WEIGHT)
            info = parse_instruments.exchange_info(response.content)
            funding = self._futures.get("/fapi/v1/fundingInfo", {}, weight=1, apart=FUNDING)
            hours = parse_instruments.funding_hours(funding.content)
            found, client = parse_instruments.usdm(info, hours), self._futures
        limit = parse_instruments.weight_limit(info)
        if limit:
            client.budget.set_limit(limit)
        return found

    def _pages(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series
    ) -> list[pl.DataFrame]:
        bars = endpoints.KLINES[series].page_bars
        windows = [
            (symbol, begin_ms, min(begin_ms + bars * MINUTE_MS, end_ms))
            for symbol in dict.fromkeys(symbols)
            for begin_ms in range(start_ms, end_ms, bars * MINUTE_MS)
        ]

        def page(window: tuple[str, int, int]) -> pl.DataFrame:
            symbol, begin_ms, until_ms = window
            limit = -(-(until_ms - begin_ms) // MINUTE_MS)
            bounds = {"startTime": begin_ms, "endTime": until_ms - 1, "limit": limit}
            return self._page(series, symbol, "1m", bounds)

        return self._for_known(page, windows, symbols, series.market)

    def _page(self, series: Series, symbol: str, interval: str, bounds: dict[str, int]) -> pl.DataFrame:
        endpoint = endpoints.KLINES[series]
        client = self._client if series is Series.SPOT else self._futures
        response = client.get(
            endpoint.path,
            {endpoint.symbol_parameter: symbol, "interval": interval, **bounds},
            weight=endpoint.weight(bounds["limit"]),
        )
        missing = tuple(filter(None, response.headers.get("X-Tidemill-Missing", "").split(",")))
        return parse.page(response.content, symbol, missing)

    def _for_known(
        self,
        call: Callable[[_Item], pl.DataFrame],
        items: Sequence[_Item],
        symbols: Sequence[str],
        market: Market,
    ) -> list[pl.DataFrame]:
        """The call for each item; an unknown symbol is named with the nearest that the venue knows."""
        try:
            return self._each(call, items)
        except UnknownSymbol:
            require_known(symbols, [item.symbol for item in self._known(market)], self.name)
            raise

    def _each(self, call: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        return each(call, items, threads=self._settings.concurrency, name=self.name)
