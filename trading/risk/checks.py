"""One function per limit: value against limit, unknown never passes.

`entry_checks` must all pass; an `AmountLimit` may instead cut the entry to the room that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading.execution.filters import broken_filters, floor_to, quantity_for
from trading.model.check import ABOVE, at_least, at_most, below, known, must_be
from trading.model.decision import Check, Decision
from trading.model.interval import MINUTE_MS
from trading.model.snapshot import Snapshot
from trading.risk.exposure import Exposure, key_of, price_of
from trading.risk.limits import RiskLimits

_CASH_STEP = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that one check may look at."""

    decision: Decision
    snapshot: Snapshot
    limits: RiskLimits
    now_ms: int
    exposure: Exposure


def halted(context: Context) -> Check:
    """The persisted kill flag."""
    return must_be("halted", "yes" if context.snapshot.controls.halted else "no", "no")


def snapshot_identity(context: Context) -> Check:
    """The decision was taken on the snapshot that it is judged on."""
    return must_be("snapshot", context.decision.snapshot_id, context.snapshot.snapshot_id)


def unknown_order(context: Context) -> Check:
    """No order of the symbol has an unknown outcome."""
    frozen = context.decision.symbol in context.snapshot.portfolio.unknown_symbols
    return must_be("unknown_order", "yes" if frozen else "no", "no")


def pending_order(context: Context) -> Check:
    """No order of the symbol is under way."""
    pending = context.decision.symbol in context.snapshot.portfolio.pending_symbols
    return must_be("pending_order", "yes" if pending else "no", "no")


def open_breaks(context: Context) -> Check:
    """Breaks between ledger and venue that concern the symbol, or the whole account."""
    portfolio, symbol = context.snapshot.portfolio, context.decision.symbol
    return at_most("open_breaks", portfolio.broken_symbols.count(symbol) + portfolio.account_breaks, 0)


def instrument(context: Context) -> Check:
    """The venue trades the symbol, and its filters are known."""
    found = context.snapshot.instruments.get(context.decision.symbol)
    return must_be("instrument", found.status if found is not None else None, "TRADING")


def price(context: Context) -> Check:
    """The desk's price is known and is the close in the snapshot."""
    close = price_of(context.snapshot, context.decision.symbol)
    seen = known(context.decision.reference_price)
    passed = close is not None and seen is not None and seen == float(close)
    return Check("price", passed, seen, None if close is None else float(close), "must be the close")


def amount(context: Context) -> Check:
    """The wanted amount is a positive number."""
    wanted = context.decision.quote_amount
    positive = wanted.is_finite() and wanted > 0
    return Check("amount", positive, known(wanted), 0.0, ABOVE)


def staleness(context: Context) -> Check:
    """Whole and part bars that the symbol's newest bar lies behind the tick; one from the future fails."""
    view = context.snapshot.symbols.get(context.decision.symbol)
    limit = context.limits.max_staleness_bars
    if view is None:
        return at_most("staleness_bars", None, limit)
    bars = (context.snapshot.bar_close_ms - view.bar_close_ms) / (context.limits.bar_minutes * MINUTE_MS)
    check = at_most("staleness_bars", bars, limit)
    return check if bars >= 0 else Check("staleness_bars", False, bars, 0.0, "≥ the bar is in the future")


def decision_age(context: Context) -> Check:
    """Minutes since the decision's bar closed; a close in the future fails."""
    minutes = (context.now_ms - context.decision.bar_close_ms) / MINUTE_MS
    check = at_most("decision_age_minutes", minutes, context.limits.max_decision_age_minutes)
    return check if minutes >= 0 else Check(check.name, False, minutes, 0.0, "≥ the bar has not closed")


def spread(context: Context) -> Check:
    """Estimated bid-ask spread; a negative one is no estimate."""
    view = context.snapshot.symbols.get(context.decision.symbol)
    known_bps = view.spread_bps if view is not None and view.spread_bps >= 0 else None
    return at_most("spread_bps", known_bps, context.limits.max_spread_bps)


def daily_loss(context: Context) -> Check:
    """Loss since the start of the UTC day; reaching the limit stops entries.

    Without a record of the day the tick is its first, so its own equity is the start: a loss of 0.
    """
    portfolio, limit = context.snapshot.portfolio, context.limits.max_daily_loss_fraction
    start = portfolio.equity if portfolio.equity_day_start is None else portfolio.equity_day_start
    loss = (start - portfolio.equity) / start if start > 0 else None
    return below("daily_loss_fraction", loss, Decimal(repr(limit)))


def open_positions(context: Context) -> Check:
    """Positions of all desks once the entry has filled."""
    after = len(context.exposure.open_keys | {key_of(context.decision)})
    return at_most("open_positions", after, context.limits.max_open_positions)


ENTRY_CHECKS: tuple[Callable[[Context], Check], ...] = (
    halted,
    snapshot_identity,
    unknown_order,
    pending_order,
    open_breaks,
    instrument,
    price,
    amount,
    staleness,
    decision_age,
    spread,
    daily_loss,
    open_positions,
)


@dataclass(frozen=True, slots=True)
class AmountLimit:
    """A limit that leaves room for an amount: the check of the wanted amount, and the room (quote).

    ``room`` is None when it cannot be known; it may be 0 or negative.
    """

    check: Check
    room: Decimal | None


def _share_limit(
    name: str, held: Decimal | None, wanted: Decimal, equity: Decimal, fraction: float
) -> AmountLimit:
    if held is None or equity <= 0 or not wanted.is_finite():
        return AmountLimit(Check(name, False, None, fraction, "≤ of equity"), None)
    room = equity * Decimal(repr(fraction)) - held
    value = float((held + wanted) / equity)
    return AmountLimit(Check(name, wanted <= room, value, fraction, "≤ of equity"), room)


def position_fraction(context: Context) -> AmountLimit:
    """Share of equity in the symbol, all desks together, after the entry."""
    held = context.exposure.by_symbol.get(context.decision.symbol, Decimal(0))
    limit = context.limits.max_position_fraction
    wanted = context.decision.quote_amount
    return _share_limit("position_fraction", held, wanted, context.exposure.equity, limit)


def exposure_fraction(context: Context) -> AmountLimit:
    """Share of equity in all positions after the entry."""
    limit = context.limits.max_portfolio_exposure_fraction
    wanted, exposure = context.decision.quote_amount, context.exposure
    return _share_limit("exposure_fraction", exposure.total, wanted, exposure.equity, limit)


def cash_reserve(context: Context) -> AmountLimit:
    """Share of equity left in cash after the entry, its fees and its slippage."""
    name, fraction = "cash_reserve_fraction", context.limits.min_cash_reserve_fraction
    exposure, wanted = context.exposure, context.decision.quote_amount
    if exposure.equity <= 0 or not wanted.is_finite():
        return AmountLimit(Check(name, False, None, fraction, "≥ of equity"), None)
    free = exposure.cash - exposure.equity * Decimal(repr(fraction))
    left = (exposure.cash - cash_needed(wanted, context.limits)) / exposure.equity
    room = floor_to(free / (1 + Decimal(repr(context.limits.cost_buffer_fraction))), _CASH_STEP)
    return AmountLimit(Check(name, wanted <= room, float(left), fraction, "≥ of equity"), room)


def max_quantity(context: Context) -> AmountLimit:
    """The venue's largest order; 0 means unbounded."""
    found = context.snapshot.instruments.get(context.decision.symbol)
    close = price_of(context.snapshot, context.decision.symbol)
    wanted = context.decision.quote_amount
    if found is None or close is None or not wanted.is_finite():
        return AmountLimit(Check("max_quantity", False, None, None, "≤"), None)
    if found.max_quantity == 0:
        return AmountLimit(Check("max_quantity", True, float(wanted / close), None, "≤ unbounded"), wanted)
    room = found.max_quantity * close
    value, limit = float(wanted / close), float(found.max_quantity)
    return AmountLimit(Check("max_quantity", wanted <= room, value, limit, "≤"), room)


AMOUNT_LIMITS: tuple[Callable[[Context], AmountLimit], ...] = (
    position_fraction,
    exposure_fraction,
    cash_reserve,
    max_quantity,
)


def cash_needed(quote_amount: Decimal, limits: RiskLimits) -> Decimal:
    """Cash that an entry ties up: its amount and the room for costs."""
    return quote_amount * (1 + Decimal(repr(limits.cost_buffer_fraction)))


def min_notional(context: Context, allowed: Decimal) -> Check:
    """What is left of the entry after quantising still meets the venue's filters."""
    found = context.snapshot.instruments.get(context.decision.symbol)
    close = price_of(context.snapshot, context.decision.symbol)
    if found is None or close is None:
        return Check("min_notional", False, None, None, "≥")
    quantity = quantity_for(allowed, close, found)
    broken = broken_filters(found, quantity, close)
    detail = f"≥ {'; '.join(broken)}".strip()
    return Check("min_notional", not broken, float(quantity * close), float(found.min_notional), detail)


def sellable(context: Context, quantity: Decimal) -> Check:
    """Whether the venue accepts a sale of the holding: below its filters it is dust.

    Without the filters or the price the venue itself must answer: a reduction is let through.
    """
    found = context.snapshot.instruments.get(context.decision.symbol)
    if found is None:
        return Check("dust", True, known(quantity), None, "≥ filters unknown")
    largest = min(abs(quantity), found.max_quantity) if found.max_quantity else abs(quantity)
    legal = floor_to(largest, found.lot_step)
    broken = broken_filters(found, legal, price_of(context.snapshot, context.decision.symbol))
    detail = f"≥ {'; '.join(broken)}".strip()
    return Check("dust", not broken, float(legal), float(found.min_quantity), detail)


def held_quantity(context: Context) -> Check:
    """There is a holding of the desk and strategy to reduce, and no sale of it in this pass yet."""
    position = position_of(context.decision, context.snapshot)
    return at_least("held", Decimal(1) if position else Decimal(0), 1, f"position {position}")


def position_of(decision: Decision, snapshot: Snapshot) -> Decimal:
    """Quantity held by the decision's desk and strategy in its symbol, negative for a short; 0 when none."""
    return next(
        (
            item.quantity
            for item in snapshot.portfolio.positions
            if (item.desk, item.strategy_id, item.symbol) == key_of(decision)
        ),
        Decimal(0),
    )
