"""Futures positions, money and how they are held, in Binance's shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.sandbox.render import number
from apps.sandbox.trading.orders import ZERO
from apps.sandbox.trading.usdm import margin
from apps.sandbox.trading.usdm.account import FuturesAccount
from apps.sandbox.trading.usdm.positions import Position
from apps.sandbox.trading.usdm.render import ASSET, scaled
from apps.sandbox.trading.usdm.wallet import Income

_BPS = Decimal(10_000)


def position_risk(account: FuturesAccount, item: Position) -> dict[str, Any]:
    """One element of the second version's /positionRisk."""
    wallet, mark = account.wallet, account.mark(item.symbol)
    isolated = wallet.isolated(item.symbol)
    entry = scaled(item.entry_price, Decimal("1e-5"))
    return {
        "symbol": item.symbol,
        "positionAmt": scaled(item.amount, account.instruments[item.symbol].lot_step),
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "markPrice": number(mark),
        "unRealizedProfit": number(item.unrealised(mark)),
        "liquidationPrice": _plain(account.liquidation_price(item)),
        "leverage": str(wallet.leverage(item.symbol)),
        "maxNotionalValue": _plain(margin.largest_notional(wallet.leverage(item.symbol))),
        "marginType": "isolated" if isolated else "cross",
        "isolatedMargin": number(
            (item.isolated_wallet or ZERO) + (item.unrealised(mark) if isolated else ZERO)
        ),
        "isAutoAddMargin": "false",
        "positionSide": item.side,
        "notional": number(item.amount * mark),
        "isolatedWallet": number(item.isolated_wallet or ZERO),
        "updateTime": item.updated_ms,
    }


def position_risk_v3(account: FuturesAccount, item: Position) -> dict[str, Any]:
    """One element of the third version's /positionRisk."""
    second = position_risk(account, item)
    mark = account.mark(item.symbol)
    initial = account.wallet.initial_margin(item, account.mark)
    orders = account.reserved(item.symbol)
    shared = [
        "symbol",
        "positionSide",
        "positionAmt",
        "entryPrice",
        "breakEvenPrice",
        "markPrice",
        "unRealizedProfit",
        "liquidationPrice",
        "isolatedMargin",
        "notional",
        "isolatedWallet",
        "updateTime",
    ]
    return {name: second[name] for name in shared} | {
        "marginAsset": ASSET,
        "initialMargin": number(initial + orders),
        "maintMargin": number(margin.maintenance(item.worth(mark))),
        "positionInitialMargin": number(initial),
        "openOrderInitialMargin": number(orders),
        "adl": 0,
        "bidNotional": number(ZERO),
        "askNotional": number(ZERO),
    }


def position(account: FuturesAccount, item: Position) -> dict[str, Any]:
    """One element of /account's positions."""
    mark, initial = account.mark(item.symbol), account.wallet.initial_margin(item, account.mark)
    orders = account.reserved(item.symbol)
    leverage = account.wallet.leverage(item.symbol)
    return {
        "symbol": item.symbol,
        "initialMargin": number(initial + orders),
        "maintMargin": number(margin.maintenance(item.worth(mark))),
        "unrealizedProfit": number(item.unrealised(mark)),
        "positionInitialMargin": number(initial),
        "openOrderInitialMargin": number(orders),
        "leverage": str(leverage),
        "isolated": account.wallet.isolated(item.symbol),
        "entryPrice": scaled(item.entry_price, Decimal("1e-5")),
        "maxNotional": _plain(margin.largest_notional(leverage)),
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": item.side,
        "positionAmt": scaled(item.amount, account.instruments[item.symbol].lot_step),
        "updateTime": item.updated_ms,
        "notional": number(item.amount * mark),
        "isolatedMargin": number(item.isolated_wallet or ZERO),
        "isolatedWallet": number(item.isolated_wallet or ZERO),
    }


def account(item: FuturesAccount, positions: list[Position]) -> dict[str, Any]:
    """The /account body; ``positions`` is those to list."""
    money = _money(item)
    asset = {name: money[name] for name in _ASSET_FIELDS}
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        "totalInitialMargin": money["initialMargin"],
        "totalMaintMargin": money["maintMargin"],
        "totalWalletBalance": money["walletBalance"],
        "totalUnrealizedProfit": money["unrealizedProfit"],
        "totalMarginBalance": money["marginBalance"],
        "totalPositionInitialMargin": money["positionInitialMargin"],
        "totalOpenOrderInitialMargin": money["openOrderInitialMargin"],
        "totalCrossWalletBalance": money["crossWalletBalance"],
        "totalCrossUnPnl": money["crossUnPnl"],
        "availableBalance": money["availableBalance"],
        "maxWithdrawAmount": money["maxWithdrawAmount"],
        "assets": [{"asset": ASSET, **asset, "marginAvailable": True, "updateTime": item.now_ms}],
        "positions": [position(item, held) for held in positions],
    }


def balance(item: FuturesAccount) -> dict[str, Any]:
    """One element of /balance."""
    money = _money(item)
    return {
        "accountAlias": item.name,
        "asset": ASSET,
        "balance": money["walletBalance"],
        "crossWalletBalance": money["crossWalletBalance"],
        "crossUnPnl": money["crossUnPnl"],
        "availableBalance": money["availableBalance"],
        "maxWithdrawAmount": money["maxWithdrawAmount"],
        "marginAvailable": True,
        "updateTime": item.now_ms,
    }


def income(item: Income) -> dict[str, Any]:
    """One element of /income."""
    return {
        "symbol": item.symbol,
        "incomeType": item.kind,
        "income": number(item.amount),
        "asset": ASSET,
        "info": item.trade_id or item.kind,
        "time": item.at_ms,
        "tranId": item.number,
        "tradeId": item.trade_id,
    }


def brackets(symbol: str) -> dict[str, Any]:
    """One element of /leverageBracket."""
    return {
        "symbol": symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": number_,
                "initialLeverage": step.max_leverage,
                "notionalCap": int(step.cap_notional),
                "notionalFloor": int(step.floor_notional),
                "maintMarginRatio": float(step.maintenance_fraction),
                "cum": float(step.maintenance_amount),
            }
            for number_, step in enumerate(margin.BRACKETS, start=1)
        ],
    }


def symbol_config(item: FuturesAccount, symbol: str) -> dict[str, Any]:
    """One element of /symbolConfig."""
    leverage = item.wallet.leverage(symbol)
    return {
        "symbol": symbol,
        "marginType": "ISOLATED" if item.wallet.isolated(symbol) else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": _plain(margin.largest_notional(leverage)),
    }


def commission(item: FuturesAccount, symbol: str) -> dict[str, Any]:
    """The /commissionRate body."""
    return {
        "symbol": symbol,
        "makerCommissionRate": _plain(item.maker_bps / _BPS),
        "takerCommissionRate": _plain(item.taker_bps / _BPS),
    }


_ASSET_FIELDS = (
    "walletBalance",
    "unrealizedProfit",
    "marginBalance",
    "maintMargin",
    "initialMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
    "crossWalletBalance",
    "crossUnPnl",
    "availableBalance",
    "maxWithdrawAmount",
)


def _money(item: FuturesAccount) -> dict[str, str]:
    held, wallet = item.wallet.held(), item.wallet
    profits = {(it.symbol, it.side): it.unrealised(item.mark(it.symbol)) for it in held}
    profit = sum(profits.values(), ZERO)
    cross = sum((profits[it.symbol, it.side] for it in held if it.isolated_wallet is None), ZERO)
    initial = sum((wallet.initial_margin(it, item.mark) for it in held), ZERO)
    maintenance = sum((margin.maintenance(it.worth(item.mark(it.symbol))) for it in held), ZERO)
    orders, available = item.reserved(), item.available()
    values = (
        wallet.balance,
        profit,
        wallet.balance + profit,
        maintenance,
        initial + orders,
        initial,
        orders,
        wallet.cross_balance(),
        cross,
        available,
        available,
    )
    return {name: number(value) for name, value in zip(_ASSET_FIELDS, values, strict=True)}


def _plain(value: Decimal) -> str:
    return f"{value.quantize(Decimal('1e-8')).normalize():f}"
