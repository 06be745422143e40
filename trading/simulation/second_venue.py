"""A second venue for the same coins: prices a little beside the first one's, volumes of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS
from trading.simulation import candles
from trading.simulation.daily import Floats, stream
from trading.simulation.intraday import MINUTES
from trading.simulation.market import Market
from trading.simulation.moments import midnight_ms
from trading.simulation.reverting import Reversion, anchors, within_day

#: Products of the second venue and the pairs of the first that they agree with.
PRODUCTS = {"BTC-USD": "BTCUSDT", "ETH-USD": "ETHUSDT"}
#: Its price above the first venue's, as a fraction: a few basis points.
BASIS = Reversion(0.00005, 0.0002, 0.7, 0.00008, 0.95, 0.001)
_TURNOVER_OF_FIRST = 0.35


class SecondVenue:
    """Klines of the products whose pair is simulated; its listings are older than the history."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.products = {name: pair for name, pair in PRODUCTS.items() if pair in market.symbols}
        self._anchors: dict[str, Floats] = {}

    def minutes(self, product: str, day: date) -> pl.DataFrame:
        """One-minute klines of a product on a UTC day; minutes in an outage or without a trade are absent.

        Raises
        ------
        FixConfiguration
            If the product is not simulated.
        """
        if product not in self.products:
            raise FixConfiguration(
                f"product {product!r} is not simulated; there are {', '.join(self.products)}"
            )
        market, index = self.market, self.market.index(day)
        if index is None:
            return candles.empty()
        first = market.unbroken(self.products[product], day)
        listing = market.listings[self.products[product]]
        prices = np.append(first.minutes["open"][0], first.minutes["close"].to_numpy())
        random = stream(market.settings, product, index)
        slow = self._slow(product)
        basis = within_day(random, BASIS, float(slow[index]), float(slow[index + 1]), MINUTES)
        start_ms = midnight_ms(day)
        rows = candles.candles(
            random,
            replace(
                listing, symbol=product, daily_quote_volume=listing.daily_quote_volume * _TURNOVER_OF_FIRST
            ),
            start_ms=start_ms,
            log_prices=np.log(prices) + np.log1p(basis),
            sigma=first.sigma,
            usual_sigma=first.usual_sigma,
            present=market.calendar.present("coinbase", product, start_ms, start_ms - DAY_MS, None),
        )
        return rows.filter(pl.col("trades") > 0)

    def _slow(self, product: str) -> Floats:
        known = self._anchors.get(product)
        if known is None:
            random = stream(self.market.settings, product, "basis")
            days = self.market.settings.horizon_days
            known = self._anchors[product] = anchors(random, BASIS, days)
        return known
