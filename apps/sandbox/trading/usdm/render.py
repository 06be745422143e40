"""Futures orders and trades in Binance's shapes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from apps.sandbox.render import number
from apps.sandbox.trading.orders import ZERO, Order, Status, Trade
from apps.sandbox.trading.usdm.algos import AlgoOrder
from trading.model.instrument import Instrument

ASSET = "USDT"


def order(item: Order, instrument: Instrument) -> dict[str, Any]:
    """An order as queries show it."""
    price, quantity = _scales(instrument)
    average = item.executed_quote / item.executed if item.executed else ZERO
    return {
        "orderId": item.order_id,
        "symbol": item.symbol,
        "status": item.status.value,
        "clientOrderId": item.client_order_id,
        "price": scaled(item.price or ZERO, price),
        "avgPrice": scaled(average, price.scaleb(-2)),
        "origQty": scaled(item.quantity, quantity),
        "executedQty": scaled(item.executed, quantity),
        "cumQuote": number(item.executed_quote),
        "timeInForce": item.time_in_force,
        "type": item.kind,
        "reduceOnly": item.reduce_only,
        "closePosition": item.close_position,
        "side": item.side.value.upper(),
        "positionSide": item.position_side,
        "stopPrice": scaled(ZERO, price),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": item.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": item.created_ms,
        "updateTime": item.updated_ms,
    }


def new_order(item: Order, instrument: Instrument, form: str) -> dict[str, Any]:
    """The answer to a new order; ACK shows it as it came, before anything was filled."""
    if form == "ACK":
        item = _as_it_came(item)
    shown = order(item, instrument)
    return shown | {"cumQty": shown["executedQty"]}


def trade(item: Trade, instrument: Instrument) -> dict[str, Any]:
    """One element of /userTrades."""
    price, quantity = _scales(instrument)
    return {
        "symbol": item.symbol,
        "id": item.trade_id,
        "orderId": item.order_id,
        "side": item.side.value.upper(),
        "price": scaled(item.price, price),
        "qty": scaled(item.quantity, quantity),
        "realizedPnl": number(item.realised),
        "marginAsset": ASSET,
        "quoteQty": number(item.quote),
        "commission": number(item.fee),
        "commissionAsset": item.fee_asset,
        "time": item.at_ms,
        "positionSide": item.position_side,
        "buyer": item.side.value == "buy",
        "maker": item.maker,
    }


def algo(item: AlgoOrder, instrument: Instrument, sent: Order | None) -> dict[str, Any]:
    """A conditional order; ``sent`` is the order that it sent."""
    price, quantity = _scales(instrument)
    average = sent.executed_quote / sent.executed if sent is not None and sent.executed else ZERO
    return {
        "algoId": item.algo_id,
        "clientAlgoId": item.client_id,
        "algoType": "CONDITIONAL",
        "orderType": item.kind,
        "type": item.kind,
        "symbol": item.symbol,
        "side": item.side.value.upper(),
        "positionSide": item.position_side,
        "timeInForce": item.time_in_force,
        "quantity": scaled(item.quantity or ZERO, quantity),
        "algoStatus": item.status.value,
        "actualOrderId": "" if item.sent_order_id is None else str(item.sent_order_id),
        "actualPrice": scaled(average, price.scaleb(-2)),
        "triggerPrice": scaled(item.trigger_price, price),
        "price": scaled(item.price or ZERO, price),
        "icebergQuantity": None,
        "tpTriggerPrice": scaled(ZERO, price),
        "tpPrice": scaled(ZERO, price),
        "slTriggerPrice": scaled(ZERO, price),
        "slPrice": scaled(ZERO, price),
        "tpOrderType": "",
        "selfTradePreventionMode": "NONE",
        "workingType": "MARK_PRICE" if item.by_mark else "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": item.close_position,
        "priceProtect": False,
        "reduceOnly": item.reduce_only,
        "createTime": item.created_ms,
        "updateTime": item.updated_ms,
        "triggerTime": item.triggered_ms or 0,
        "goodTillDate": 0,
    }


def scaled(value: Decimal, step: Decimal) -> str:
    """A number with as many decimals as a step has."""
    return f"{value.quantize(step.normalize()) if step < 1 else value:f}"


def _as_it_came(item: Order) -> Order:
    return replace(item, status=Status.NEW, executed=ZERO, executed_quote=ZERO, updated_ms=item.created_ms)


def _scales(instrument: Instrument) -> tuple[Decimal, Decimal]:
    return instrument.tick_size, instrument.lot_step
