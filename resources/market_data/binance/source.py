"""Binance (or the sandbox) as a source of market data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import polars as pl

from resources.market_data.binance import parse
from resources.market_data.binance.client import BinanceClient, Surroundings
from resources.market_data.binance.errors import UnknownSymbol
from resources.market_data.columns import require_known
from resources.market_data.settings import BinanceSettings
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS

_PAGE_BARS = 1_000
_KLINES_WEIGHT = 2
_INFO_WEIGHT = 20
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class BinanceMarketData:
    """Klines and instruments over Binance's public spot REST protocol.

    Parameters
    ----------
    name
        What the ``source`` column of the klines says.
    """

    def __init__(
        self, settings: BinanceSettings, *, name: str = "binance", surroundings: Surroundings | None = None
    ) -> None:
        self.name = name
        self._settings = settings
        self._client = BinanceClient(settings, surroundings)
        self._listed: dict[str, int | None] = {}

    def now_ms(self) -> int:
        """The venue's server time."""
        return parse.server_time(self._client.get("/api/v3/time", {}, weight=1).content)

    def instruments(self) -> list[Instrument]:
        """Every instrument, by symbol; listings only where the settings ask for them."""
        info = parse.exchange_info(self._client.get("/api/v3/exchangeInfo", {}, weight=_INFO_WEIGHT).content)
        limit = parse.weight_limit(info)
        if limit:
            self._client.budget.set_limit(limit)
        found = sorted((parse.instrument(symbol) for symbol in info.symbols), key=lambda item: item.symbol)
        if not self._settings.discover_listings:
            return found
        listed = self.listed_at_ms([item.symbol for item in found])
        return [replace(item, listed_at_ms=listed[item.symbol]) for item in found]

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each symbol's first kline: the venue does not publish listings.

        None where the symbol has not traded yet; asked again the next time.
        """

        def first(symbol: str) -> int | None:
            page = self._page(symbol, {"startTime": 0, "limit": 1})
            return None if page.is_empty() else int(page["open_time"][0])

        unknown = [symbol for symbol in dict.fromkeys(symbols) if self._listed.get(symbol) is None]
        self._listed.update(zip(unknown, self._each(first, unknown), strict=True))
        return {symbol: self._listed[symbol] for symbol in symbols}

    def klines(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        The range is cut into pages of 1000 minutes, so pages of all symbols fly side by side and a
        hole cannot end the paging early. What is closed is judged by the venue's time before the
        first page.

        Raises
        ------
        FixConfiguration
            If the venue does not know a symbol: names the nearest that it knows.
        RetryLater, BadData
            If the venue cannot be reached, or sends something else than documented.
        """
        closed_ms = min(end_ms, self.now_ms() // MINUTE_MS * MINUTE_MS)
        length_ms = _PAGE_BARS * MINUTE_MS
        windows = [
            (symbol, begin, min(begin + length_ms, closed_ms))
            for symbol in dict.fromkeys(symbols)
            for begin in range(start_ms, closed_ms, length_ms)
        ]

        def page(window: tuple[str, int, int]) -> pl.DataFrame:
            symbol, begin, end = window
            return self._page(symbol, {"startTime": begin, "endTime": end - 1, "limit": _PAGE_BARS})

        try:
            pages = self._each(page, windows)
        except UnknownSymbol:
            require_known(symbols, [item.symbol for item in self._known()], self.name)
            raise
        inside = pl.col("open_time").dt.epoch("ms").is_between(start_ms, closed_ms, closed="left")
        return parse.klines(pages, self.name).filter(inside)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _known(self) -> list[Instrument]:
        info = self._client.get("/api/v3/exchangeInfo", {}, weight=_INFO_WEIGHT)
        return [parse.instrument(symbol) for symbol in parse.exchange_info(info.content).symbols]

    def _page(self, symbol: str, bounds: dict[str, int]) -> pl.DataFrame:
        response = self._client.get(
            "/api/v3/klines", {"symbol": symbol, "interval": "1m", **bounds}, weight=_KLINES_WEIGHT
        )
        missing = tuple(filter(None, response.headers.get("X-Tidemill-Missing", "").split(",")))
        return parse.page(response.content, symbol, missing)

    def _each(self, call: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Results in order; the first failure cancels what has not started."""
        if len(items) < 2:
            return [call(item) for item in items]
        with ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix=self.name) as pool:
            futures = [pool.submit(call, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
