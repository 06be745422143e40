"""New spot orders: what a request asks for, checked against the symbol's rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from apps.sandbox.errors import missing
from apps.sandbox.trading import errors, matching, parameters
from apps.sandbox.trading.orders import STOPS, TAKE_PROFITS, ZERO, Order
from apps.sandbox.trading.spot.account import SpotAccount
from trading.execution.filters import floor_to
from trading.model.instrument import Instrument
from trading.model.order import Side

_WITH_PRICE = ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
_WITHOUT_PRICE = ("MARKET", "STOP_LOSS", "TAKE_PROFIT")
_IN_FORCE = ("GTC", "IOC", "FOK")
_MOST_OPEN, _MOST_WAITING = 200, 5
_MOST_NOTIONAL = Decimal(9_000_000)
_MOST_TICKS = 100_000_000


def place(account: SpotAccount, values: Mapping[str, str]) -> Order:
    """Take the order that a request asks for, and let it trade.

    Raises
    ------
    ApiError
        In Binance's words, when the order breaks a rule; the account is then as it was.
    """
    order, last = drafted(account, values)
    account.check_funds(order, [] if order.waits else account.plan(order, last))
    account.next_id()
    return account.accept(order, last)


def drafted(account: SpotAccount, values: Mapping[str, str]) -> tuple[Order, Decimal]:
    """The order as it would be taken, and the last price."""
    instrument = parameters.instrument(values, account.instruments)
    side, kind = parameters.side(values), values.get("type")
    if not kind:
        raise missing("type")
    if kind not in _WITH_PRICE + _WITHOUT_PRICE:
        raise errors.invalid_order_type()
    last = account.prices.last(instrument.symbol, account.now_ms)
    if last is None or account.ended(instrument.symbol):
        raise errors.rejected("Market is closed.")
    conditional = kind in STOPS | TAKE_PROFITS
    price = _price(values, "price", wanted=kind in _WITH_PRICE)
    stop = _price(values, "stopPrice", wanted=conditional)
    in_force = _time_in_force(values, kind)
    quote = parameters.decimal(values, "quoteOrderQty")
    if quote is not None and kind != "MARKET":
        raise errors.not_required("quoteOrderQty")
    quantity = _quantity(account, values, instrument, side, last, quote)
    _check_filters(instrument, quantity, price, stop, last)
    client = _client_id(account, values, instrument.symbol)
    order = Order(
        order_id=account.last_id + 1,
        client_order_id=client,
        symbol=instrument.symbol,
        side=side,
        kind=kind,
        time_in_force=in_force,
        quantity=quantity,
        price=price,
        stop_price=stop,
        quote_quantity=quote,
        created_ms=account.now_ms,
        updated_ms=account.now_ms,
        accepted_price=last,
        working_ms=None if conditional else account.now_ms,
    )
    _check_market(account, order, last, instrument)
    return order, last


def _check_market(account: SpotAccount, order: Order, last: Decimal, instrument: Instrument) -> None:
    stop = order.stop_price
    if stop is not None and matching.touches(order.side, order.kind, stop, last, last):
        raise errors.rejected("Stop price would trigger immediately.")
    maker_only = order.kind == "LIMIT_MAKER" and order.price is not None
    if maker_only and matching.marketable(order.side, order.price or ZERO, last, instrument.tick_size):
        raise errors.rejected("Order would immediately match and take.")
    already = account.open_orders(order.symbol)
    if len(already) >= _MOST_OPEN:
        raise errors.filter_failure("MAX_NUM_ORDERS")
    if order.waits and sum(item.waits for item in already) >= _MOST_WAITING:
        raise errors.filter_failure("MAX_NUM_ALGO_ORDERS")


def _quantity(
    account: SpotAccount,
    values: Mapping[str, str],
    instrument: Instrument,
    side: Side,
    last: Decimal,
    quote: Decimal | None,
) -> Decimal:
    if quote is None:
        return parameters.required(values, "quantity")
    if parameters.decimal(values, "quantity") is not None:
        raise errors.unknown_combination()
    if side is Side.SELL:
        return floor_to(quote / last, instrument.lot_step)
    depth = account.depth(instrument.symbol)
    most = floor_to(quote / last, instrument.lot_step)
    found = matching.taken(side, last, most, level_quantity=depth, instrument=instrument, funds=quote)
    return sum((item.quantity for item in found), ZERO)


def _check_filters(
    instrument: Instrument, quantity: Decimal, price: Decimal | None, stop: Decimal | None, last: Decimal
) -> None:
    for value in (price, stop):
        off_grid = value is not None and floor_to(value, instrument.tick_size) != value
        if off_grid or (value or ZERO) > instrument.tick_size * _MOST_TICKS:
            raise errors.filter_failure("PRICE_FILTER")
    too_large = instrument.max_quantity and quantity > instrument.max_quantity
    off_grid = floor_to(quantity, instrument.lot_step) != quantity
    if quantity < instrument.min_quantity or too_large or off_grid:
        raise errors.filter_failure("LOT_SIZE")
    notional = quantity * (price or stop or last)
    if notional < instrument.min_notional or (price is not None and notional > _MOST_NOTIONAL):
        raise errors.filter_failure("NOTIONAL")


def _time_in_force(values: Mapping[str, str], kind: str) -> str:
    sent = values.get("timeInForce")
    if kind in _WITHOUT_PRICE or kind == "LIMIT_MAKER":
        if sent:
            raise errors.not_required("timeInForce")
        return "GTC"
    if not sent:
        raise missing("timeInForce")
    if sent not in _IN_FORCE:
        raise errors.invalid_time_in_force()
    return sent


def _price(values: Mapping[str, str], name: str, *, wanted: bool) -> Decimal | None:
    if not wanted and values.get(name):
        raise errors.not_required(name)
    return parameters.required(values, name) if wanted else None


def _client_id(account: SpotAccount, values: Mapping[str, str], symbol: str) -> str:
    sent = parameters.client_id(values, "newClientOrderId")
    if sent is not None and account.is_open(symbol, sent):
        raise errors.rejected("Duplicate order sent.")
    return sent or account.invented_id("order", account.last_id + 1)
