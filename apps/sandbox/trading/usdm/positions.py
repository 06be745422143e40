"""Futures positions: signed amounts and what they cost, exact to the last digit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from apps.sandbox.trading.orders import ZERO

_UNIT = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Position:
    """A position; one symbol has one in one-way mode (BOTH), two in hedge mode (LONG and SHORT).

    Attributes
    ----------
    amount
        Base, negative for a short.
    cost
        What the amount cost (quote), with the amount's sign. Kept instead of the average entry price,
        which would have to be rounded.
    isolated_wallet
        Margin set apart for it (quote); None on cross margin.
    """

    symbol: str
    side: str
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    isolated_wallet: Decimal | None = None
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Average price paid; 0 when flat."""
        return self.cost / self.amount if self.amount else ZERO

    def worth(self, mark: Decimal) -> Decimal:
        """Value at a price (quote), unsigned."""
        return abs(self.amount) * mark

    def unrealised(self, mark: Decimal) -> Decimal:
        """Profit (quote) if it were closed at a price."""
        return (self.amount * mark - self.cost).quantize(_UNIT)

    def traded(self, quantity: Decimal, quote: Decimal, at_ms: int) -> tuple[Position, Decimal]:
        """The position after a trade, and the profit (quote) that the trade realised.

        Parameters
        ----------
        quantity, quote
            What was bought and paid; both negative for a sale.
        """
        amount = self.amount + quantity
        if self.amount * quantity >= 0:
            return replace(self, amount=amount, cost=self.cost + quote, updated_ms=at_ms), ZERO
        closed = min(abs(quantity), abs(self.amount))
        cost = _part(self.cost, closed, abs(self.amount))
        paid = _part(quote, closed, abs(quantity))
        after = replace(self, amount=amount, cost=self.cost - cost + quote - paid, updated_ms=at_ms)
        return after, -paid - cost


def _part(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return value if part == whole else (value * part / whole).quantize(_UNIT)
