"""Back-tests of parts of a population as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trading.errors import BadData
from trading.factory.engine.bars import IntArray
from trading.factory.engine.result import Population
from trading.factory.engine.totals import HELD


def joined(parts: Sequence[tuple[IntArray, Population]]) -> Population:
    """One population of parts that traded the same symbols on the same days.

    Parameters
    ----------
    parts
        The places of each part's genomes in the whole, and its results. Parts may have traded on bars of
        different lengths: bars held are counted in bars of the first part's.

    Raises
    ------
    BadData
        If symbols or days differ, or trades were recorded.
    """
    first = parts[0][1]
    count = sum(places.size for places, _ in parts)
    totals = np.empty((count, *first.totals.shape[1:]))
    equity = np.empty((count, first.equity.shape[1]))
    for places, part in parts:
        same = (part.symbols, part.first_day, part.equity.shape[1])
        if same != (first.symbols, first.first_day, first.equity.shape[1]):
            raise BadData("populations: symbols or days differ between parts; read them from one window")
        if part.trades.size:
            raise BadData("populations: a part has recorded trades; join parts without them")
        totals[places], equity[places] = part.totals, part.equity
        totals[places, :, HELD] *= part.minutes / first.minutes
    return replace(first, totals=totals, equity=equity)
