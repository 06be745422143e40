"""Signed futures requests about money, positions and how they are held, in Binance's protocol."""

from __future__ import annotations

from typing import Any

from apps.sandbox.errors import missing
from apps.sandbox.parameters import integer, limit
from apps.sandbox.trading import parameters
from apps.sandbox.trading.endpoints import Endpoint, Values
from apps.sandbox.trading.usdm import errors, margin
from apps.sandbox.trading.usdm import render_account as render
from apps.sandbox.trading.usdm.account import FuturesAccount
from apps.sandbox.trading.usdm.positions import Position

_CHANGED = {"code": 200, "msg": "success"}
_MOST_LEVERAGE = margin.BRACKETS[0].max_leverage


def endpoints() -> list[Endpoint]:
    """Every signed futures request that is not about orders."""
    return [
        Endpoint("GET", "/fapi/v2/account", _account, 5),
        Endpoint("GET", "/fapi/v3/account", _account, 5),
        Endpoint("GET", "/fapi/v2/balance", _balance, 5),
        Endpoint("GET", "/fapi/v3/balance", _balance, 5),
        Endpoint("GET", "/fapi/v2/positionRisk", _position_risk, 5),
        Endpoint("GET", "/fapi/v3/positionRisk", _position_risk_v3, 5),
        Endpoint("POST", "/fapi/v1/leverage", _set_leverage, 1, changes=True),
        Endpoint("POST", "/fapi/v1/marginType", _set_margin_type, 1, changes=True),
        Endpoint("GET", "/fapi/v1/positionSide/dual", _mode, 30),
        Endpoint("POST", "/fapi/v1/positionSide/dual", _set_mode, 1, changes=True),
        Endpoint("GET", "/fapi/v1/multiAssetsMargin", _multi_assets, 30),
        Endpoint("GET", "/fapi/v1/leverageBracket", _brackets, 1),
        Endpoint("GET", "/fapi/v1/income", _income, 30),
        Endpoint("GET", "/fapi/v1/commissionRate", _commission, 20),
        Endpoint("GET", "/fapi/v1/symbolConfig", _symbol_config, 5),
    ]


def _account(account: FuturesAccount, values: Values) -> Any:
    return render.account(account, account.wallet.held())


def _balance(account: FuturesAccount, values: Values) -> Any:
    return [render.balance(account)]


def _position_risk(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.symbol_or_all(values, account.instruments)
    if symbol is None:
        return [render.position_risk(account, item) for item in account.wallet.held()]
    sides = account.wallet.sides()
    return [render.position_risk(account, account.wallet.position(symbol, side)) for side in sides]


def _position_risk_v3(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.symbol_or_all(values, account.instruments)
    busy: dict[tuple[str, str], Position] = {}
    for item in account.wallet.held():
        busy[item.symbol, item.side] = item
    for order in account.open_orders():
        key = (order.symbol, order.position_side)
        busy.setdefault(key, account.wallet.position(*key))
    return [
        render.position_risk_v3(account, item)
        for _, item in sorted(busy.items())
        if symbol in (None, item.symbol)
    ]


def _set_leverage(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    leverage = integer(values, "leverage")
    if leverage is None:
        raise missing("leverage")
    if not 1 <= leverage <= _MOST_LEVERAGE:
        raise errors.bad_leverage(leverage)
    largest = margin.largest_notional(leverage)
    if any(item.worth(account.mark(symbol)) > largest for item in _held(account, symbol)):
        raise errors.too_large_for_leverage()
    account.wallet.set_leverage(symbol, leverage)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": f"{largest:f}"}


def _set_margin_type(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    if not values.get("marginType"):
        raise missing("marginType")
    isolated = parameters.choice(values, "marginType", ("ISOLATED", "CROSSED"), "") == "ISOLATED"
    if isolated == account.wallet.isolated(symbol):
        raise errors.same_margin_type()
    if account.open_orders(symbol):
        raise errors.margin_type_with_orders()
    if _held(account, symbol):
        raise errors.margin_type_with_position()
    account.wallet.set_isolated(symbol, isolated)
    return _CHANGED


def _mode(account: FuturesAccount, values: Values) -> Any:
    return {"dualSidePosition": account.wallet.hedged}


def _set_mode(account: FuturesAccount, values: Values) -> Any:
    if not values.get("dualSidePosition"):
        raise missing("dualSidePosition")
    hedged = parameters.flag(values, "dualSidePosition")
    if hedged == account.wallet.hedged:
        raise errors.same_mode()
    if account.open_orders() or account.open_algos():
        raise errors.mode_with_orders()
    if account.wallet.held():
        raise errors.mode_with_positions()
    account.wallet.hedged = hedged
    return _CHANGED


def _multi_assets(account: FuturesAccount, values: Values) -> Any:
    return {"multiAssetsMargin": False}


def _brackets(account: FuturesAccount, values: Values) -> Any:
    return [render.brackets(symbol) for symbol in _symbols(account, values)]


def _income(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.symbol_or_all(values, account.instruments)
    kind = values.get("incomeType")
    start_ms, end_ms = integer(values, "startTime") or 0, integer(values, "endTime")
    found = [
        item
        for item in account.wallet.incomes
        if symbol in (None, item.symbol)
        and kind in (None, item.kind)
        and start_ms <= item.at_ms <= (account.now_ms if end_ms is None else end_ms)
    ]
    most = limit(values, 100, 1_000)
    first = ((integer(values, "page") or 1) - 1) * most
    shown = found[first : first + most] if start_ms or "page" in values else found[-most:]
    return [render.income(item) for item in shown]


def _commission(account: FuturesAccount, values: Values) -> Any:
    return render.commission(account, parameters.instrument(values, account.instruments).symbol)


def _symbol_config(account: FuturesAccount, values: Values) -> Any:
    return [render.symbol_config(account, symbol) for symbol in _symbols(account, values)]


def _symbols(account: FuturesAccount, values: Values) -> list[str]:
    symbol = parameters.symbol_or_all(values, account.instruments)
    return sorted(account.instruments) if symbol is None else [symbol]


def _held(account: FuturesAccount, symbol: str) -> list[Position]:
    return [item for item in account.wallet.held() if item.symbol == symbol]
