"""The market as orders meet it: bars in Decimal, the last price, and how much trades a minute."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import polars as pl

from apps.sandbox.backing import Minutes
from apps.sandbox.trading.matching import Stretch
from apps.sandbox.trading.orders import ZERO
from trading.model.interval import DAY_MS, MINUTE_MS

_DAYS_KEPT = 64
#: Minutes whose mean volume tells how deep the book is.
_DEPTH_MINUTES = 60


class Prices(Protocol):
    """What matching asks of a market."""

    def last(self, symbol: str, at_ms: int) -> Decimal | None:
        """The price shown at a moment; None when nothing traded for a day."""
        ...

    def minute(self, symbol: str, open_ms: int) -> Stretch | None:
        """The whole bar that opens at a moment; None where there is none."""
        ...

    def minute_volume(self, symbol: str, at_ms: int) -> Decimal:
        """Mean volume (base) of the minutes that closed in the hour before."""
        ...


@dataclass(frozen=True, slots=True)
class _Day:
    opens_ms: list[int]
    rows: list[tuple[float, ...]]


class BarPrices:
    """Prices of the exchange's own one-minute bars."""

    def __init__(self, minutes: Minutes) -> None:
        self._minutes = minutes
        self._days: OrderedDict[tuple[str, int], _Day] = OrderedDict()

    def last(self, symbol: str, at_ms: int) -> Decimal | None:
        """The price that the tickers show: a closed bar's close, or how far the open one has come."""
        for day_ms in (at_ms, at_ms - DAY_MS):
            day = self._day(symbol, day_ms)
            index = bisect_right(day.opens_ms, at_ms) - 1
            if index >= 0:
                return _reached(day.rows[index], at_ms - day.opens_ms[index])
        return None

    def minute(self, symbol: str, open_ms: int) -> Stretch | None:
        """The whole bar."""
        day = self._day(symbol, open_ms)
        index = bisect_right(day.opens_ms, open_ms) - 1
        if index < 0 or day.opens_ms[index] != open_ms:
            return None
        return Stretch(*(exact(value) for value in day.rows[index]))

    def minute_volume(self, symbol: str, at_ms: int) -> Decimal:
        """Mean volume of the last hour's minutes; 0 when none closed."""
        end_ms = at_ms // MINUTE_MS * MINUTE_MS
        first_ms = end_ms - _DEPTH_MINUTES * MINUTE_MS
        starts = {first_ms // DAY_MS, (end_ms - 1) // DAY_MS}
        volumes: list[float] = []
        for start in sorted(starts):
            day = self._day(symbol, start * DAY_MS)
            begin, end = bisect_right(day.opens_ms, first_ms - 1), bisect_right(day.opens_ms, end_ms - 1)
            volumes += [row[4] for row in day.rows[begin:end]]
        return exact(sum(volumes) / len(volumes)) if volumes else ZERO

    def _day(self, symbol: str, at_ms: int) -> _Day:
        key = (symbol, at_ms // DAY_MS * DAY_MS)
        known = self._days.get(key)
        if known is None:
            bars = self._minutes.day(*key)
            opens = bars["open_time"].dt.epoch("ms").to_list()
            rows = bars.select(pl.col("open", "high", "low", "close", "volume").cast(pl.Float64)).rows()
            known = self._days[key] = _Day(opens, rows)
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(key)
        return known


def exact(value: float) -> Decimal:
    """A bar's number as the exchange prints it: eight decimals."""
    return Decimal(f"{value:.8f}")


def _reached(row: tuple[float, ...], age_ms: int) -> Decimal | None:
    """Where a bar's price stands so long after its open; None when that is a day ago."""
    first, _, _, close, _ = row
    if age_ms >= DAY_MS:
        return None
    if age_ms == 0 or age_ms >= MINUTE_MS:
        return exact(close if age_ms else first)
    digits = max(len(f"{value:.8f}".rstrip("0").partition(".")[2]) for value in row[:4])
    # Rounded as the shown bars are, so that ties go the same way.
    return exact(float(pl.Series([first + (close - first) * (age_ms / MINUTE_MS)]).round(digits)[0]))
