"""The pairs of the simulated market: real names with plausible prices, turnover and character.

The figures are round numbers of the order that these coins have had; they are a starting point for
a simulation and no statement about any coin.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Listing:
    """One simulated pair.

    Attributes
    ----------
    start_price
        Price at the origin (quote).
    daily_quote_volume
        Usual turnover of a day (quote).
    beta
        Sensitivity to the market factor.
    daily_volatility
        Standard deviation of the pair's own daily log return, beside the market's.
    follows
        Pair whose price path this one has, as a wrapped coin does; empty for a path of its own.
    """

    symbol: str
    start_price: float
    daily_quote_volume: float
    beta: float
    daily_volatility: float
    follows: str = ""

    @property
    def tick_size(self) -> Decimal:
        """Power of ten that gives the start price five to six significant digits, at least 1e-8."""
        return max(Decimal(1).scaleb(_magnitude(self.start_price) - 5), Decimal("1E-8"))

    @property
    def lot_step(self) -> Decimal:
        """Power of ten worth between one and ten cents at the start price, at most 1."""
        return min(Decimal(1).scaleb(-2 - _magnitude(self.start_price)), Decimal(1))


def _magnitude(price: float) -> int:
    return Decimal(repr(price)).adjusted()


# symbol, start price, turnover in millions, beta, own daily volatility in percent
_ROWS: tuple[tuple[str, float, float, float, float], ...] = (
    ("BTCUSDT", 68_000.0, 1_500.0, 1.00, 0.6),
    ("ETHUSDT", 3_500.0, 900.0, 1.15, 1.1),
    ("SOLUSDT", 160.0, 420.0, 1.35, 2.0),
    ("BNBUSDT", 590.0, 180.0, 0.85, 1.2),
    ("XRPUSDT", 0.58, 250.0, 1.00, 2.0),
    ("DOGEUSDT", 0.14, 240.0, 1.30, 2.6),
    ("ADAUSDT", 0.45, 110.0, 1.15, 2.0),
    ("AVAXUSDT", 34.0, 90.0, 1.30, 2.3),
    ("LINKUSDT", 16.0, 80.0, 1.20, 2.1),
    ("TRXUSDT", 0.115, 60.0, 0.55, 1.3),
    ("DOTUSDT", 6.8, 55.0, 1.20, 2.0),
    ("LTCUSDT", 82.0, 70.0, 0.95, 1.8),
    ("BCHUSDT", 450.0, 50.0, 1.05, 2.2),
    ("NEARUSDT", 6.2, 65.0, 1.35, 2.6),
    ("UNIUSDT", 9.5, 40.0, 1.20, 2.7),
    ("ATOMUSDT", 8.3, 32.0, 1.15, 2.1),
    ("FILUSDT", 5.9, 34.0, 1.20, 2.4),
    ("ENAUSDT", 0.78, 75.0, 1.50, 3.6),
    ("ETCUSDT", 27.0, 36.0, 1.05, 2.1),
    ("XLMUSDT", 0.105, 25.0, 0.95, 2.1),
    ("APTUSDT", 9.0, 45.0, 1.30, 2.5),
    ("ARBUSDT", 1.10, 60.0, 1.35, 2.6),
    ("OPUSDT", 2.40, 55.0, 1.35, 2.8),
    ("INJUSDT", 25.0, 45.0, 1.35, 2.9),
    ("SUIUSDT", 1.05, 85.0, 1.40, 3.1),
    ("PEPEUSDT", 0.0000135, 300.0, 1.55, 3.8),
    ("WIFUSDT", 2.90, 140.0, 1.60, 4.2),
    ("SHIBUSDT", 0.0000245, 110.0, 1.25, 2.7),
    ("RENDERUSDT", 9.8, 60.0, 1.40, 3.0),
    ("TONUSDT", 7.1, 45.0, 0.90, 2.3),
    ("ICPUSDT", 12.0, 28.0, 1.20, 2.4),
    ("AAVEUSDT", 95.0, 35.0, 1.20, 2.6),
    ("MKRUSDT", 2_700.0, 22.0, 1.00, 2.4),
    ("GRTUSDT", 0.29, 22.0, 1.25, 2.6),
    ("FETUSDT", 2.10, 60.0, 1.40, 3.2),
    ("SEIUSDT", 0.52, 35.0, 1.35, 2.9),
    ("TIAUSDT", 10.5, 50.0, 1.40, 3.2),
    ("STXUSDT", 2.05, 25.0, 1.25, 2.8),
    ("IMXUSDT", 2.20, 20.0, 1.25, 2.6),
    ("LDOUSDT", 2.15, 30.0, 1.30, 2.9),
    ("RUNEUSDT", 6.3, 35.0, 1.30, 2.9),
    ("THETAUSDT", 2.20, 14.0, 1.15, 2.4),
    ("ALGOUSDT", 0.18, 14.0, 1.10, 2.1),
    ("VETUSDT", 0.034, 14.0, 1.10, 2.1),
    ("SANDUSDT", 0.43, 16.0, 1.15, 2.3),
    ("MANAUSDT", 0.43, 12.0, 1.15, 2.2),
    ("AXSUSDT", 7.5, 14.0, 1.15, 2.4),
    ("EGLDUSDT", 40.0, 8.0, 1.10, 2.2),
    ("FLOWUSDT", 0.90, 7.0, 1.05, 2.2),
    ("XTZUSDT", 0.93, 7.0, 1.05, 2.0),
    ("EOSUSDT", 0.80, 15.0, 1.05, 2.1),
    ("NEOUSDT", 14.5, 9.0, 1.05, 2.2),
    ("CHZUSDT", 0.12, 14.0, 1.10, 2.5),
    ("CRVUSDT", 0.43, 16.0, 1.20, 2.9),
    ("DYDXUSDT", 2.00, 13.0, 1.20, 2.8),
    ("GMXUSDT", 37.0, 5.0, 1.15, 2.6),
    ("COMPUSDT", 58.0, 6.0, 1.10, 2.5),
    ("SNXUSDT", 2.70, 7.0, 1.20, 2.7),
    ("ZECUSDT", 24.0, 8.0, 0.85, 2.3),
    ("DASHUSDT", 29.0, 5.0, 0.90, 2.1),
    ("KSMUSDT", 28.0, 4.0, 1.10, 2.4),
    ("ZILUSDT", 0.023, 5.0, 1.05, 2.3),
    ("QTUMUSDT", 3.40, 5.0, 1.00, 2.1),
    ("BATUSDT", 0.235, 3.0, 1.00, 2.0),
    ("WINGUSDT", 6.1, 1.2, 1.10, 3.4),
    ("DEGOUSDT", 2.20, 0.8, 1.10, 3.6),
    ("FIROUSDT", 1.55, 0.3, 0.90, 3.2),
    ("VIBUSDT", 0.075, 0.15, 1.00, 3.8),
)

#: Every pair that can be simulated, by symbol, most traded ones first.
CATALOGUE: dict[str, Listing] = {
    row[0]: Listing(row[0], row[1], row[2] * 1e6, row[3], row[4] / 100.0) for row in _ROWS
}

#: Pairs that a universe must leave out, simulated only on request: a stable coin, a fiat currency, a
#: wrapped coin, a leveraged token, a coin that is delisted one day and one that no longer trades.
ODD: dict[str, Listing] = {
    item.symbol: item
    for item in (
        Listing("USDCUSDT", 1.0, 900e6, 0.0, 0.0002),
        Listing("EURUSDT", 1.08, 30e6, 0.0, 0.004),
        Listing("WBTCUSDT", 68_000.0, 12e6, 1.00, 0.006, follows="BTCUSDT"),
        Listing("BTCUPUSDT", 50.0, 8e6, 2.5, 0.015),
        Listing("WAVESUSDT", 2.6, 14e6, 1.1, 0.028),
        Listing("SRMUSDT", 0.3, 4e6, 1.1, 0.03),
    )
}
