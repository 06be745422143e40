"""Payloads of the futures API in Binance's shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from apps.sandbox import render
from apps.sandbox.render import number
from trading.model.instrument import Instrument
from trading.simulation.contracts import Contract
from trading.simulation.funding import INTEREST

_ORDER_TYPES = [
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
]
#: Delivery date of a perpetual, which has none.
_NEVER_MS = 4_133_404_800_000
#: Fields of the spot market's day ticker that the futures market's has not.
_SPOT_ONLY = frozenset({"prevClosePrice", "bidPrice", "bidQty", "askPrice", "askQty"})


def exchange_info(contracts: list[Contract], now_ms: int, weight_limit: int) -> dict[str, Any]:
    """The /exchangeInfo body."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            render.rate_limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            render.rate_limit("ORDERS", "MINUTE", 1, 1200),
            render.rate_limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-100"}],
        "symbols": [_symbol(contract, now_ms) for contract in contracts],
    }


def _symbol(contract: Contract, now_ms: int) -> dict[str, Any]:
    instrument = contract.instrument(now_ms)
    ended = contract.delisted_at_ms is not None and contract.delisted_at_ms <= now_ms
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": contract.delisted_at_ms if ended else _NEVER_MS,
        "onboardDate": contract.listed_at_ms,
        "status": "SETTLING" if ended else "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": _digits(instrument.tick_size),
        "quantityPrecision": _digits(instrument.lot_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012000",
        "marketTakeBound": "0.30",
        "filters": _filters(instrument),
        "orderTypes": _ORDER_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(instrument: Instrument) -> list[dict[str, Any]]:
    quantity = {
        "minQty": _plain(instrument.min_quantity),
        "maxQty": _plain(instrument.max_quantity),
        "stepSize": _plain(instrument.lot_step),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _plain(instrument.tick_size),
            "maxPrice": _plain(instrument.tick_size * 100_000_000),
            "tickSize": _plain(instrument.tick_size),
        },
        {"filterType": "LOT_SIZE", **quantity},
        {"filterType": "MARKET_LOT_SIZE", **quantity},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": _plain(instrument.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.1000",
            "multiplierDown": "0.9000",
            "multiplierDecimal": "4",
        },
    ]


def computed_json(bars: pl.DataFrame, interval_ms: int) -> bytes:
    """The body of /markPriceKlines and its like: volumes are plain zeros, trades count the samples."""
    opened = pl.col("open_time").dt.epoch("ms")
    prices = (render.decimals(bars, name) for name in ("open", "high", "low", "close"))
    row = pl.format(
        '[{},"{}","{}","{}","{}","0",{},"0",{},"0","0","0"]',
        opened,
        *prices,
        opened + (interval_ms - 1),
        pl.col("trades"),
    )
    return ("[" + ",".join(bars.select(row).to_series().to_list()) + "]").encode()


def funding_rate(symbol: str, at_ms: int, rate: float) -> dict[str, Any]:
    """One element of /fundingRate."""
    return {"symbol": symbol, "fundingRate": number(rate), "fundingTime": at_ms}


def funding_info(symbol: str, hours: int) -> dict[str, Any]:
    """One element of /fundingInfo."""
    return {
        "symbol": symbol,
        "adjustedFundingRateCap": "0.02000000",
        "adjustedFundingRateFloor": "-0.02000000",
        "fundingIntervalHours": hours,
        "disclaimer": False,
    }


def premium_index(
    symbol: str, now_ms: int, *, mark: float, index: float, rate: float, next_ms: int
) -> dict[str, Any]:
    """One element of /premiumIndex."""
    return {
        "symbol": symbol,
        "markPrice": number(mark),
        "indexPrice": number(index),
        "estimatedSettlePrice": number(index),
        "lastFundingRate": number(rate),
        "interestRate": number(INTEREST),
        "nextFundingTime": next_ms,
        "time": now_ms,
    }


def day_ticker(contract: Contract, minutes: pl.DataFrame, now_ms: int) -> dict[str, Any]:
    """One element of /ticker/24hr from the last day's minutes (at least one)."""
    spot = render.day_ticker(contract.instrument(now_ms), minutes, now_ms)
    return {name: value for name, value in spot.items() if name not in _SPOT_ONLY}


def book(contract: Contract, last: float, now_ms: int) -> dict[str, Any]:
    """One element of /ticker/bookTicker."""
    return {**render.book(contract.instrument(now_ms), last), "time": now_ms}


def open_interest(symbol: str, held: float, now_ms: int) -> dict[str, Any]:
    """The /openInterest body."""
    return {"symbol": symbol, "openInterest": f"{held:.3f}", "time": now_ms}


def open_interest_history(symbol: str, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The /openInterestHist body; its times are text."""
    times = rows["time"].dt.epoch("ms")
    return [
        {
            "symbol": symbol,
            "sumOpenInterest": number(held),
            "sumOpenInterestValue": number(value),
            "timestamp": str(at_ms),
        }
        for at_ms, held, value in zip(times, rows["open_interest"], rows["open_interest_value"], strict=True)
    ]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _digits(step: Decimal) -> int:
    return len(_plain(step).partition(".")[2])
