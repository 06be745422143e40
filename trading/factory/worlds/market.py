"""Bars of a market in which no strategy has an edge.

Within an hour every price is a geometric Brownian motion without drift, in a volatility that is fixed before
the hour. High and low are drawn from the exact distribution of its extremes, given open and close. A stop or
target inside a bar therefore fills at a fair price: its level is what the position is worth on average once
it is touched. Extremes drawn apart from the close would make stops or targets pay.
"""

from __future__ import annotations

import numpy as np

from trading.factory.engine.bars import Bars
from trading.factory.worlds.kinds import Kind, deviations, gaps, shared
from trading.statistics.sample import Floats

#: 2026-01-01, midnight UTC.
FIRST_OPEN_MS = 1_767_225_600_000
_MINUTES = 60


def no_edge(kind: Kind, *, seed: int, symbols: int, days: int, warmup_days: int = 0) -> Bars:
    """Hourly bars in which every strategy's expected return before costs is 0, or a little less.

    A little less, because a bar that touches stop and target counts as stopped, and a target that is jumped
    over fills at the target.

    Parameters
    ----------
    days
        Whole days, the warm-up included.
    warmup_days
        Leading days that feed indicators only.
    """
    rng = np.random.default_rng([seed, list(Kind).index(kind)])
    shape = (symbols, days * 24)
    scale = deviations(kind, rng, shape)
    common = np.sqrt(shared(kind))
    noise = common * rng.standard_normal((1, shape[1])) + np.sqrt(1 - common**2) * rng.standard_normal(shape)
    inside = scale * noise - scale**2 / 2
    jumps = np.log1p(gaps(kind, rng, shape))
    closes = np.cumsum(inside + jumps, axis=1)
    return hourly_bars(rng, closes - inside, closes, scale, warmup_days=warmup_days)


def hourly_bars(
    rng: np.random.Generator, opens: Floats, closes: Floats, deviation: Floats, *, warmup_days: int = 0
) -> Bars:
    """Bars around log prices at the start and end of each hour, all of shape (symbols, hours).

    Extremes are those of a Brownian bridge between them, whatever drift led from one to the other.
    """
    high = _extreme(rng, opens, closes, deviation, up=True)
    low = _extreme(rng, opens, closes, deviation, up=False)
    start = np.log(100.0)
    return Bars(
        tuple(f"N{place:03d}USDT" for place in range(opens.shape[0])),
        FIRST_OPEN_MS,
        _MINUTES,
        open=np.exp(start + opens),
        high=np.exp(start + high),
        low=np.exp(start + low),
        close=np.exp(start + closes),
        volume=rng.lognormal(8, 0.5, opens.shape),
        funding_rate=np.zeros(opens.shape),
        warmup_bars=warmup_days * 24,
    )


def _extreme(rng: np.random.Generator, start: Floats, end: Floats, deviation: Floats, *, up: bool) -> Floats:
    """Highest or lowest point of a Brownian bridge (Glasserman 2003, section 6.4)."""
    reach = np.sqrt((end - start) ** 2 - 2 * deviation**2 * np.log1p(-rng.random(start.shape)))
    found: Floats = (start + end + (reach if up else -reach)) / 2
    return found
