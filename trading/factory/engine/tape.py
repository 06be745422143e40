"""One symbol's bars in the shape that the kernel walks over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.factory.engine.bars import Bars, IntArray
from trading.indicators.columns import FloatArray

#: Bars that a position skips at once when none of them can touch its levels.
BLOCK_BARS = 32


#: Rows of `Tape.prices`: what can be traded at, worst and best price for longs and for shorts, one over the
#: root of the bar's volume in base and in quote currency (at its open), and what a long of one unit has paid
#: in funding by the end of each bar since the first (quote).
OPEN, LOW, HIGH, THIN_BASE, THIN_QUOTE, FUNDING_INDEX = 0, 1, 3, 5, 6, 7
#: Rows of `Tape.blocks`, each for longs and for shorts.
BLOCK_LOW, BLOCK_HIGH, BLOCK_FUNDING = 0, 2, 4


class Tape(NamedTuple):
    """Arrays of one symbol; a tuple of few, because that is what compiled code takes and passes on.

    A row for shorts follows the one for longs and has prices negated, so that both sides are the same
    arithmetic: "low" is always the worst price of a bar.

    Attributes
    ----------
    prices
        Shape (8, bars). Where nothing can trade the open is NaN, and where nothing is seen low and high are
        infinite, on the side that touches no level.
    blocks
        Over blocks: lowest low, highest high, and the funding index at its largest (for shorts negated),
        shape (6, blocks).
    next_trading, next_due
        First bar from each on in which something can trade, and that adds to the funding index; ``bars``
        if none. Shape (bars + 1,).
    day_ends, day_close
        Exclusive end of each day, and the newest close by then (NaN before the first bar): shape (days,).
    """

    prices: FloatArray
    blocks: FloatArray
    next_trading: IntArray
    next_due: IntArray
    day_ends: IntArray
    day_close: FloatArray


def tape(bars: Bars, row: int, *, watched: bool = False) -> Tape:
    """The tape of the symbol in a row; ``watched`` shows a position nothing but closes, of silent bars too."""
    opens, close, volume = bars.open[row], bars.close[row], bars.volume[row]
    here = np.isfinite(close)
    trading = here & (np.where(here, volume, 0.0) > 0)
    seen_at = here if watched else trading
    low = np.where(seen_at, close if watched else bars.low[row], np.inf)
    high = np.where(seen_at, close if watched else bars.high[row], -np.inf)
    seen = np.maximum.accumulate(np.where(here, np.arange(close.size), -1))
    newest = np.where(seen >= 0, close[np.maximum(seen, 0)], np.nan)
    mark = np.where(here, opens, np.concatenate(([np.nan], newest[:-1])))
    index = np.cumsum(bars.funding_rate[row] * np.where(np.isfinite(mark), mark, 0.0))
    fillable = np.where(trading, opens, np.nan)
    thin_base = 1.0 / np.sqrt(np.where(trading, volume, np.inf))
    thin_quote = 1.0 / np.sqrt(np.where(trading, volume * opens, np.inf))
    prices = np.stack([fillable, low, -high, high, -low, thin_base, thin_quote, index])
    blocks = np.concatenate(
        [
            _blocks(prices[LOW : LOW + 2], np.inf).min(axis=2),
            _blocks(prices[HIGH : HIGH + 2], -np.inf).max(axis=2),
            _blocks(np.stack([index, -index]), -np.inf).max(axis=2),
        ]
    )
    return Tape(
        prices=prices,
        blocks=blocks,
        next_trading=_next(trading),
        next_due=_next(np.diff(index, prepend=0.0) != 0),
        day_ends=bars.day_ends,
        day_close=newest[bars.day_ends - 1],
    )


def _next(here: NDArray[np.bool_]) -> IntArray:
    """First true position from each on, and the length behind the last."""
    count = here.size
    places = np.append(np.where(here, np.arange(count), count), count)
    return np.ascontiguousarray(np.minimum.accumulate(places[::-1])[::-1], dtype=np.int64)


def _blocks(values: FloatArray, filler: float) -> FloatArray:
    rows, count = values.shape
    whole = -(-count // BLOCK_BARS) * BLOCK_BARS
    padded = np.full((rows, whole), filler)
    padded[:, :count] = values
    return padded.reshape(rows, -1, BLOCK_BARS)
