"""From the USDT-M futures API's answers to our records; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from resources.venues.binance.states import (
    cause_of,
    fill_id,
    price_or_none,
    side_of,
    state_of,
    type_of,
)
from resources.venues.binance.usdm.schemas import (
    AlgoOrder,
    CommissionRate,
    FuturesBalance,
    Income,
    PositionRisk,
    SymbolConfig,
    UsdmOrder,
    UsdmTrade,
)
from trading.errors import BadData
from trading.instruments.terms import FeeTier
from trading.model.account import (
    CashKind,
    CashMove,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.order import OrderState

#: Begins the venue order id of a conditional order, which is counted apart from the others.
ALGO_PREFIX = "algo-"

#: States of a conditional order; FINISHED is told by the ordinary one that it became.
ALGO_STATES = {
    "NEW": OrderState.OPEN,
    "TRIGGERING": OrderState.OPEN,
    "TRIGGERED": OrderState.OPEN,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
}
_INCOME_KINDS = {
    "FUNDING_FEE": CashKind.FUNDING,
    "COMMISSION": CashKind.FEE,
    "REALIZED_PNL": CashKind.REALISED_PNL,
    "INSURANCE_CLEAR": CashKind.LIQUIDATION,
    "TRANSFER": CashKind.TRANSFER,
    "INTERNAL_TRANSFER": CashKind.TRANSFER,
    "CROSS_COLLATERAL_TRANSFER": CashKind.TRANSFER,
    "COIN_SWAP_DEPOSIT": CashKind.TRANSFER,
    "COIN_SWAP_WITHDRAW": CashKind.TRANSFER,
}
_BPS = 10_000


def venue_order(row: UsdmOrder) -> VenueOrder:
    """An order as the venue lists it."""
    where = f"order {row.orderId} of {row.symbol}"
    return VenueOrder(
        client_order_id=row.clientOrderId,
        venue_order_id=str(row.orderId),
        symbol=row.symbol,
        side=side_of(row.side, where),
        order_type=type_of(row.type, where),
        quantity=row.origQty,
        executed=row.executedQty,
        state=state_of(row.status, where, quantity=row.origQty, executed=row.executedQty),
        updated_at_ms=row.updateTime,
        reduce_only=row.reduceOnly,
        limit_price=price_or_none(row.price),
        stop_price=price_or_none(row.stopPrice),
    )


def conditional_order(row: AlgoOrder) -> VenueOrder:
    """A conditional order as the venue lists it. What it filled is told by the order that it became."""
    where = f"conditional order {row.algoId} of {row.symbol}"
    return VenueOrder(
        client_order_id=row.clientAlgoId,
        venue_order_id=f"{ALGO_PREFIX}{row.algoId}",
        symbol=row.symbol,
        side=side_of(row.side, where),
        order_type=type_of(row.orderType, where),
        quantity=row.quantity,
        executed=Decimal(0),
        state=algo_state(row),
        updated_at_ms=row.updateTime or row.createTime,
        reduce_only=row.reduceOnly,
        limit_price=price_or_none(row.price),
        stop_price=price_or_none(row.triggerPrice),
    )


def algo_state(row: AlgoOrder) -> OrderState:
    """State of a conditional order that has become no ordinary one (yet).

    Raises
    ------
    BadData
        If the status is unknown, or says that the order ended as an ordinary one which is not named.
    """
    state = ALGO_STATES.get(row.algoStatus)
    if state is None:
        raise BadData(
            f"conditional order {row.clientAlgoId}: algoStatus is {row.algoStatus!r} and actualOrderId "
            f"{row.actualOrderId!r}; expected one of {', '.join(ALGO_STATES)}, or the order that it became"
        )
    return state


def venue_fill(row: UsdmTrade, client_order_id: str) -> VenueFill:
    """An execution as the venue lists it; whose order it was is found apart."""
    return VenueFill(
        venue_fill_id=fill_id(row.symbol, row.id),
        venue_order_id=str(row.orderId),
        client_order_id=client_order_id,
        symbol=row.symbol,
        side=side_of(row.side, f"trade {row.id}"),
        quantity=row.qty,
        price=row.price,
        fee=row.commission,
        fee_currency=row.commissionAsset,
        filled_at_ms=row.time,
        cause=cause_of(client_order_id),
    )


def position(row: PositionRisk, configs: Mapping[str, SymbolConfig]) -> VenuePosition:
    """An open position; leverage and margin type come from the contract's configuration.

    Raises
    ------
    BadData
        If neither the row nor a configuration states them: they are no guess.
    """
    leverage, margin_type = row.leverage, row.marginType
    config = configs.get(row.symbol)
    if config is not None:
        leverage, margin_type = config.leverage, config.marginType
    if leverage is None or margin_type is None:
        raise BadData(f"position of {row.symbol}: the venue states no leverage or margin type for it")
    return VenuePosition(
        symbol=row.symbol,
        quantity=row.positionAmt,
        entry_price=row.entryPrice,
        mark_price=row.markPrice,
        hedge_side=row.positionSide.lower(),
        leverage=leverage,
        isolated=margin_type.upper() == "ISOLATED",
        liquidation_price=price_or_none(row.liquidationPrice),
    )


def balance(row: FuturesBalance) -> VenueBalance:
    """A wallet's balance: both parts sum to it. Unrealised profit, which may be used too, is not in it."""
    free = min(row.availableBalance, row.balance)
    return VenueBalance(row.asset, free, row.balance - free)


def cash_move(row: Income) -> CashMove:
    """A movement of cash; fees and realised profit are in the fills as well."""
    return CashMove(
        venue_move_id=f"{row.incomeType}-{row.tranId}",
        kind=_INCOME_KINDS.get(row.incomeType, CashKind.OTHER),
        currency=row.asset,
        amount=row.income,
        at_ms=row.time,
        symbol=row.symbol,
    )


def fee_tier(rate: CommissionRate) -> FeeTier:
    """Fees in basis points."""
    return FeeTier(rate.makerCommissionRate * _BPS, rate.takerCommissionRate * _BPS)
