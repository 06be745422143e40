"""From Binance's exchangeInfo to instruments; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError

from resources.market_data.binance.schemas import ExchangeInfo, FundingInfo, Symbol
from trading.errors import BadData
from trading.model.contract import underlying
from trading.model.instrument import Instrument
from trading.model.series import Market

_PERPETUAL = "PERPETUAL"
_QUOTE = "USDT"
#: Binance lists only the symbols whose funding differs from this.
_USUAL_FUNDING_HOURS = 8
#: A perpetual that nobody has ended is delivered in December 2100.
_NEVER_MS = 4_102_444_800_000
_FUNDING_INFO = TypeAdapter(list[FundingInfo])


def exchange_info(content: bytes) -> ExchangeInfo:
    """The venue's instruments and limits."""
    try:
        return ExchangeInfo.model_validate_json(content)
    except ValidationError as error:
        raise BadData(f"exchangeInfo is not as documented: {error}") from error


def weight_limit(info: ExchangeInfo) -> int | None:
    """Request weight allowed per minute; None when the venue does not say."""
    for limit in info.rateLimits:
        if limit.rateLimitType == "REQUEST_WEIGHT" and limit.interval == "MINUTE":
            return limit.limit // limit.intervalNum
    return None


def spot(info: ExchangeInfo) -> list[Instrument]:
    """Every spot pair, by symbol."""
    return sorted((instrument(symbol, Market.SPOT) for symbol in info.symbols), key=lambda item: item.symbol)


def usdm(info: ExchangeInfo, funding_hours: Mapping[str, int]) -> list[Instrument]:
    """Every perpetual quoted in USDT, by symbol.

    Parameters
    ----------
    funding_hours
        Hours between payments of the symbols for which they are not eight.
    """
    found = [
        instrument(symbol, Market.USDM, funding_hours.get(symbol.symbol, _USUAL_FUNDING_HOURS))
        for symbol in info.symbols
        if symbol.contractType == _PERPETUAL and symbol.quoteAsset == _QUOTE
    ]
    return sorted(found, key=lambda item: item.symbol)


def funding_hours(content: bytes) -> dict[str, int]:
    """Hours between funding payments, of the symbols that fundingInfo lists."""
    try:
        return {item.symbol: item.fundingIntervalHours for item in _FUNDING_INFO.validate_json(content)}
    except ValidationError as error:
        raise BadData(f"/fapi/v1/fundingInfo is not as documented: {error}") from error


def instrument(symbol: Symbol, market: Market, funding_interval_hours: int | None = None) -> Instrument:
    """One instrument; a filter that the venue does not state is 0, which disables it."""
    filters = {item.filterType: item for item in symbol.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
    least = (notional.notional if market is Market.USDM else notional.minNotional) if notional else "0"
    coin, multiplier = underlying(symbol.baseAsset)
    ends_ms = symbol.deliveryDate
    return Instrument(
        symbol=symbol.symbol,
        base=symbol.baseAsset,
        quote=symbol.quoteAsset,
        tick_size=_exact(price.tickSize if price else "0"),
        lot_step=_exact(lot.stepSize if lot else "0"),
        min_quantity=_exact(lot.minQty if lot else "0"),
        max_quantity=_exact(lot.maxQty if lot else "0"),
        min_notional=_exact(least),
        listed_at_ms=symbol.onboardDate,
        status=symbol.status,
        market=market,
        delisted_at_ms=ends_ms if ends_ms is not None and ends_ms < _NEVER_MS else None,
        underlying=coin,
        multiplier=multiplier,
        funding_interval_hours=funding_interval_hours,
    )


def _exact(text: str) -> Decimal:
    value = Decimal(text)
    return Decimal(format(value.normalize(), "f")) if value else Decimal(0)
