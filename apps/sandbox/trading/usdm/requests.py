"""New futures orders, plain and conditional: what a request asks for, checked against the rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from apps.sandbox.errors import missing
from apps.sandbox.trading import errors as common
from apps.sandbox.trading import matching, parameters
from apps.sandbox.trading.orders import ZERO, Order
from apps.sandbox.trading.usdm import errors
from apps.sandbox.trading.usdm.account import FuturesAccount
from apps.sandbox.trading.usdm.algos import AlgoOrder
from trading.execution.filters import floor_to
from trading.model.instrument import Instrument
from trading.model.order import Side

_CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET")
_WITH_PRICE = ("LIMIT", "STOP", "TAKE_PROFIT")
_IN_FORCE = ("GTC", "IOC", "FOK", "GTX")
_MOST_OPEN, _MOST_WAITING = 200, 10
_HIGHEST, _LOWEST = Decimal("1.1"), Decimal("0.9")
Values = Mapping[str, str]


def place(account: FuturesAccount, values: Values) -> Order:
    """Take the order that a request asks for, and let it trade.

    Raises
    ------
    ApiError
        In Binance's words, when the order breaks a rule; the account is then as it was.
    """
    order = drafted(account, values)
    account.check_funds(order, account.plan(order, order.accepted_price))
    account.next_id()
    return account.accept(order, order.accepted_price)


def drafted(account: FuturesAccount, values: Values) -> Order:
    """The order as it would be taken."""
    instrument = parameters.instrument(values, account.instruments)
    side, kind = parameters.side(values), _kind(values)
    if kind in _CONDITIONAL or values.get("closePosition") == "true":
        raise errors.use_algo_endpoint()
    if kind not in ("LIMIT", "MARKET"):
        raise common.invalid_order_type()
    last = _last(account, instrument)
    price = parameters.required(values, "price") if kind == "LIMIT" else None
    in_force = _time_in_force(values) if kind == "LIMIT" else "GTC"
    reduce_only = parameters.flag(values, "reduceOnly")
    quantity = parameters.required(values, "quantity")
    _check_filters(instrument, quantity, price, last, reduce_only=reduce_only)
    if price is not None:
        _check_distance(side, price, account.mark(instrument.symbol))
    if len(account.open_orders(instrument.symbol)) >= _MOST_OPEN:
        raise errors.too_many_open()
    if in_force == "GTX" and price and matching.marketable(side, price, last, instrument.tick_size):
        raise errors.not_a_maker()
    client = parameters.client_id(values, "newClientOrderId")
    if client is not None and account.is_open(instrument.symbol, client):
        raise errors.duplicate_client_id()
    return Order(
        order_id=account.last_id + 1,
        client_order_id=client or account.invented_id("order", account.last_id + 1),
        symbol=instrument.symbol,
        side=side,
        kind=kind,
        time_in_force=in_force,
        quantity=quantity,
        price=price,
        created_ms=account.now_ms,
        updated_ms=account.now_ms,
        accepted_price=last,
        working_ms=account.now_ms,
        position_side=_position_side(account, values),
        reduce_only=reduce_only,
    )


def place_algo(account: FuturesAccount, values: Values) -> AlgoOrder:
    """Take the conditional order that a request asks for.

    Raises
    ------
    ApiError
        In Binance's words, when the order breaks a rule; the account is then as it was.
    """
    if values.get("algoType") != "CONDITIONAL":
        raise missing("algoType")
    instrument = parameters.instrument(values, account.instruments)
    side, kind = parameters.side(values), _kind(values)
    if kind not in _CONDITIONAL:
        raise common.invalid_order_type()
    trigger = parameters.required(values, "triggerPrice")
    price = parameters.required(values, "price") if kind in _WITH_PRICE else None
    closes = parameters.flag(values, "closePosition")
    reduce_only = parameters.flag(values, "reduceOnly")
    if closes and (values.get("quantity") or reduce_only or price is not None):
        raise common.unknown_combination()
    quantity = None if closes else parameters.required(values, "quantity")
    by_mark = parameters.choice(values, "workingType", ("MARK_PRICE", "CONTRACT_PRICE"), "CONTRACT_PRICE")
    last = _last(account, instrument)
    for value in (trigger, price):
        if value is not None and floor_to(value, instrument.tick_size) != value:
            raise errors.too_precise()
    if quantity is not None:
        _check_filters(instrument, quantity, price, trigger, reduce_only=reduce_only)
    watched = account.mark(instrument.symbol) if by_mark == "MARK_PRICE" else last
    if matching.touches(side, kind, trigger, watched, watched):
        raise errors.would_trigger()
    if len(account.open_algos(instrument.symbol)) >= _MOST_WAITING:
        raise errors.too_many_waiting()
    client = parameters.client_id(values, "clientAlgoId")
    if any(client == item.client_id for item in account.open_algos()):
        raise errors.duplicate_client_id()
    algo = AlgoOrder(
        algo_id=len(account.algos) + 1,
        client_id=client or account.invented_id("algo", len(account.algos) + 1),
        symbol=instrument.symbol,
        side=side,
        kind=kind,
        time_in_force=_time_in_force(values, "GTC"),
        quantity=quantity,
        price=price,
        trigger_price=trigger,
        by_mark=by_mark == "MARK_PRICE",
        reduce_only=reduce_only,
        position_side=_position_side(account, values),
        created_ms=account.now_ms,
        updated_ms=account.now_ms,
        accepted_price=watched,
    )
    account.keep_algo(algo, "NEW")
    return algo


def _kind(values: Values) -> str:
    kind = values.get("type")
    if not kind:
        raise missing("type")
    return kind


def _last(account: FuturesAccount, instrument: Instrument) -> Decimal:
    last = account.prices.last(instrument.symbol, account.now_ms)
    if last is None or account.ended(instrument.symbol):
        raise errors.no_price()
    return last


def _time_in_force(values: Values, usual: str = "") -> str:
    sent = values.get("timeInForce") or usual
    if not sent:
        raise missing("timeInForce")
    if sent not in _IN_FORCE:
        raise common.invalid_time_in_force()
    return sent


def _position_side(account: FuturesAccount, values: Values) -> str:
    side = parameters.choice(values, "positionSide", ("BOTH", "LONG", "SHORT"), "BOTH")
    if side not in account.wallet.sides():
        raise errors.wrong_position_side()
    if side != "BOTH" and "reduceOnly" in values:
        raise common.not_required("reduceOnly")
    return side


def _check_distance(side: Side, price: Decimal, mark: Decimal) -> None:
    """Neither buy far above the mark price nor sell far below it."""
    if side is Side.BUY and price > mark * _HIGHEST:
        raise errors.too_high(mark * _HIGHEST)
    if side is Side.SELL and price < mark * _LOWEST:
        raise errors.too_low(mark * _LOWEST)


def _check_filters(
    instrument: Instrument, quantity: Decimal, price: Decimal | None, last: Decimal, *, reduce_only: bool
) -> None:
    if floor_to(quantity, instrument.lot_step) != quantity:
        raise errors.too_precise()
    if price is not None and floor_to(price, instrument.tick_size) != price:
        raise errors.too_precise()
    if quantity < instrument.min_quantity or ZERO < instrument.max_quantity < quantity:
        raise errors.quantity_out_of_range()
    if not reduce_only and quantity * (price or last) < instrument.min_notional:
        raise errors.too_small(instrument.min_notional)
