"""Shapes of the spot API's answers that we read; other fields are ignored."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, TypeAdapter


class OrderFill(BaseModel):
    """One element of ``fills`` in the answer to a new order."""

    price: Decimal
    qty: Decimal
    commission: Decimal
    commissionAsset: str
    tradeId: int


class SpotOrder(BaseModel):
    """An order: new (with ``fills`` and ``transactTime``), queried or listed (with ``updateTime``)."""

    symbol: str
    orderId: int
    clientOrderId: str
    price: Decimal
    origQty: Decimal
    executedQty: Decimal
    status: str
    type: str
    side: str
    stopPrice: Decimal = Decimal(0)
    transactTime: int = 0
    updateTime: int = 0
    fills: list[OrderFill] = []


class SpotTrade(BaseModel):
    """One element of ``/api/v3/myTrades``."""

    symbol: str
    id: int
    orderId: int
    price: Decimal
    qty: Decimal
    commission: Decimal
    commissionAsset: str
    time: int
    isBuyer: bool


class Balance(BaseModel):
    """One element of ``balances``."""

    asset: str
    free: Decimal
    locked: Decimal


class AccountInformation(BaseModel):
    """/api/v3/account."""

    canTrade: bool
    balances: list[Balance]


class Rates(BaseModel):
    """Commissions as fractions; buyer's and seller's come on top of maker's and taker's."""

    maker: Decimal
    taker: Decimal
    buyer: Decimal
    seller: Decimal


class Commission(BaseModel):
    """/api/v3/account/commission. The discount for paying in BNB is not read: it may end at any time."""

    standardCommission: Rates
    taxCommission: Rates
    specialCommission: Rates | None = None


class Deposit(BaseModel):
    """One element of ``/sapi/v1/capital/deposit/hisrec``."""

    txId: str
    amount: Decimal
    coin: str
    status: int
    insertTime: int


class Withdrawal(BaseModel):
    """One element of ``/sapi/v1/capital/withdraw/history``; the time is a text, UTC."""

    id: str
    amount: Decimal
    transactionFee: Decimal = Decimal(0)
    coin: str
    status: int
    applyTime: str


ORDER = TypeAdapter(SpotOrder)
ORDERS = TypeAdapter(list[SpotOrder])
TRADES = TypeAdapter(list[SpotTrade])
ACCOUNT = TypeAdapter(AccountInformation)
COMMISSION = TypeAdapter(Commission)
DEPOSITS = TypeAdapter(list[Deposit])
WITHDRAWALS = TypeAdapter(list[Withdrawal])
