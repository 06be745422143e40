"""Shapes of the USDT-M futures API's answers that we read; other fields are ignored."""

from __future__ import annotations

from decimal import Decimal

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, field_validator


class UsdmOrder(BaseModel):
    """An order, new, queried or listed. A triggered conditional order has the type that it became."""

    symbol: str
    orderId: int
    clientOrderId: str
    price: Decimal
    origQty: Decimal
    executedQty: Decimal
    status: str
    type: str
    side: str
    positionSide: str = "BOTH"
    reduceOnly: bool = False
    stopPrice: Decimal = Decimal(0)
    updateTime: int = 0


class AlgoOrder(BaseModel):
    """A conditional order. ``actualOrderId`` is empty until it has been triggered.

    Once triggered, an ordinary order of that id exists, and what fills is that order.
    """

    symbol: str
    algoId: int
    clientAlgoId: str
    orderType: str = Field(validation_alias=AliasChoices("orderType", "type"))
    side: str
    algoStatus: str
    quantity: Decimal = Decimal(0)
    triggerPrice: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    reduceOnly: bool = False
    actualOrderId: str = ""
    createTime: int = 0
    updateTime: int = 0

    @field_validator("actualOrderId", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value in (None, 0, "0") else str(value)

    @field_validator("quantity", "price", "triggerPrice", mode="before")
    @classmethod
    def _zero(cls, value: object) -> object:
        return "0" if value in (None, "") else value


class UsdmTrade(BaseModel):
    """One element of ``/fapi/v1/userTrades``."""

    symbol: str
    id: int
    orderId: int
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commissionAsset: str
    time: int


class PositionRisk(BaseModel):
    """One element of ``/fapi/v3/positionRisk``; version 2 also states leverage and margin type."""

    symbol: str
    positionSide: str
    positionAmt: Decimal
    entryPrice: Decimal
    markPrice: Decimal
    liquidationPrice: Decimal
    leverage: int | None = None
    marginType: str | None = None


class SymbolConfig(BaseModel):
    """One element of ``/fapi/v1/symbolConfig``."""

    symbol: str
    marginType: str
    leverage: int


class FuturesBalance(BaseModel):
    """One element of ``/fapi/v3/balance``."""

    asset: str
    balance: Decimal
    availableBalance: Decimal


class Income(BaseModel):
    """One element of ``/fapi/v1/income``; ``tranId`` is unique within a type."""

    symbol: str
    incomeType: str
    income: Decimal
    asset: str
    time: int
    tranId: int


class PositionMode(BaseModel):
    """/fapi/v1/positionSide/dual."""

    dualSidePosition: bool


class CommissionRate(BaseModel):
    """/fapi/v1/commissionRate."""

    makerCommissionRate: Decimal
    takerCommissionRate: Decimal


class CountDown(BaseModel):
    """/fapi/v1/countdownCancelAll."""

    symbol: str
    countdownTime: int


ORDER = TypeAdapter(UsdmOrder)
ORDERS = TypeAdapter(list[UsdmOrder])
ALGO_ORDER = TypeAdapter(AlgoOrder)
ALGO_ORDERS = TypeAdapter(list[AlgoOrder])
TRADES = TypeAdapter(list[UsdmTrade])
POSITIONS = TypeAdapter(list[PositionRisk])
CONFIGS = TypeAdapter(list[SymbolConfig])
BALANCES = TypeAdapter(list[FuturesBalance])
INCOMES = TypeAdapter(list[Income])
MODE = TypeAdapter(PositionMode)
COMMISSION = TypeAdapter(CommissionRate)
COUNT_DOWN = TypeAdapter(CountDown)
