"""Query parameters as Binance reads them, with its errors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from apps.sandbox.errors import ApiError, illegal, invalid_interval, invalid_symbol, missing
from trading.model.instrument import Instrument
from trading.model.interval import Interval

_MOST_BARS = 1_000
_USUAL_BARS = 500
_INTERVALS = frozenset(item.value for item in Interval)


def integer(query: Mapping[str, str], name: str) -> int | None:
    """An optional number."""
    text = query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise illegal(name)
    return int(text)


def limit(query: Mapping[str, str], usual: int = _USUAL_BARS, most: int = _MOST_BARS) -> int:
    """Rows wanted; more than ``most`` are cut to that, as Binance does."""
    wanted = integer(query, "limit")
    if wanted == 0:
        raise illegal("limit")
    return min(usual if wanted is None else wanted, most)


def interval(query: Mapping[str, str]) -> Interval:
    """The bar length."""
    text = query.get("interval")
    if not text:
        raise missing("interval")
    if text not in _INTERVALS:
        raise invalid_interval()
    return Interval(text)


def symbol(query: Mapping[str, str], known: Mapping[str, Instrument], name: str = "symbol") -> Instrument:
    """The mandatory symbol, in the parameter ``name``."""
    text = query.get(name)
    if not text:
        raise missing(name)
    if text not in known:
        raise invalid_symbol()
    return known[text]


def symbols(query: Mapping[str, str], known: Mapping[str, Instrument]) -> tuple[list[Instrument], bool]:
    """The symbols wanted (all when none is named) and whether exactly one was named by ``symbol``."""
    one, several = query.get("symbol"), query.get("symbols")
    if one is not None and several is not None:
        raise ApiError(400, -1128, "Combination of optional parameters invalid.")
    if one is not None:
        return [symbol(query, known)], True
    if several is None:
        return list(known.values()), False
    try:
        names = json.loads(several)
    except json.JSONDecodeError:
        names = None
    if not isinstance(names, list) or not names:
        raise illegal("symbols", '^\\["[A-Z0-9]+"(,"[A-Z0-9]+")*\\]$')
    if any(name not in known for name in names):
        raise invalid_symbol()
    return [known[name] for name in names], False
