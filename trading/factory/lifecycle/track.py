"""What a strategy really did: its fills as closed trades and days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from trading.ledger.accounting import apply_fill, cost_basis, sequence_key
from trading.model.days import day_at
from trading.model.order import Fill
from trading.model.snapshot import Position
from trading.statistics import performance
from trading.statistics.sample import Floats


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A strategy's realised results over days. Figures are NaN where they are undefined.

    Attributes
    ----------
    days
        UTC days of the record; a day without a closing fill returned 0.
    trades
        Positions that went back to nothing within the days.
    sharpe
        Of daily returns, annualised by √365.
    total_return_fraction, max_drawdown_fraction
        Against the most money that was ever tied up at once.
    """

    days: int
    trades: int
    sharpe: float
    total_return_fraction: float
    max_drawdown_fraction: float
    win_fraction: float


@dataclass(slots=True)
class _Book:
    """Positions while fills are replayed, and what closed."""

    positions: dict[str, Position]
    open_gain: dict[str, Decimal]
    tied_up: Decimal = Decimal(0)


def track_record(
    fills: Sequence[Fill], first_day: date, last_day: date, *, currency: str = "USDT"
) -> TrackRecord:
    """Replay all fills of one strategy and report the days asked for, both included.

    A gain counts on the day on which it was realised: an open position counts when it closes.

    Parameters
    ----------
    fills
        Every fill of the strategy in any order, also those before the days: they open what closes later.
    """
    book = _Book({}, {})
    days = (last_day - first_day).days + 1
    gains = np.zeros(max(days, 0))
    closed: list[Decimal] = []
    for fill in sorted(fills, key=sequence_key):
        day = (day_at(fill.filled_at_ms) - first_day).days
        realised, trade = _book(book, fill, currency)
        if 0 <= day < days:
            gains[day] += float(realised)
            if trade is not None:
                closed.append(trade)
    if days < 1 or book.tied_up <= 0:
        return TrackRecord(max(days, 0), 0, math.nan, math.nan, math.nan, math.nan)
    returns = _returns(gains, float(book.tied_up))
    return TrackRecord(
        days=days,
        trades=len(closed),
        sharpe=performance.annualised(performance.sharpe(returns), performance.CRYPTO_DAYS_PER_YEAR),
        total_return_fraction=float(gains.sum()) / float(book.tied_up),
        max_drawdown_fraction=performance.maximum_drawdown(returns),
        win_fraction=sum(gain > 0 for gain in closed) / len(closed) if closed else math.nan,
    )


def since(first_ms: int, now_ms: int, window_days: int) -> tuple[date, date]:
    """The days of a record: from the day of ``first_ms``, but the last ``window_days`` closed days at most."""
    last = day_at(now_ms) - timedelta(days=1)
    return max(day_at(first_ms), last - timedelta(days=window_days - 1)), last


def _book(book: _Book, fill: Fill, currency: str) -> tuple[Decimal, Decimal | None]:
    """What the fill realised, and the gain of the trade that it closed."""
    held = book.positions.get(fill.symbol)
    # Whether a sale may open a short was settled when the fill was booked.
    position, realised = apply_fill(held, fill, desk="", strategy_id="", currency=currency, shorts=True)
    book.positions[fill.symbol] = position
    book.open_gain[fill.symbol] = book.open_gain.get(fill.symbol, Decimal(0)) + realised
    tied_up = sum((abs(cost_basis(each)) for each in book.positions.values()), Decimal(0))
    book.tied_up = max(book.tied_up, tied_up)
    closes = position.quantity == 0 and held is not None and held.quantity != 0
    return realised, book.open_gain.pop(fill.symbol) if closes else None


def _returns(gains: Floats, tied_up: float) -> Floats:
    """Daily changes of an equity that starts at what was tied up and never goes below nothing."""
    equity = np.maximum(tied_up + np.cumsum(gains), 0.0)
    before = np.concatenate(([tied_up], equity[:-1]))
    returns: Floats = np.divide(equity - before, before, out=np.zeros_like(equity), where=before > 0)
    return returns
