"""What a one-minute series measures: trades of a market, or a price that the venue computes."""

from __future__ import annotations

from enum import StrEnum


class Market(StrEnum):
    """A venue's market: what a symbol means, its filters and its fees depend on it."""

    SPOT = "spot"
    USDM = "usdm"


class Series(StrEnum):
    """One-minute series of a symbol. All but the first belong to the USDT-margined futures market.

    ``mark``, ``index`` and ``premium`` are computed by the venue: they have no volume, and the
    premium, a fraction, may be negative.
    """

    SPOT = "spot"
    USDM = "usdm"
    MARK = "mark"
    INDEX = "index"
    PREMIUM = "premium"

    @property
    def market(self) -> Market:
        """The market that the series' symbols belong to."""
        return Market.SPOT if self is Series.SPOT else Market.USDM

    @property
    def traded(self) -> bool:
        """Whether the series is made of trades and so has volumes."""
        return self in (Series.SPOT, Series.USDM)
