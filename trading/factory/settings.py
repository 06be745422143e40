"""Settings of the strategy factory: how many genomes, over how long, and what survives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.gate.settings import GateSettings
from trading.factory.lifecycle.settings import LifecycleSettings


@dataclass(frozen=True, slots=True)
class FactorySettings:
    """How many strategies are tried a day, and what one must show to go on paper.

    Attributes
    ----------
    window_days
        Days that a back-test trades over, ending with the day; its columns settle on what came before.
    minimum_trades
        Closed trades below which a result is not judged.
    minimum_sharpe
        Annualised Sharpe ratio that a trial must reach to be ranked.
    minimum_win_fraction
        Share of trades with a net gain that a trial must reach to be ranked.
    minimum_return_fraction, maximum_return_fraction
        Net return over the window must lie between them; above, the data is suspect.
    maximum_drawdown_fraction
        Deepest fall from a peak that a ranked trial may show.
    shortlist
        Most candidates of a day that come to the promotion gate.
    maximum_correlation
        Largest correlation of daily returns between two of the shortlist.
    live
        Whether the platform may make strategies live by itself; else live candidates wait for a person.
    evolution
        The nightly search.
    gate
        What a strategy must show before it goes on.
    lifecycle
        Paper, review, live places, and the choice of pairs.
    """

    window_days: Annotated[int, Ge(7), Le(365)] = 90
    minimum_trades: Annotated[int, Ge(1)] = 10
    minimum_sharpe: float = 0.5
    minimum_win_fraction: Annotated[float, Ge(0), Le(1)] = 0.35
    minimum_return_fraction: Annotated[float, Ge(-1)] = -0.5
    maximum_return_fraction: Annotated[float, Gt(0)] = 5.0
    maximum_drawdown_fraction: Annotated[float, Gt(0), Le(1)] = 0.25
    shortlist: Annotated[int, Ge(0)] = 10
    maximum_correlation: Annotated[float, Ge(-1), Le(1)] = 0.7
    live: bool = False
    evolution: EvolutionSettings = field(default_factory=EvolutionSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    lifecycle: LifecycleSettings = field(default_factory=LifecycleSettings)
