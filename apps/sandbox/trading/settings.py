"""Settings of the sandbox's trading side: its paper accounts, fees, and what goes wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Le

Fraction = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, slots=True)
class Deposit:
    """What an account starts with in one currency."""

    asset: str
    amount: Annotated[Decimal, Gt(0)]


@dataclass(frozen=True, slots=True)
class TradingFaults:
    """What goes wrong with signed requests and the user-data stream, drawn by the seed.

    Attributes
    ----------
    seed
        Equal seeds and equal requests meet equal faults.
    timeout_before_fraction, timeout_after_fraction
        Share of order requests that answer -1007 (the outcome is unknown) without being carried out, or
        after it.
    drop_before_fraction, drop_after_fraction
        Share whose connection ends in the middle of the answer, not carried out, or carried out.
    server_error_before_fraction, server_error_after_fraction
        Share that answers 503, not carried out, or carried out.
    rate_limit_fraction, ban_fraction
        Share of signed requests that answers 429, or 418, with ``Retry-After``; never carried out.
    retry_after_seconds
        What those two ask for.
    event_duplicate_fraction, event_late_fraction, event_reordered_fraction
        Share of the stream's events that come twice, after the next three, or after the next one.
    stream_drop_fraction
        Share of events before which the stream's connection ends; the event is lost to it.
    clock_skew_ms, clock_skew_after_requests
        How far the exchange's clock jumps ahead (back where negative), and after how many signed requests.
    stale_fraction, stale_seconds
        Share of requests for prices that is answered as of that long ago.
    """

    seed: Annotated[int, Ge(0)] = 0
    timeout_before_fraction: Fraction = 0.0
    timeout_after_fraction: Fraction = 0.0
    drop_before_fraction: Fraction = 0.0
    drop_after_fraction: Fraction = 0.0
    server_error_before_fraction: Fraction = 0.0
    server_error_after_fraction: Fraction = 0.0
    rate_limit_fraction: Fraction = 0.0
    ban_fraction: Fraction = 0.0
    retry_after_seconds: Annotated[int, Ge(0)] = 1
    event_duplicate_fraction: Fraction = 0.0
    event_late_fraction: Fraction = 0.0
    event_reordered_fraction: Fraction = 0.0
    stream_drop_fraction: Fraction = 0.0
    clock_skew_ms: int = 0
    clock_skew_after_requests: Annotated[int, Ge(0)] = 0
    stale_fraction: Fraction = 0.0
    stale_seconds: Annotated[int, Ge(0)] = 300


@dataclass(frozen=True, slots=True)
class TradingSettings:
    """The paper accounts of a sandbox.

    Attributes
    ----------
    accounts
        Names of the accounts. Each has keys that follow from the market's seed and the name, and the
        same deposits; no account sees another.
    spot_deposits, futures_deposit_usdt
        What an account starts with.
    spot_maker_bps, spot_taker_bps, futures_maker_bps, futures_taker_bps
        Fees, in basis points of what was traded.
    participation_fraction
        Share of a minute's volume that an account's orders can get.
    withdrawals_allowed
        Whether the keys say that they may withdraw, which a careful client refuses.
    orders_per_ten_seconds
        New orders allowed per ten real seconds and account; 0 counts without refusing.
    journal
        File that keeps what the accounts did, so that a restart finds them as they were. Empty: memory only.
    faults
        What goes wrong on purpose.
    """

    accounts: tuple[str, ...] = ("paper",)
    spot_deposits: tuple[Deposit, ...] = (Deposit("USDT", Decimal(10_000)),)
    futures_deposit_usdt: Annotated[Decimal, Ge(0)] = Decimal(10_000)
    spot_maker_bps: Annotated[Decimal, Ge(0), Le(1_000)] = Decimal(10)
    spot_taker_bps: Annotated[Decimal, Ge(0), Le(1_000)] = Decimal(10)
    futures_maker_bps: Annotated[Decimal, Ge(0), Le(1_000)] = Decimal(2)
    futures_taker_bps: Annotated[Decimal, Ge(0), Le(1_000)] = Decimal(5)
    participation_fraction: Annotated[Decimal, Gt(0), Le(1)] = Decimal("0.1")
    withdrawals_allowed: bool = False
    orders_per_ten_seconds: Annotated[int, Ge(0)] = 0
    journal: str = ""
    faults: TradingFaults = field(default_factory=TradingFaults)
