"""Shapes of Binance's answers that we read; other fields are ignored."""

from __future__ import annotations

from pydantic import BaseModel


class ServerTime(BaseModel):
    """/api/v3/time."""

    serverTime: int


class RateLimit(BaseModel):
    """One element of ``rateLimits``."""

    rateLimitType: str
    interval: str
    intervalNum: int
    limit: int


class Filter(BaseModel):
    """One order filter; which fields it has depends on its type."""

    filterType: str
    tickSize: str = "0"
    minQty: str = "0"
    maxQty: str = "0"
    stepSize: str = "0"
    minNotional: str = "0"


class Symbol(BaseModel):
    """One element of ``symbols``."""

    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter]


class ExchangeInfo(BaseModel):
    """/api/v3/exchangeInfo."""

    rateLimits: list[RateLimit]
    symbols: list[Symbol]
