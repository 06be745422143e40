"""Small seeded markets of hourly bars."""

from __future__ import annotations

import numpy as np

from trading.factory.engine.bars import Bars

START_MS = 1_772_323_200_000


def market(symbols: int, days: int, seed: int, pull: float = 0.0) -> Bars:
    """Hourly bars: a random walk in logs, pulled back to its start by ``pull`` an hour."""
    rng = np.random.default_rng(seed)
    shape = (symbols, days * 24)
    shocks, levels = rng.normal(0, 0.01, shape), np.zeros(shape)
    levels[:, 0] = shocks[:, 0]
    for hour in range(1, shape[1]):
        levels[:, hour] = levels[:, hour - 1] * (1 - pull) + shocks[:, hour]
    close = 100 * np.exp(levels)
    opens = np.concatenate((np.full((symbols, 1), 100.0), close[:, :-1]), axis=1)
    wick = np.abs(rng.normal(0, 0.003, (2, *shape)))
    high, low = np.maximum(opens, close) * (1 + wick[0]), np.minimum(opens, close) * (1 - wick[1])
    volume = rng.lognormal(8, 0.5, shape)
    names = tuple(f"S{place:02d}USDT" for place in range(symbols))
    return Bars(names, START_MS, 60, opens, high, low, close, volume, np.zeros(shape))
