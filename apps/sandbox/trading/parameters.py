"""Parameters of signed requests as Binance reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from apps.sandbox import parameters
from apps.sandbox.errors import illegal, missing
from apps.sandbox.trading import errors
from trading.model.instrument import Instrument
from trading.model.order import Side

Values = Mapping[str, str]

_CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
_NUMBER = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
_DECIMAL = re.compile(_NUMBER)
_LONGEST_RANGE_MS = 86_400_000
_Item = TypeVar("_Item")


def decimal(values: Values, name: str) -> Decimal | None:
    """An optional number; zero counts as not sent, as at the venue."""
    text = values.get(name)
    if not text:
        return None
    if not _DECIMAL.match(text):
        raise illegal(name, _NUMBER)
    return Decimal(text) or None


def required(values: Values, name: str) -> Decimal:
    """A mandatory number above zero."""
    value = decimal(values, name)
    if value is None:
        raise missing(name)
    return value


def side(values: Values) -> Side:
    """Which way an order goes."""
    text = values.get("side")
    if not text:
        raise missing("side")
    if text not in ("BUY", "SELL"):
        raise errors.invalid_side()
    return Side(text.lower())


def choice(values: Values, name: str, allowed: tuple[str, ...], usual: str) -> str:
    """One of several words."""
    text = values.get(name) or usual
    if text not in allowed:
        raise illegal(name, "|".join(allowed))
    return text


def flag(values: Values, name: str) -> bool:
    """A true or false, false where it is absent."""
    text = values.get(name, "false").lower()
    if text not in ("true", "false"):
        raise illegal(name, "true|false")
    return text == "true"


def client_id(values: Values, name: str) -> str | None:
    """An id that the client chose."""
    text = values.get(name)
    if text is None:
        return None
    if not _CLIENT_ID.match(text):
        raise illegal(name, _CLIENT_ID.pattern)
    return text


def instrument(values: Values, known: Mapping[str, Instrument]) -> Instrument:
    """The mandatory symbol."""
    return parameters.symbol(values, known)


def symbol_or_all(values: Values, known: Mapping[str, Instrument]) -> str | None:
    """The symbol where one is named."""
    return instrument(values, known).symbol if values.get("symbol") else None


def window(values: Values, now_ms: int) -> tuple[int, int]:
    """The range of time asked for, a day at most; everything where none is named."""
    start_ms, end_ms = parameters.integer(values, "startTime"), parameters.integer(values, "endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > _LONGEST_RANGE_MS:
        raise errors.too_long_a_range()
    return start_ms or 0, now_ms if end_ms is None else end_ms


def page(found: list[_Item], most: int, from_start: object) -> list[_Item]:
    """The first items where a start was named, the latest otherwise."""
    return found[:most] if from_start else found[-most:]
