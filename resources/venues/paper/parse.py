"""Orders and fills as the paper book stores them: canonical JSON, read back exactly."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import Any

from trading.errors import BadData
from trading.model.canonical import canonical_json
from trading.model.order import Fill, Order, OrderRole, OrderState, OrderType, Side
from trading.model.series import Market

#: What our own bookkeeping says of an order; the venue neither sees nor compares it.
_OURS = ("state", "created_at_ms", "signature", "sending_at_ms")
_DECIMALS = ("quantity", "reference_price", "price", "fee", "limit_price", "stop_price")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Order)}


def order_content(order: Order) -> str:
    """The order as sent: two submits are the same order when their contents are equal.

    What stands at its default is left out, so that a book keeps its meaning when orders learn something new.
    """
    fields = dataclasses.asdict(order)
    return canonical_json(
        {name: value for name, value in fields.items() if name not in _OURS and value != _DEFAULTS[name]}
    )


def read_order(content: str, state: str, accepted_at_ms: int) -> Order:
    """The order that a book row holds."""
    fields = _fields(content, "order")
    return Order(**fields, state=OrderState(state), created_at_ms=accepted_at_ms)


def fill_content(fill: Fill) -> str:
    """The fill as stored."""
    return canonical_json(dataclasses.asdict(fill))


def read_fill(content: str) -> Fill:
    """The fill that a book row holds."""
    return Fill(**_fields(content, "fill"))


def _fields(content: str, what: str) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(content)
        for name in _DECIMALS:
            if fields.get(name) is not None:
                fields[name] = Decimal(fields[name])
        fields["side"] = Side(fields["side"])
        for name, enum in (("order_type", OrderType), ("role", OrderRole), ("market", Market)):
            if name in fields:
                fields[name] = enum(fields[name])
    except (ValueError, ArithmeticError, KeyError, TypeError) as error:
        raise BadData(
            f"paper book: a stored {what} cannot be read ({error!r}): {content[:200]}; restore the ledger"
        ) from error
    return fields
