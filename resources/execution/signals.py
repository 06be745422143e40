"""Today's signals of the strategies on paper, by the conditions that their back-tests used."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from trading.model.interval import Interval
from trading.model.snapshot import PaperStrategy
from warehouse.datasets.market import BARS
from warehouse.datasets.research import STRATEGIES

if TYPE_CHECKING:
    from resources.execution.market_view import LakeReader

#: Days of hourly bars that the conditions look back over.
_PANEL_DAYS = 45


def paper_strategies(reader: LakeReader) -> tuple[PaperStrategy, ...]:
    """Strategies that the newest generation put on paper, with their signals at the bar close.

    Signals exist at the close of an hour only; between hours there is nothing new to say, and the
    desk keeps to its stops.
    """
    rows = reader.partition(STRATEGIES, back_days=1).filter(pl.col("status") == "paper").sort("rank")
    if rows.is_empty():
        return ()
    from trading.factory.genome import from_parameters
    from trading.factory.panel import build_panel
    from trading.factory.signals import signals

    genomes = [from_parameters(json.loads(text)) for text in rows["genome"]]
    if reader.bar_close_ms % Interval.H1.milliseconds:
        return tuple(PaperStrategy(g.strategy_id, g.parameters, (), ()) for g in genomes)
    end = datetime.fromtimestamp(reader.bar_close_ms / 1000, UTC)
    bars = reader.window(BARS, Interval.H1, _PANEL_DAYS)
    panel = build_panel(bars, end - timedelta(days=_PANEL_DAYS), end)
    return tuple(PaperStrategy(g.strategy_id, g.parameters, *signals(g, panel)) for g in genomes)
