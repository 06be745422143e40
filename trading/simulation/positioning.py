"""How simulated traders are positioned: open interest and long-short ratios, every five minutes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from trading.model.interval import MINUTE_MS
from trading.simulation.contracts import Contract
from trading.simulation.daily import Floats, stream
from trading.simulation.reverting import Reversion, anchors, within_day
from trading.simulation.settings import MarketSettings

STEP_MINUTES = 5
STEPS = 1440 // STEP_MINUTES
#: Usual open interest as a share of the contract's usual daily turnover.
_OPEN_SHARE = 0.35
_OPEN_INTEREST = Reversion(0.0, 0.2, 0.95, 0.01, 0.97)
#: Log ratios: accounts and positions of the top traders, all accounts, and takers of the last minutes.
_RATIOS = {
    "count_toptrader_long_short_ratio": Reversion(0.35, 0.3, 0.9, 0.02, 0.97),
    "sum_toptrader_long_short_ratio": Reversion(0.2, 0.2, 0.9, 0.015, 0.97),
    "count_long_short_ratio": Reversion(0.4, 0.35, 0.9, 0.02, 0.97),
    "sum_taker_long_short_vol_ratio": Reversion(0.0, 0.03, 0.5, 0.3, 0.2),
}
_COLUMNS = ("open_interest", "open_interest_value", *_RATIOS)


def empty() -> pl.DataFrame:
    """No rows, in the right schema."""
    times = {"time": pl.Datetime("ms", "UTC")}
    return pl.DataFrame(schema={**times, **dict.fromkeys(_COLUMNS, pl.Float64)})


def positions(
    settings: MarketSettings, contract: Contract, index: int, start_ms: int, marks: Floats
) -> pl.DataFrame:
    """Rows of the UTC day ``index``, the first at midnight.

    Parameters
    ----------
    marks
        Mark price (quote) at each row's time, shape (288,).

    Returns
    -------
    polars.DataFrame
        Columns ``time``, ``open_interest`` (base), ``open_interest_value`` (quote) and four long-short
        ratios, named as in Binance's metrics files.
    """
    listing = contract.listing
    usual = listing.daily_quote_volume * _OPEN_SHARE / listing.start_price
    log_held = _path(settings, contract.symbol, "open interest", _OPEN_INTEREST, index)
    held = (usual * np.exp(log_held)).round(3)
    columns = {"open_interest": held, "open_interest_value": (held * marks).round(8)}
    for name, process in _RATIOS.items():
        columns[name] = np.exp(_path(settings, contract.symbol, name, process, index)).round(8)
    times = start_ms + STEP_MINUTES * MINUTE_MS * np.arange(STEPS, dtype=np.int64)
    return pl.DataFrame({"time": times, **columns}).cast({"time": pl.Datetime("ms", "UTC")})


def _path(settings: MarketSettings, symbol: str, purpose: str, process: Reversion, index: int) -> Floats:
    slow = _slow(settings, symbol, purpose, process)
    random = stream(settings, purpose, symbol, index)
    return within_day(random, process, float(slow[index]), float(slow[index + 1]), STEPS)[:-1]


@lru_cache(maxsize=512)
def _slow(settings: MarketSettings, symbol: str, purpose: str, process: Reversion) -> Floats:
    return anchors(stream(settings, purpose, symbol), process, settings.horizon_days)
