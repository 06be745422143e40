"""Where Binance serves each series of klines, and what a page of it costs."""

from __future__ import annotations

from dataclasses import dataclass

from trading.model.series import Series

#: Weight of a page of futures klines below each number of bars; above the last it is ten.
_FUTURES_WEIGHTS = ((100, 1), (500, 2), (1_001, 5))


@dataclass(frozen=True, slots=True)
class KlineEndpoint:
    """One kind of klines.

    Attributes
    ----------
    symbol_parameter
        What the endpoint calls the symbol.
    page_bars
        Bars asked for at once. Futures price pages by their length: 480 bars, a third of a day, are
        the most minutes for a weight.
    """

    path: str
    symbol_parameter: str
    page_bars: int

    def weight(self, bars: int) -> int:
        """Weight of a page of that many bars."""
        if self.path.startswith("/api/"):
            return 2
        return next((weight for below, weight in _FUTURES_WEIGHTS if bars < below), 10)


KLINES: dict[Series, KlineEndpoint] = {
    Series.SPOT: KlineEndpoint("/api/v3/klines", "symbol", 1_000),
    Series.USDM: KlineEndpoint("/fapi/v1/klines", "symbol", 480),
    Series.MARK: KlineEndpoint("/fapi/v1/markPriceKlines", "symbol", 480),
    Series.INDEX: KlineEndpoint("/fapi/v1/indexPriceKlines", "pair", 480),
    Series.PREMIUM: KlineEndpoint("/fapi/v1/premiumIndexKlines", "symbol", 480),
}
