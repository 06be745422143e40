"""The bid-ask spread where no order book is recorded, estimated from bars.

The estimator of Abdi and Ranaldo, "A Simple Estimation of Bid-Ask Spreads from Daily Close, High, and
Low Prices", Review of Financial Studies 30(12), 2017: with c the log close and η the mean of the log
high and log low, the squared relative spread is 4 E[(c_t − η_t)(c_t − η_{t+1})]. A negative mean is
set to 0, as there. The close bounces between bid and ask while the mid-range does not, and that is
what the product measures; it assumes a continuous path, so bars without trades are left out.

Its noise is about the bar's volatility over the fourth root of the number of bars: use many short bars
(a day of minutes), never a few long ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

#: Fewest pairs of neighbouring bars that give an estimate.
MINIMUM_PAIRS = 120

Floats = npt.NDArray[np.float64]


def spread_bps(high: Floats, low: Floats, close: Floats, minimum_pairs: int = MINIMUM_PAIRS) -> float:
    """Estimated relative spread of one instrument, basis points.

    Parameters
    ----------
    high, low, close
        Neighbouring bars, oldest first, shape (n,). A NaN or non-positive price drops the pairs it
        belongs to.

    Returns
    -------
    float
        At least 0; NaN with fewer than ``minimum_pairs`` usable pairs.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (np.log(high) + np.log(low)) / 2.0
        bounce = np.log(close)
    products = (bounce[:-1] - middle[:-1]) * (bounce[:-1] - middle[1:])
    usable = products[np.isfinite(products)]
    if usable.size < max(minimum_pairs, 1):
        return float("nan")
    return float(np.sqrt(max(4.0 * float(usable.mean()), 0.0)) * 10_000.0)


def spread_by_symbol(klines: pl.DataFrame, minimum_pairs: int = MINIMUM_PAIRS) -> pl.DataFrame:
    """`spread_bps` of every symbol of a frame of klines, over the bars that saw trades.

    Parameters
    ----------
    klines
        Columns symbol, open_time, high, low, close, volume, in any order of rows.

    Returns
    -------
    polars.DataFrame
        Columns symbol and spread_bps (null where there is too little data), sorted by symbol.
    """
    middle = (pl.col("high").log() + pl.col("low").log()) / 2.0
    after = middle.shift(-1)
    product = (pl.col("close").log() - middle) * (pl.col("close").log() - after)
    usable = product.filter(product.is_finite())
    estimate = (4.0 * usable.mean()).clip(lower_bound=0.0).sqrt() * 10_000.0
    return (
        klines.filter(pl.col("volume") > 0)
        .sort("symbol", "open_time")
        .group_by("symbol", maintain_order=True)
        .agg(pl.when(usable.len() >= max(minimum_pairs, 1)).then(estimate).alias("spread_bps"))
        .sort("symbol")
    )
