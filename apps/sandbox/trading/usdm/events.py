"""Futures events of the user-data stream in Binance's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.sandbox.render import number
from apps.sandbox.trading.orders import ZERO, OrderEvent
from apps.sandbox.trading.usdm.account import WalletMoved
from apps.sandbox.trading.usdm.algos import AlgoEvent
from apps.sandbox.trading.usdm.render import ASSET, scaled
from trading.model.instrument import Instrument


def payload(event: object, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    """What the stream says of an event of a futures account."""
    if isinstance(event, OrderEvent):
        return _stamped("ORDER_TRADE_UPDATE", event.at_ms, "o", _order(event, instruments))
    if isinstance(event, WalletMoved):
        return _stamped("ACCOUNT_UPDATE", event.at_ms, "a", _wallet(event, instruments))
    if isinstance(event, AlgoEvent):
        return _stamped("ALGO_UPDATE", event.at_ms, "o", _algo(event, instruments))
    raise TypeError(f"{type(event).__name__} is no event of a futures account")


def _stamped(kind: str, at_ms: int, name: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"e": kind, "E": at_ms, "T": at_ms, name: content}


def _order(event: OrderEvent, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    order, trade = event.order, event.trade
    tick, lot = instruments[order.symbol].tick_size, instruments[order.symbol].lot_step
    average = order.executed_quote / order.executed if order.executed else ZERO
    return {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.value.upper(),
        "o": order.kind,
        "f": order.time_in_force,
        "q": scaled(order.quantity, lot),
        "p": scaled(order.price or ZERO, tick),
        "ap": scaled(average, tick.scaleb(-2)),
        "sp": "0",
        "x": event.cause,
        "X": order.status.value,
        "i": order.order_id,
        "l": scaled(trade.quantity if trade else ZERO, lot),
        "z": scaled(order.executed, lot),
        "L": scaled(trade.price if trade else ZERO, tick),
        "N": trade.fee_asset if trade else ASSET,
        "n": number(trade.fee if trade else ZERO),
        "T": event.at_ms,
        "t": trade.trade_id if trade else 0,
        "b": "0",
        "a": "0",
        "m": trade.maker if trade else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.kind,
        "ps": order.position_side,
        "cp": order.close_position,
        "AP": "0",
        "cr": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "rp": number(trade.realised if trade else ZERO),
        "V": "NONE",
        "gtd": 0,
    }


def _wallet(event: WalletMoved, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    return {
        "m": event.cause,
        "B": [
            {
                "a": ASSET,
                "wb": number(event.balance),
                "cw": number(event.cross_balance),
                "bc": number(event.change),
            }
        ],
        "P": [
            {
                "s": item.symbol,
                "pa": scaled(item.amount, instruments[item.symbol].lot_step),
                "ep": scaled(item.entry_price, Decimal("1e-5")),
                "bep": scaled(item.entry_price, Decimal("1e-5")),
                "cr": number(ZERO),
                "up": number(item.unrealised(mark)),
                "mt": "cross" if item.isolated_wallet is None else "isolated",
                "iw": number(item.isolated_wallet or ZERO),
                "ps": item.side,
            }
            for item, mark in zip(event.positions, event.marks, strict=True)
        ],
    }


def _algo(event: AlgoEvent, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    algo = event.algo
    tick, lot = instruments[algo.symbol].tick_size, instruments[algo.symbol].lot_step
    return {
        "caid": algo.client_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.kind,
        "s": algo.symbol,
        "S": algo.side.value.upper(),
        "ps": algo.position_side,
        "f": algo.time_in_force,
        "q": scaled(algo.quantity or ZERO, lot),
        "X": event.stage,
        "ai": "" if algo.sent_order_id is None else str(algo.sent_order_id),
        "ap": scaled(event.average, tick.scaleb(-2)),
        "aq": scaled(event.executed, lot),
        "act": "0" if algo.sent_order_id is None else ("MARKET" if algo.price is None else "LIMIT"),
        "tp": scaled(algo.trigger_price, tick),
        "p": scaled(algo.price or ZERO, tick),
        "V": "NONE",
        "wt": "MARK_PRICE" if algo.by_mark else "CONTRACT_PRICE",
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": False,
        "R": algo.reduce_only,
        "tt": algo.triggered_ms or 0,
        "gtd": 0,
        "rm": algo.reason,
    }
