"""Spot payloads in Binance's shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.sandbox.render import number
from apps.sandbox.trading.orders import ZERO, Order, Trade
from apps.sandbox.trading.spot.account import SpotAccount

_BPS = Decimal(10_000)


def order(item: Order) -> dict[str, Any]:
    """An order as queries show it."""
    return {
        "symbol": item.symbol,
        "orderId": item.order_id,
        "orderListId": -1,
        "clientOrderId": item.client_order_id,
        **_amounts(item),
        "stopPrice": number(item.stop_price or ZERO),
        "icebergQty": number(ZERO),
        "time": item.created_ms,
        "updateTime": item.updated_ms,
        "isWorking": item.working_ms is not None,
        "workingTime": -1 if item.working_ms is None else item.working_ms,
        "origQuoteOrderQty": number(item.quote_quantity or ZERO),
        "selfTradePreventionMode": "NONE",
    }


def new_order(item: Order, trades: list[Trade], form: str) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL."""
    answer: dict[str, Any] = {
        "symbol": item.symbol,
        "orderId": item.order_id,
        "orderListId": -1,
        "clientOrderId": item.client_order_id,
        "transactTime": item.created_ms,
    }
    if form == "ACK":
        return answer
    answer |= _amounts(item) | {"origQuoteOrderQty": number(item.quote_quantity or ZERO)}
    if item.stop_price is not None:
        answer["stopPrice"] = number(item.stop_price)
    answer |= {
        "workingTime": -1 if item.working_ms is None else item.working_ms,
        "selfTradePreventionMode": "NONE",
    }
    if form == "FULL":
        answer["fills"] = [_fill(trade) for trade in trades]
    return answer


def cancelled(item: Order, cancel_id: str) -> dict[str, Any]:
    """The answer to a cancel."""
    answer = {
        "symbol": item.symbol,
        "origClientOrderId": item.client_order_id,
        "orderId": item.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": item.updated_ms,
        **_amounts(item),
        "origQuoteOrderQty": number(item.quote_quantity or ZERO),
        "selfTradePreventionMode": "NONE",
    }
    if item.stop_price is not None:
        answer["stopPrice"] = number(item.stop_price)
    return answer


def trade(item: Trade) -> dict[str, Any]:
    """One element of /myTrades."""
    return {
        "symbol": item.symbol,
        "id": item.trade_id,
        "orderId": item.order_id,
        "orderListId": -1,
        "price": number(item.price),
        "qty": number(item.quantity),
        "quoteQty": number(item.quote),
        "commission": number(item.fee),
        "commissionAsset": item.fee_asset,
        "time": item.at_ms,
        "isBuyer": item.side.value == "buy",
        "isMaker": item.maker,
        "isBestMatch": True,
    }


def account(item: SpotAccount, *, withdrawals: bool, every: list[str]) -> dict[str, Any]:
    """The /account body; ``every`` is the currencies to list, empty ones too."""
    return {
        "makerCommission": int(item.maker_bps),
        "takerCommission": int(item.taker_bps),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(item),
        "canTrade": True,
        "canWithdraw": withdrawals,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": item.updated_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": held.asset, "free": number(held.free), "locked": number(held.locked)}
            for held in map(item.balance, every)
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def commission(item: SpotAccount, symbol: str) -> dict[str, Any]:
    """The /account/commission body."""
    none = {"maker": number(ZERO), "taker": number(ZERO), "buyer": number(ZERO), "seller": number(ZERO)}
    return {
        "symbol": symbol,
        "standardCommission": _rates(item),
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": number(ZERO),
        },
    }


def trade_fee(item: SpotAccount, symbol: str) -> dict[str, Any]:
    """One element of /asset/tradeFee."""
    return {
        "symbol": symbol,
        "makerCommission": _plain(item.maker_bps / _BPS),
        "takerCommission": _plain(item.taker_bps / _BPS),
    }


def restrictions(*, withdrawals: bool, created_ms: int) -> dict[str, Any]:
    """The /account/apiRestrictions body."""
    return {
        "ipRestrict": False,
        "createTime": created_ms,
        "enableReading": True,
        "enableWithdrawals": withdrawals,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": True,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableSpotAndMarginTrading": True,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "tradingAuthorityExpirationTime": None,
    }


def _amounts(item: Order) -> dict[str, Any]:
    return {
        "price": number(item.price or ZERO),
        "origQty": number(item.quantity),
        "executedQty": number(item.executed),
        "cummulativeQuoteQty": number(item.executed_quote),
        "status": item.status.value,
        "timeInForce": item.time_in_force,
        "type": item.kind,
        "side": item.side.value.upper(),
    }


def _fill(item: Trade) -> dict[str, Any]:
    return {
        "price": number(item.price),
        "qty": number(item.quantity),
        "commission": number(item.fee),
        "commissionAsset": item.fee_asset,
        "tradeId": item.trade_id,
    }


def _rates(item: SpotAccount) -> dict[str, str]:
    return {
        "maker": number(item.maker_bps / _BPS),
        "taker": number(item.taker_bps / _BPS),
        "buyer": number(ZERO),
        "seller": number(ZERO),
    }


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
