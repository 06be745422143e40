"""Positions at average cost and equity, exact in Decimal.

Amounts are kept to 18 decimals. At every moment, per account currency and to the last digit::

    cash + sum(cost_basis(position)) - sum(realised P&L) - funding received == deposits

An average cost that does not divide evenly leaves a rest of the 18th decimal; it is booked to the
realised P&L of the fill that caused it, so that nothing ever leaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from trading.errors import BadData, HaltTrading
from trading.model.order import Fill, Side
from trading.model.snapshot import Position

#: Smallest amount that the ledger keeps.
QUANTUM = Decimal("1e-18")
_LIMIT = Decimal("1e20")
#: Wide enough for the exact product of two amounts of 38 digits.
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Equity:
    """What the account is worth in its own currency.

    Attributes
    ----------
    unpriced_symbols
        Held symbols without a price, sorted; they are valued at average cost.
    """

    cash: Decimal
    positions_value: Decimal
    equity: Decimal
    unpriced_symbols: tuple[str, ...] = ()


def rounded(value: Decimal) -> Decimal:
    """Round half to even at the 18th decimal.

    Raises
    ------
    BadData
        If the value is not finite, or too large for 38 digits.
    """
    if not value.is_finite() or value.copy_abs() >= _LIMIT:
        raise BadData(f"amount {value} does not fit the ledger: it must be finite and below 1e20")
    return value.quantize(QUANTUM, context=EXACT)


def exact(name: str, value: Decimal) -> Decimal:
    """Return the value with 18 decimals; `BadData` names the field if that would change it."""
    stored = rounded(value)
    if stored != value:
        raise BadData(f"{name} {value} has more than 18 decimals: quantise it to the venue's step first")
    return stored


def cost_basis(position: Position) -> Decimal:
    """What the holding cost, fees included (account currency); negative for a short."""
    return rounded(EXACT.multiply(position.quantity, position.average_cost))


def apply_fill(
    position: Position | None,
    fill: Fill,
    *,
    desk: str,
    strategy_id: str,
    currency: str = "USDT",
    shorts: bool = False,
) -> tuple[Position, Decimal]:
    """Book a fill on a position at average cost.

    A fee in the account currency is part of the cost of what is opened and reduces the proceeds of what
    is closed. A fee in the base currency changes the quantity. A fee in a third currency is cash of its
    own (see `trading.ledger.transfers`) and stays out of the cost. The quantity and the cost basis of a
    short are negative; its average cost is what was received per unit, after fees. A fill that turns a
    position round closes the whole of it and opens the rest at the fill's own price and fees.

    Parameters
    ----------
    shorts
        Whether more may be sold than is held: on derivatives, and for what others than our desks did.

    Returns
    -------
    tuple
        The position after the fill, and the P&L that the fill realised. A closed position stays
        with quantity 0 and keeps its realised P&L; a later fill opens it anew.

    Raises
    ------
    HaltTrading
        If more is sold than held where that cannot be.
    BadData
        If quantity or price is not positive or has more than 18 decimals.
    """
    quantity, price = _positive("quantity", fill), _positive("price", fill)
    fee = exact("fee", fill.fee)
    in_base = _fee_in_base(fill, currency)
    held = position or Position(desk, strategy_id, fill.symbol, Decimal(0), Decimal(0), fill.filled_at_ms)
    if held.symbol != fill.symbol:
        raise BadData(f"fill {fill.venue_fill_id} is of {fill.symbol}, the position of {held.symbol}")
    before = cost_basis(held)
    with localcontext(EXACT):
        signed = quantity if fill.side is Side.BUY else -quantity
        left = held.quantity + signed - in_base
        if left < 0 and not shorts:
            raise HaltTrading(
                f"fill {fill.venue_fill_id} sells {fill.quantity} {fill.symbol} but {desk}/{strategy_id} holds "
                f"{held.quantity}: reconcile the position with the venue"
            )
        notional = notional_of(quantity, price)
        paid = notional if fill.side is Side.BUY else -notional
        paid += fee if fill.fee_currency == currency else Decimal(0)
        opens = held.quantity == 0 or left * held.quantity < 0
        if left == 0:
            average = Decimal(0)
        elif opens and left * signed > 0:
            average = rounded(paid / (left if held.quantity == 0 else signed))
        elif held.quantity * signed > 0:
            average = rounded((before + paid) / left)
        else:
            average = held.average_cost
        opened_at_ms = fill.filled_at_ms if opens else held.opened_at_ms
        after = replace(held, quantity=left, average_cost=average, opened_at_ms=opened_at_ms)
        realised = cost_basis(after) - before - paid
        return replace(after, realised_pnl=held.realised_pnl + realised), realised


def signed_quantity(fill: Fill, currency: str = "USDT") -> Decimal:
    """What a fill adds to the quantity held (base), fees in the base currency taken off."""
    with localcontext(EXACT):
        quantity = fill.quantity if fill.side is Side.BUY else -fill.quantity
        return quantity - _fee_in_base(fill, currency)


def short_cost(positions: Iterable[Position]) -> Decimal:
    """What was received (account currency) for symbols of which less than nothing is held, all desks together.

    This cash is no more ours to spend than the position is.
    """
    quantity: dict[str, Decimal] = {}
    cost: dict[str, Decimal] = {}
    with localcontext(EXACT):
        for position in positions:
            quantity[position.symbol] = quantity.get(position.symbol, Decimal(0)) + position.quantity
            cost[position.symbol] = cost.get(position.symbol, Decimal(0)) + cost_basis(position)
        return sum((max(-cost[name], Decimal(0)) for name, held in quantity.items() if held < 0), Decimal(0))


def replay(
    fills: Iterable[tuple[Fill, str, str]], currency: str = "USDT", *, shorts: bool = False
) -> Position | None:
    """The position that fills lead to in the order in which they happened, however they were reported.

    Parameters
    ----------
    fills
        Fills of one position with the desk and strategy that hold it, in any order, each once.

    Returns
    -------
    Position or None
        A function of the set of fills alone; None when there are none.
    """
    position: Position | None = None
    for fill, desk, strategy_id in sorted(fills, key=lambda item: sequence_key(item[0])):
        position, _ = apply_fill(
            position, fill, desk=desk, strategy_id=strategy_id, currency=currency, shorts=shorts
        )
    return position


def sequence_key(fill: Fill) -> tuple[int, bool, str, str, str]:
    """Where a fill stands among those of a position: by time, of one moment buys first, then by id."""
    return (fill.filled_at_ms, fill.side is Side.SELL, fill.venue, fill.account, fill.venue_fill_id)


def notional_of(quantity: Decimal, price: Decimal) -> Decimal:
    """Value (quote) of a quantity (base) at a price, to the 18th decimal."""
    return rounded(EXACT.multiply(quantity, price))


def mark(positions: Iterable[Position], cash: Decimal, prices: Mapping[str, Decimal | float]) -> Equity:
    """Value the account at the given prices (quote per base).

    A held symbol whose price is absent, NaN, infinite or not positive is valued at average cost
    and listed as unpriced: never silently at zero.
    """
    value = Decimal(0)
    unpriced = set()
    with localcontext(EXACT):
        for position in positions:
            if position.quantity == 0:
                continue
            price = _price(prices.get(position.symbol))
            if price is None:
                unpriced.add(position.symbol)
                value += cost_basis(position)
            else:
                value += rounded(position.quantity * price)
        return Equity(cash, value, cash + value, tuple(sorted(unpriced)))


def _price(price: Decimal | float | None) -> Decimal | None:
    if price is None:
        return None
    exact_price = price if isinstance(price, Decimal) else Decimal(repr(float(price)))
    return exact_price if exact_price.is_finite() and exact_price > 0 else None


def _fee_in_base(fill: Fill, currency: str) -> Decimal:
    in_base = fill.fee_currency != currency and fill.symbol == fill.fee_currency + currency
    return exact("fee", fill.fee) if in_base else Decimal(0)


def _positive(name: str, fill: Fill) -> Decimal:
    value = exact(name, fill.quantity if name == "quantity" else fill.price)
    if value <= 0:
        raise BadData(f"fill {fill.venue_fill_id}: {name} is {value}, it must be positive")
    return value
