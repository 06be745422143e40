"""Payloads in Binance's shapes: prices as text with eight decimals, times in milliseconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from trading.model.instrument import Instrument

_ORDER_TYPES = [
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
]
_UNITS = 100_000_000
_DECIMAL_BELOW = 1e7
_PRICES = ("open", "high", "low", "close", "volume")


def decimals(bars: pl.DataFrame, name: str) -> pl.Expr:
    """Eight decimals of a number; nothing where it is missing. Above ten million it must be positive.

    The quick way, a cast to Decimal, multiplies by 1e8 and loses the last digits of large numbers.
    Those are cut into whole and fraction first, both exact.
    """
    largest = bars[name].max()
    if isinstance(largest, float) and largest < _DECIMAL_BELOW:
        return pl.col(name).cast(pl.Decimal(38, 8)).cast(pl.String).fill_null("")
    whole = pl.col(name).floor()
    units = ((pl.col(name) - whole) * _UNITS).round().cast(pl.Int64)
    fraction = (units % _UNITS).cast(pl.String).str.zfill(8)
    return pl.format("{}.{}", whole.cast(pl.Int64) + units // _UNITS, fraction).fill_null("")


def klines_json(bars: pl.DataFrame, interval_ms: int) -> bytes:
    """The /klines body: one 12-element array per bar."""
    rows = bars.select(_row(bars, '[{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]', interval_ms, 1))
    return ("[" + ",".join(rows.to_series().to_list()) + "]").encode()


def klines_csv(bars: pl.DataFrame, interval_ms: int, *, microseconds: bool) -> bytes:
    """Rows of the archive's file: the same twelve columns, without header."""
    scale = 1000 if microseconds else 1
    rows = bars.select(_row(bars, "{},{},{},{},{},{},{},{},{},{},{},0", interval_ms, scale))
    return "".join(row + "\n" for row in rows.to_series().to_list()).encode()


def _row(bars: pl.DataFrame, template: str, interval_ms: int, scale: int) -> pl.Expr:
    opened = pl.col("open_time").dt.epoch("ms") * scale
    return pl.format(
        template,
        opened,
        *(decimals(bars, name) for name in _PRICES),
        opened + (interval_ms * scale - 1),
        decimals(bars, "quote_volume"),
        pl.col("trades").cast(pl.String).fill_null(""),
        decimals(bars, "taker_buy_base"),
        decimals(bars, "taker_buy_quote"),
    )


def number(value: float | Decimal) -> str:
    """A number as Binance writes it."""
    return f"{value:.8f}"


def exchange_info(instruments: list[Instrument], now_ms: int, weight_limit: int) -> dict[str, Any]:
    """The /exchangeInfo body."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            rate_limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            rate_limit("ORDERS", "SECOND", 10, 100),
            rate_limit("ORDERS", "DAY", 1, 200_000),
            rate_limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(instrument) for instrument in instruments],
        "sors": [],
    }


def rate_limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    """One element of ``rateLimits``."""
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _symbol(instrument: Instrument) -> dict[str, Any]:
    return {
        "symbol": instrument.symbol,
        "status": instrument.status,
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(instrument: Instrument) -> list[dict[str, Any]]:
    quantity = {
        "minQty": number(instrument.min_quantity),
        "maxQty": number(instrument.max_quantity),
        "stepSize": number(instrument.lot_step),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": number(instrument.tick_size),
            "maxPrice": number(instrument.tick_size * 100_000_000),
            "tickSize": number(instrument.tick_size),
        },
        {"filterType": "LOT_SIZE", **quantity},
        {"filterType": "MARKET_LOT_SIZE", **quantity},
        {
            "filterType": "NOTIONAL",
            "minNotional": number(instrument.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def price(symbol: str, last: float) -> dict[str, Any]:
    """One element of /ticker/price."""
    return {"symbol": symbol, "price": number(last)}


def book(instrument: Instrument, last: float) -> dict[str, Any]:
    """One element of /ticker/bookTicker: one tick wide around the last price."""
    lots = instrument.lot_step * 1000
    return {
        "symbol": instrument.symbol,
        "bidPrice": number(last),
        "bidQty": number(lots),
        "askPrice": number(Decimal(number(last)) + instrument.tick_size),
        "askQty": number(lots),
    }


def day_ticker(instrument: Instrument, minutes: pl.DataFrame, now_ms: int) -> dict[str, Any]:
    """One element of /ticker/24hr from the last day's minutes (at least one)."""
    first, last = minutes.row(0, named=True), minutes.row(-1, named=True)
    change = last["close"] - first["open"]
    volume, value = float(minutes["volume"].sum()), float(minutes["quote_volume"].sum())
    quotes = book(instrument, last["close"])
    count = int(minutes["trades"].sum())
    return {
        "symbol": instrument.symbol,
        "priceChange": number(change),
        "priceChangePercent": f"{change / first['open'] * 100.0:.3f}",
        "weightedAvgPrice": number(value / volume if volume else last["close"]),
        "prevClosePrice": number(first["open"]),
        "lastPrice": number(last["close"]),
        "lastQty": quotes["bidQty"],
        "bidPrice": quotes["bidPrice"],
        "bidQty": quotes["bidQty"],
        "askPrice": quotes["askPrice"],
        "askQty": quotes["askQty"],
        "openPrice": number(first["open"]),
        "highPrice": number(minutes["high"].max()),  # type: ignore[arg-type]
        "lowPrice": number(minutes["low"].min()),  # type: ignore[arg-type]
        "volume": number(volume),
        "quoteVolume": number(value),
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": 1,
        "lastId": count,
        "count": count,
    }
