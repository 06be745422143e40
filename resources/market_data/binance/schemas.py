"""Shapes of Binance's answers that we read; other fields are ignored."""

from __future__ import annotations

from pydantic import BaseModel


class ServerTime(BaseModel):
    """/api/v3/time and /fapi/v1/time."""

    serverTime: int


class RateLimit(BaseModel):
    """One element of ``rateLimits``."""

    rateLimitType: str
    interval: str
    intervalNum: int
    limit: int


class Filter(BaseModel):
    """One order filter; which fields it has depends on its type and market."""

    filterType: str
    tickSize: str = "0"
    minQty: str = "0"
    maxQty: str = "0"
    stepSize: str = "0"
    minNotional: str = "0"
    notional: str = "0"


class Symbol(BaseModel):
    """One element of ``symbols``; the last three fields belong to futures."""

    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter]
    contractType: str = ""
    onboardDate: int | None = None
    deliveryDate: int | None = None


class ExchangeInfo(BaseModel):
    """/api/v3/exchangeInfo and /fapi/v1/exchangeInfo."""

    rateLimits: list[RateLimit]
    symbols: list[Symbol]


class FundingInfo(BaseModel):
    """One element of /fapi/v1/fundingInfo: a symbol whose funding was changed from the default."""

    symbol: str
    fundingIntervalHours: int


class FundingRate(BaseModel):
    """One element of /fapi/v1/fundingRate."""

    symbol: str
    fundingRate: str
    fundingTime: int


class OpenInterest(BaseModel):
    """One element of /futures/data/openInterestHist; the time is a number or text."""

    symbol: str
    sumOpenInterest: str
    sumOpenInterestValue: str
    timestamp: int
