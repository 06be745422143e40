"""Positions, coins and cash of both sides, over the union of what either side has.

Quantities must agree exactly. A difference that an order of ours at the venue may have made is no break
yet, but it is no agreement either: it is left unjudged, and the risk gate holds the symbol back anyway
while an order of it is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from trading.errors import BadData
from trading.ledger.accounting import EXACT
from trading.model.account import VenuePosition
from trading.model.snapshot import Position
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity, shown
from trading.reconciliation.state import FOREIGN_DESKS, VenueState

_ZERO = Decimal(0)
#: Exponent of the last digit to which a futures venue gives the price that a position was entered at.
_FEWEST_DECIMALS = -5
_Ends = Mapping[str, tuple[Decimal, Decimal]]


@dataclass(slots=True)
class Compared:
    """The breaks, and the symbols and currencies of which nothing can be said this time."""

    matched: int = 0
    breaks: list[Break] = field(default_factory=list)
    unjudged: set[str] = field(default_factory=set)


def compare_holdings(
    net: Mapping[str, Decimal],
    cash: Mapping[str, Decimal],
    venue: VenueState,
    *,
    currency: str,
    open_ends: _Ends,
    waiting: Iterable[str],
    cash_tolerance: Decimal,
) -> Compared:
    """Compare quantities, and cash where all quantities agree: else some fill is missing, and cash with it.

    Parameters
    ----------
    net, cash
        The ledger's side with everything that this reconciliation books: signed quantity by symbol, and
        cash and coins by currency.
    open_ends
        What our orders at the venue may have bought and sold of a symbol without saying so yet.
    waiting
        Symbols with fills that cannot be booked yet.
    """
    held_back = set(waiting)
    with localcontext(EXACT):
        compared = (
            _derivatives(net, venue, open_ends, held_back)
            if venue.derivatives
            else _coins(net, cash, venue, currency, open_ends, held_back)
        )
        settled = not compared.unjudged and all(
            item.kind not in (BreakKind.POSITION, BreakKind.COIN) for item in compared.breaks
        )
        _money(compared, cash, venue, currency, settled=settled, tolerance=cash_tolerance)
    return compared


def offsets(holdings: Iterable[Position], foreign: Mapping[str, Decimal]) -> list[Break]:
    """Symbols of which others have closed what desks of ours believe to hold.

    Parameters
    ----------
    foreign
        Signed quantity of fills that are about to be adopted, by symbol.
    """
    theirs = dict(foreign)
    longs: dict[str, Decimal] = {}
    shorts: dict[str, Decimal] = {}
    for position in holdings:
        name, quantity = position.symbol, position.quantity
        side = theirs if position.desk in FOREIGN_DESKS else longs if quantity > 0 else shorts
        side[name] = side.get(name, _ZERO) + quantity
    found = []
    for symbol, quantity in sorted(theirs.items()):
        against = longs.get(symbol, _ZERO) if quantity < 0 else shorts.get(symbol, _ZERO)
        if quantity and against:
            found.append(
                Break(
                    BreakKind.OFFSET,
                    symbol,
                    symbol,
                    BreakSeverity.BLOCKS,
                    f"{shown(against)} held by desks",
                    f"{shown(quantity)} by others",
                )
            )
    return found


def _derivatives(net: Mapping[str, Decimal], venue: VenueState, ends: _Ends, waiting: set[str]) -> Compared:
    theirs = _by_symbol(venue.positions)
    compared = Compared()
    for symbol in sorted({name for name, held in net.items() if held} | set(theirs)):
        ours, there = net.get(symbol, _ZERO), theirs.get(symbol)
        missing = (there or _ZERO) - ours
        if missing == 0:
            compared.matched += 1
        elif not venue.stable or symbol in waiting or _explained(missing, ends.get(symbol)):
            compared.unjudged.add(symbol)
        else:
            compared.breaks.append(
                Break(BreakKind.POSITION, symbol, symbol, BreakSeverity.BLOCKS, shown(ours), shown(there))
            )
    return compared


def _coins(
    net: Mapping[str, Decimal],
    cash: Mapping[str, Decimal],
    venue: VenueState,
    currency: str,
    ends: _Ends,
    waiting: set[str],
) -> Compared:
    ours = {name: amount for name, amount in cash.items() if name != currency}
    for symbol, quantity in net.items():
        coin = _base(symbol, currency)
        ours[coin] = ours.get(coin, _ZERO) + quantity
    theirs = {item.currency: item.free + item.locked for item in venue.balances}
    compared = Compared()
    traded = {_base(symbol, currency) for symbol in (*net, *ends, *waiting)}
    moving = any(ends.values()) or waiting
    for coin in sorted({name for name, held in ours.items() if held} | set(theirs) - {currency}):
        here, there = ours.get(coin, _ZERO), theirs.get(coin)
        symbol, missing = coin + currency, (there or _ZERO) - here
        # Coins that nobody trades pay fees of the others, as long as any of those may have filled.
        uncertain = (
            symbol in waiting or _explained(missing, ends.get(symbol)) or (moving and coin not in traded)
        )
        if missing == 0:
            compared.matched += 1
        elif not venue.stable or uncertain:
            compared.unjudged.add(coin)
        else:
            severity = BreakSeverity.BLOCKS if missing < 0 else BreakSeverity.ALERTS
            compared.breaks.append(Break(BreakKind.COIN, coin, symbol, severity, shown(here), shown(there)))
    return compared


def _money(
    compared: Compared,
    cash: Mapping[str, Decimal],
    venue: VenueState,
    currency: str,
    *,
    settled: bool,
    tolerance: Decimal,
) -> None:
    """Cash in the account's currency and, on a derivatives account, in every other one.

    A derivatives wallet has not paid for its positions: it holds our cash and what the positions were
    entered at. The venue rounds that price to its last digit, which is many units' worth of a cheap coin.
    """
    theirs = {item.currency: item.free + item.locked for item in venue.balances}
    names = {currency} | (set(theirs) | set(cash) if venue.derivatives else set())
    entered = sum((item.quantity * item.entry_price for item in venue.positions), _ZERO)
    for name in sorted(names):
        here = cash.get(name, _ZERO) + (entered if name == currency else _ZERO)
        there = theirs.get(name)
        missing = (there or _ZERO) - here
        rounding = sum(map(_rounding, venue.positions), _ZERO) if name == currency else _ZERO
        if abs(missing) <= tolerance + rounding:
            compared.matched += settled
        elif settled and venue.stable:
            severity = BreakSeverity.BLOCKS if missing < 0 else BreakSeverity.ALERTS
            compared.breaks.append(Break(BreakKind.CASH, name, "", severity, shown(here), shown(there)))
        if not (settled and venue.stable):
            compared.unjudged.add(name)


def _rounding(position: VenuePosition) -> Decimal:
    """How much a position's value at entry may be off by half of the last digit of its price.

    Zeros at the end may not be shown, so fewer than five decimals are taken for five.
    """
    exponent = position.entry_price.as_tuple().exponent
    last = min(exponent, _FEWEST_DECIMALS) if isinstance(exponent, int) else _FEWEST_DECIMALS
    return abs(position.quantity) * Decimal(5).scaleb(last - 1)


def _explained(missing: Decimal, end: tuple[Decimal, Decimal] | None) -> bool:
    """Whether orders of ours at the venue may have made a difference; without any, nothing does."""
    bought, sold = end or (_ZERO, _ZERO)
    return -sold <= missing <= bought


def _by_symbol(positions: Iterable[VenuePosition]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for item in positions:
        held[item.symbol] = held.get(item.symbol, _ZERO) + item.quantity
    return held


def _base(symbol: str, currency: str) -> str:
    coin = symbol.removesuffix(currency)
    if coin in ("", symbol):
        raise BadData(
            f"symbol {symbol} is not quoted in the account's currency {currency}: it cannot be reconciled"
        )
    return coin
