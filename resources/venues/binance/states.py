"""How Binance's words for orders read in ours, and ours in Binance's; spot and futures alike."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from trading.errors import BadData
from trading.model.account import FillCause
from trading.model.order import OrderState, OrderType, Side

_T = TypeVar("_T")

SIDES: Mapping[Side, str] = {Side.BUY: "BUY", Side.SELL: "SELL"}
_SIDES = {word: side for side, word in SIDES.items()}

_STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PENDING_CANCEL": OrderState.OPEN,
    "NEW_INSURANCE": OrderState.OPEN,
    "NEW_ADL": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
_TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "LIQUIDATION": OrderType.MARKET,
    "STOP": OrderType.STOP,
    "STOP_MARKET": OrderType.STOP,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP,
    "TRAILING_STOP_MARKET": OrderType.STOP,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT,
}
#: Client ids that the exchange gives to orders of its own; the longer prefixes come first.
_CAUSES = (
    ("adl_autoclose", FillCause.ADL),
    ("settlement_autoclose", FillCause.MANUAL),
    ("delivery_autoclose", FillCause.MANUAL),
    ("autoclose-", FillCause.LIQUIDATION),
)
#: How every id of ours begins, see `trading.model.canonical` and `trading.execution.links`.
_OURS = "tm-"


def side_of(word: str, where: str) -> Side:
    """Our word for a side."""
    return _known(_SIDES, word, f"{where}: side")


def type_of(word: str, where: str) -> OrderType:
    """Our word for an order type; what we never send is read as what it comes closest to."""
    return _known(_TYPES, word, f"{where}: type")


def state_of(word: str, where: str, *, quantity: Decimal, executed: Decimal) -> OrderState:
    """Our word for a status. One at work that has filled in part says so, and one that filled is filled."""
    state: OrderState = _known(_STATES, word, f"{where}: status")
    if state is not OrderState.OPEN or not executed:
        return state
    return OrderState.FILLED if executed >= quantity else OrderState.PARTIALLY_FILLED


def cause_of(client_order_id: str) -> FillCause:
    """Who an order with this client id is from: the exchange marks its own, ours have our prefix.

    Without an id the venue tells nothing, and ours is what a fill is until something says otherwise.
    """
    for prefix, cause in _CAUSES:
        if client_order_id.startswith(prefix):
            return cause
    return FillCause.OURS if not client_order_id or client_order_id.startswith(_OURS) else FillCause.MANUAL


def fill_id(symbol: str, trade_id: int) -> str:
    """Id of a fill within the account: Binance counts trades by symbol."""
    return f"{symbol}-{trade_id}"


def price_or_none(price: Decimal) -> Decimal | None:
    """A price; None for the 0 that the venue writes where an order has none."""
    return price or None


def _known(words: Mapping[str, _T], word: str, what: str) -> _T:
    found = words.get(word)
    if found is None:
        raise BadData(
            f"{what} is {word!r}; known are {', '.join(words)}: this version does not know the word"
        )
    return found
