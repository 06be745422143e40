"""Whether the live loop wakes as often as strategies decide and watch their stops."""

from __future__ import annotations

from resources.factory.lifecycle import trading_strategies
from resources.platform import Platform
from trading.desks.genome import GenomeDesk
from trading.errors import FixConfiguration
from trading.factory.genes.parse import known
from trading.factory.paper import TICK_MINUTES
from trading.model.interval import Interval

#: Strategies that a refusal names.
_NAMED = 5


def require_every_close(platform: Platform, interval: Interval) -> None:
    """Refuse a loop that is slower than the back-test of the strategies it would trade.

    Back-tests look at stops and signals at every close of `TICK_MINUTES`. A loop that sleeps through some
    of them would miss the signals of faster strategies and see every stop late: another strategy than the
    one that passed the gate.

    Raises
    ------
    FixConfiguration
        If the genome desk is configured; the message names strategies that trade now.
    """
    if interval.minutes <= TICK_MINUTES or not any(isinstance(desk, GenomeDesk) for desk in platform.desks):
        return
    with platform.ledger.read() as tx:
        genomes = known(status.genome for status, _ in trading_strategies(tx))
    names = [f"{genome.strategy_id[:12]} ({genome.timeframe})" for genome in genomes[:_NAMED]]
    if len(genomes) > _NAMED:
        names.append(f"{len(genomes) - _NAMED} more")
    told = f"; trading now: {', '.join(names)}" if names else ""
    raise FixConfiguration(
        f"live.interval {interval.value}: the desk genome decides and watches stops at every close of "
        f"{TICK_MINUTES} minutes, as its back-tests do{told}. Set live.interval to {TICK_MINUTES}m, or take "
        "genome out of desks"
    )
