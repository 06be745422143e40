"""Orders and fills as the paper book stores them: canonical JSON, read back exactly."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import Any

from trading.errors import BadData
from trading.model.canonical import canonical_json
from trading.model.order import Fill, Order, OrderState, Side

#: What our own bookkeeping says of an order; the venue neither sees nor compares it.
_OURS = ("state", "created_at_ms")
_DECIMALS = ("quantity", "reference_price", "price", "fee")


def order_content(order: Order) -> str:
    """The order as sent: two submits are the same order when their contents are equal."""
    fields = dataclasses.asdict(order)
    return canonical_json({name: value for name, value in fields.items() if name not in _OURS})


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
            if name in fields:
                fields[name] = Decimal(fields[name])
        fields["side"] = Side(fields["side"])
    except (ValueError, ArithmeticError, KeyError, TypeError) as error:
        raise BadData(
            f"paper book: a stored {what} cannot be read ({error!r}): {content[:200]}; restore the ledger"
        ) from error
    return fields
