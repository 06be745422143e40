"""A market made of given bars, for accounts without a server."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.sandbox.trading.matching import Stretch
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS

START_MS = 1_735_689_600_000
INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(1000),
    min_notional=Decimal(5),
)


def bar(open_: str, high: str, low: str, close: str, volume: str = "100") -> Stretch:
    return Stretch(*(Decimal(value) for value in (open_, high, low, close, volume)))


class FakePrices:
    """Minute bars from `START_MS` on, the last one for ever."""

    def __init__(self, bars: Sequence[Stretch], volume: str = "100", step: str = "0.1") -> None:
        self._step = Decimal(step)
        self.bars = list(bars)
        self._volume = Decimal(volume)

    def last(self, symbol: str, at_ms: int) -> Decimal | None:
        age = at_ms - START_MS
        index = age // MINUTE_MS
        if index >= len(self.bars):
            return self.bars[-1].close
        found = self.bars[index]
        share = Decimal(age % MINUTE_MS) / MINUTE_MS
        return (found.open + (found.close - found.open) * share).quantize(self._step)

    def minute(self, symbol: str, open_ms: int) -> Stretch | None:
        index = (open_ms - START_MS) // MINUTE_MS
        return self.bars[index] if 0 <= index < len(self.bars) else None

    def minute_volume(self, symbol: str, at_ms: int) -> Decimal:
        return self._volume
