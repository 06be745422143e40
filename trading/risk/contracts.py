"""What the gate asks of an entry beyond the limits: shorts, contracts, and orders that are to rest at the venue.

A long on spot that is to have no such orders is asked none of it.
"""

from __future__ import annotations

import math
from decimal import Decimal

from trading.model.check import ABOVE, AT_MOST, BELOW, at_most, below, known, must_be
from trading.model.decision import Check, Direction
from trading.model.instrument import MarginBracket
from trading.model.series import Market
from trading.risk.checks import Context
from trading.risk.exposure import price_of


def contract_checks(context: Context) -> tuple[Check, ...]:
    """Every check that the entry's direction, the account's market and its protection call for."""
    found: list[Check] = []
    if context.decision.direction is Direction.SHORT or context.snapshot.market is not Market.SPOT:
        found += [derivatives(context), opposite_held(context), basis(context)]
    if context.snapshot.leverage != 1:
        found.append(leverage(context))
    if context.snapshot.leverage > 1:
        found.append(liquidation(context))
    if not math.isnan(context.decision.stop_price):
        found.append(stop_price(context))
    if not math.isnan(context.decision.take_profit_price):
        found.append(take_profit_price(context))
    return tuple(found)


def derivatives(context: Context) -> Check:
    """The account trades futures, and the symbol is one: nothing else can be sold short."""
    instrument = context.snapshot.instruments.get(context.decision.symbol)
    markets = {context.snapshot.market, Market.SPOT if instrument is None else instrument.market}
    return must_be("derivatives", "yes" if markets == {Market.USDM} else "no", "yes")


def opposite_held(context: Context) -> Check:
    """Nobody holds the symbol the other way: the venue nets both, and could then close neither.

    An order that may only reduce is refused where the account's net position is none.
    """
    way = context.decision.direction
    other = Direction.LONG if way is Direction.SHORT else Direction.SHORT
    opposed = (context.decision.symbol, other) in context.exposure.directions
    return must_be("opposite_held", "yes" if opposed else "no", "no")


def basis(context: Context) -> Check:
    """Distance of the contract's price from its spot pair's: signals are of the pair, money of the contract."""
    view = context.snapshot.symbols.get(context.decision.symbol)
    limit = context.limits.max_basis_fraction
    if view is None or known(view.close) is None or not view.spot_close > 0:
        return at_most("basis_fraction", None, limit)
    return at_most("basis_fraction", abs(view.close / view.spot_close - 1.0), limit)


def stop_price(context: Context) -> Check:
    """The stop lies where the position loses: elsewhere it would go off at once."""
    return _beyond(context, "stop_price", context.decision.stop_price, above=_is_short(context))


def take_profit_price(context: Context) -> Check:
    """The take-profit lies where the position gains."""
    price = context.decision.take_profit_price
    return _beyond(context, "take_profit_price", price, above=not _is_short(context))


def leverage(context: Context) -> Check:
    """The venue allows the account's leverage for a position of this size."""
    bracket = _bracket(context)
    note = "the margin schedule" if bracket else "the margin schedule is not known"
    limit = bracket.max_leverage if bracket else None
    passed = limit is not None and 1 <= context.snapshot.leverage <= limit
    return Check("leverage", passed, float(context.snapshot.leverage), known(limit), f"{AT_MOST} {note}")


def liquidation(context: Context) -> Check:
    """The resting stop comes before the venue liquidates: its distance as a share of the price.

    An isolated position of leverage L is liquidated about ``1 / L`` less the maintenance share away.
    """
    bracket, close = _bracket(context), price_of(context.snapshot, context.decision.symbol)
    name, note = "stop_distance_fraction", "before liquidation"
    stop = known(context.decision.stop_price)
    if bracket is None or close is None or stop is None:
        return Check(name, False, None, None, f"{BELOW} {note}")
    room = 1 / context.snapshot.leverage - float(bracket.maintenance_fraction)
    return below(name, abs(stop / float(close) - 1.0), room, note)


def _is_short(context: Context) -> bool:
    return context.decision.direction is Direction.SHORT


def _beyond(context: Context, name: str, price: float, *, above: bool) -> Check:
    close = price_of(context.snapshot, context.decision.symbol)
    sign = ABOVE if above else BELOW
    value = known(price)
    if value is None or close is None:
        return Check(name, False, value, None if close is None else float(close), sign)
    limit = float(close)
    return Check(name, 0 < value != limit and (value > limit) is above, value, limit, sign)


def _bracket(context: Context) -> MarginBracket | None:
    """The margin schedule's step for all that would then be held of the symbol; None where it is not known."""
    found = context.snapshot.instruments.get(context.decision.symbol)
    held = context.exposure.by_symbol.get(context.decision.symbol, Decimal(0))
    wanted = context.decision.quote_amount
    if found is None or held is None or not wanted.is_finite():
        return None
    value = held + wanted
    return next((step for step in found.brackets if step.floor_notional <= value < step.cap_notional), None)
