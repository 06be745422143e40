"""Prices and quantities as the venue takes them: on its grid, and never larger than what is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from trading.errors import FixConfiguration
from trading.execution.filters import ceil_to, floor_to
from trading.guard.reach import Reach
from trading.model.account import VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.order import Side

#: Reads the venue's instruments by symbol. Raises `RetryLater` while it does not answer.
ReadInstruments = Callable[[], Mapping[str, Instrument]]


class OnGrid:
    """Implements `trading.guard.reach.Reach` over another, quantising on the way.

    A stop goes to the tick that is nearer to the market, so that it never protects later than asked. What
    is closed is rounded up to the lot; the venue caps it at the position, since it can only reduce.

    Parameters
    ----------
    read_instruments
        Asked once, when it is first needed or `prepare` is called; again after a failure.
    """

    def __init__(self, inner: Reach, read_instruments: ReadInstruments) -> None:
        self.name = inner.name
        self.derivatives = inner.derivatives
        self._inner = inner
        self._read_instruments = read_instruments
        self._instruments: Mapping[str, Instrument] = {}

    def prepare(self) -> None:
        """Read the venue's instruments now. Raises `RetryLater` while it does not answer."""
        self._instruments = self._read_instruments()

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work."""
        return self._inner.open_orders()

    def positions(self) -> list[VenuePosition]:
        """Every open derivative position."""
        return self._inner.positions()

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order."""
        self._inner.cancel_order(order)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Close a part of a position, rounded up to the lot."""
        lot = self._instrument(symbol).lot_step
        self._inner.reduce(symbol, side, ceil_to(quantity, lot), client_order_id)

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop on the tick that is nearer to the market."""
        instrument = self._instrument(symbol)
        round_to = ceil_to if side is Side.SELL else floor_to
        price = max(round_to(stop_price, instrument.tick_size), instrument.tick_size)
        size = ceil_to(quantity, instrument.lot_step)
        self._inner.protect(symbol, side, size, price, client_order_id)

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time."""
        return self._inner.count_down(symbols, milliseconds)

    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            self.prepare()
        try:
            return self._instruments[symbol]
        except KeyError:
            raise FixConfiguration(
                f"{symbol}: the venue lists no such instrument; close it by hand"
            ) from None
