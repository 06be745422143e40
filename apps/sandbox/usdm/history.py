"""Funding and open interest of a range of days, as the futures API pages them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from apps.sandbox.backing import day_of
from apps.sandbox.usdm import render
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.contracts import Contract
from trading.simulation.futures import FuturesMarket
from trading.simulation.positioning import STEP_MINUTES

_STEP_MS = STEP_MINUTES * MINUTE_MS


def funding_rates(
    market: FuturesMarket,
    contracts: list[Contract],
    *,
    now_ms: int,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The /fundingRate body, oldest first.

    Parameters
    ----------
    start_ms, end_ms
        Inclusive bounds. With a start the first ``limit`` payments from it, without one the last.
    """
    last = now_ms if end_ms is None else min(end_ms, now_ms)
    origin_ms = market.market.origin_ms
    days = range(max(start_ms or 0, origin_ms) // DAY_MS * DAY_MS, last + 1, DAY_MS)
    found: list[tuple[int, str, float]] = []
    for day_ms in days if start_ms is not None else reversed(days):
        paid = _paid(market, contracts, day_ms)
        found += [entry for entry in paid if (start_ms or 0) <= entry[0] <= last]
        if len(found) >= limit:
            break
    found.sort()
    kept = found[:limit] if start_ms is not None else found[-limit:]
    return [render.funding_rate(symbol, at_ms, rate) for at_ms, symbol, rate in kept]


def positions(
    market: FuturesMarket, symbol: str, start_ms: int, end_ms: int, step_ms: int = _STEP_MS
) -> pl.DataFrame:
    """Rows of `FuturesMarket.positions` with ``start_ms <= time <= end_ms`` at multiples of ``step_ms``."""
    days = range(start_ms // DAY_MS * DAY_MS, end_ms + 1, DAY_MS)
    rows = pl.concat([market.positions(symbol, day_of(day_ms)) for day_ms in days])
    times = pl.col("time").dt.epoch("ms")
    return rows.filter((times >= start_ms) & (times <= end_ms) & (times % step_ms == 0))


def _paid(market: FuturesMarket, contracts: list[Contract], day_ms: int) -> Iterator[tuple[int, str, float]]:
    for contract in contracts:
        rows = market.funding(contract.symbol, day_of(day_ms))
        for at_ms, rate in zip(rows["funding_time"].dt.epoch("ms"), rows["funding_rate"], strict=True):
            yield at_ms, contract.symbol, rate
