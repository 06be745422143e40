"""What a perpetual costs above its index: the premium index, by minute."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from trading.simulation.contracts import Contract
from trading.simulation.daily import Floats, stream
from trading.simulation.intraday import MINUTES
from trading.simulation.market import Market
from trading.simulation.reverting import Reversion, anchors, within_day

#: A fraction of the index price; the bound is half a percent.
PREMIUM = Reversion(0.0001, 0.0004, 0.6, 0.0002, 0.985, 0.005)
_TREND_PUSH = 0.00015
_DAYS_KEPT = 128


class Premiums:
    """Premium paths of a market's contracts; anchors and the latest days are remembered."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._anchors: dict[str, Floats] = {}
        self._days: OrderedDict[tuple[str, int], Floats] = OrderedDict()

    def minutes(self, contract: Contract, index: int) -> Floats:
        """Premium (fraction) at the start of day ``index`` and at each minute's end, shape (1441,)."""
        key = (contract.symbol, index)
        known = self._days.get(key)
        if known is None:
            slow = self._slow(contract)
            random = stream(self._market.settings, "premium", contract.spot.symbol, index)
            known = within_day(random, PREMIUM, float(slow[index]), float(slow[index + 1]), MINUTES)
            self._days[key] = known
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return known

    def _slow(self, contract: Contract) -> Floats:
        symbol = contract.spot.symbol
        known = self._anchors.get(symbol)
        if known is None:
            settings = self._market.settings
            random = stream(settings, "premium", symbol)
            push = self._trend(symbol)
            known = self._anchors[symbol] = anchors(random, PREMIUM, settings.horizon_days, push)
        return known

    def _trend(self, symbol: str) -> Floats:
        """Push from the day before: buyers of a rising coin pay a premium."""
        moves = np.diff(self._market.log_levels(symbol), prepend=0.0)
        usual = max(float(np.std(moves)), 1e-12)
        return np.asarray(_TREND_PUSH * np.clip(moves / usual, -2.0, 2.0))
