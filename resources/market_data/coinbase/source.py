"""Coinbase as a second opinion on the minutes of a few pairs."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from resources.market_data.coinbase import parse
from resources.market_data.coinbase.client import CoinbaseClient
from resources.market_data.parallel import each
from resources.market_data.rows import between, joined
from resources.market_data.settings import CoinbaseSettings
from resources.market_data.surroundings import Surroundings
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import REFERENCE_KLINES

#: One less than the venue gives at once, so that it may count both ends.
_PAGE_BARS = 349


class CoinbaseMarketData:
    """One-minute candles of the products that the settings map our symbols to."""

    name = "coinbase"

    def __init__(self, settings: CoinbaseSettings, surroundings: Surroundings | None = None) -> None:
        self._settings = settings
        self._client = CoinbaseClient(settings, surroundings)

    def reference_klines(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Candles with ``start_ms <= open_time < end_ms``, as ``reference_klines`` rows.

        Symbols without a product are left out, and so are minutes without trades. The range should
        end at a closed minute: the candle of an open one would pass for a closed one.

        Raises
        ------
        FixConfiguration
            If a product does not exist.
        RetryLater, BadData
            If Coinbase cannot be reached, or sends something else than documented.
        """
        products = self._settings.products
        windows = [
            (symbol, begin_ms, min(begin_ms + _PAGE_BARS * MINUTE_MS, end_ms))
            for symbol in dict.fromkeys(symbols)
            if symbol in products
            for begin_ms in range(start_ms, end_ms, _PAGE_BARS * MINUTE_MS)
        ]

        def page(window: tuple[str, int, int]) -> pl.DataFrame:
            symbol, begin_ms, until_ms = window
            content = self._client.minute_candles(products[symbol], begin_ms // 1_000, until_ms // 1_000)
            return between(
                parse.reference_klines(content, symbol, self.name), "open_time", begin_ms, until_ms
            )

        pages = each(page, windows, threads=self._settings.concurrency, name=self.name)
        return joined(pages, REFERENCE_KLINES)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
