"""The last price of every spot pair."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import BaseModel, TypeAdapter

from resources.venues.binance.reading import parsed
from resources.venues.binance.transport import Api, Security

_PATH = "/api/v3/ticker/price"


class _Price(BaseModel):
    symbol: str
    price: Decimal


_PRICES = TypeAdapter(list[_Price])


def last_prices(api: Api) -> Mapping[str, Decimal]:
    """Last price (quote) by symbol; a pair without one is not in it. Raises `RetryLater` or `BadData`."""
    rows = parsed(_PRICES, api.read(_PATH, {}, weight=4, security=Security.NONE), _PATH)
    return {row.symbol: row.price for row in rows if row.price > 0}
