"""What a paper or live account must offer before a genome can be traded on it."""

from __future__ import annotations

from trading.factory.genes.genome import Genome, Timeframe
from trading.model.interval import Interval
from trading.model.series import Market

#: Minutes between two decisions of the desks, and the bars on which the factory trades.
TICK_MINUTES = Interval.M15.minutes
#: Timeframes whose every close is a tick.
PAPER_TIMEFRAMES = tuple(item for item in Timeframe if item.minutes % TICK_MINUTES == 0)


def waits_for(genome: Genome, market: Market = Market.SPOT) -> str:
    """What an account on the market lacks for the genome, as a reason code with its cause; empty when nothing.

    Leverage is no reason: it only makes the position larger, as long as there is cash.
    """
    if genome.short is not None and market is Market.SPOT:
        return "waits_for_derivatives: it sells short, which a spot account cannot"
    if genome.timeframe not in PAPER_TIMEFRAMES:
        return (
            f"waits_for_faster_ticks: it decides every {genome.timeframe}, desks every {TICK_MINUTES} minutes"
        )
    return ""
