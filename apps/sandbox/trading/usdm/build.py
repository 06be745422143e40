"""A futures account on the simulated market."""

from __future__ import annotations

from decimal import Decimal

from apps.sandbox.backing import FuturesBacking, day_of
from apps.sandbox.trading.prices import BarPrices
from apps.sandbox.trading.settings import TradingSettings
from apps.sandbox.trading.usdm.account import FuturesAccount
from trading.model.interval import DAY_MS
from trading.model.series import Series
from trading.simulation.funding import HOUR_MS
from trading.simulation.futures import FuturesMarket


def create_futures_account(
    name: str, backing: FuturesBacking, settings: TradingSettings, now_ms: int
) -> FuturesAccount:
    """An account with its deposit, that began at a moment."""
    return FuturesAccount(
        name,
        settings.futures_deposit_usdt,
        marks=BarPrices(backing.bars[Series.MARK]),
        funding=PaidFunding(backing.market).rate,
        prices=BarPrices(backing.bars[Series.USDM]),
        instruments={
            symbol: contract.instrument(max(now_ms, contract.listed_at_ms))
            for symbol, contract in backing.market.contracts.items()
        },
        maker_bps=settings.futures_maker_bps,
        taker_bps=settings.futures_taker_bps,
        participation=settings.participation_fraction,
        now_ms=now_ms,
    )


class PaidFunding:
    """The funding rates that the public API shows, by moment."""

    def __init__(self, market: FuturesMarket) -> None:
        self._market = market
        self._days: dict[tuple[str, int], dict[int, Decimal]] = {}

    def rate(self, symbol: str, at_ms: int) -> Decimal | None:
        """Rate (fraction) paid at a moment; None when it is none of the contract's moments."""
        if at_ms % HOUR_MS:
            return None
        key = (symbol, at_ms // DAY_MS * DAY_MS)
        if key not in self._days:
            rows = self._market.funding(symbol, day_of(key[1]))
            moments = rows["funding_time"].dt.epoch("ms").to_list()
            rates = (Decimal(f"{rate:.8f}") for rate in rows["funding_rate"])
            self._days[key] = dict(zip(moments, rates, strict=True))
        return self._days[key].get(at_ms)
