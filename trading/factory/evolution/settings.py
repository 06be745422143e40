"""Settings of the nightly search for strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.errors import FixConfiguration


@dataclass(frozen=True, slots=True)
class EvolutionSettings:
    """How many genomes a night looks at, and how the next ones follow from those before.

    Attributes
    ----------
    candidates
        Genomes that the search hands on, at most: what the day proposes.
    looks_per_candidate
        Genomes looked at for each of them; all of them are trials and count in every haircut.
    population
        Parents of a round.
    elites
        Best genomes by Sharpe ratio, which stay parents whatever happens.
    round_size
        Genomes of a round. Larger rounds are back-tested faster, smaller ones learn more often.
    learned_fraction
        Share of a round that the second proposer makes; the rest are children of the population.
    good_fraction
        Share of the trials that the second proposer takes for good ones.
    looks
        Genomes that the second proposer rates for each that it proposes.
    minimum_known
        Trials before the second proposer says anything; until then its share is drawn at random.
    minimum_trades
        Trades below which a trial comes behind every other.
    maximum_correlation
        Correlation of daily returns from which on two genomes count as one: the second waits.
    ratings
        Whether rules may read the technical ratings, whose columns cost most to compute.
    """

    candidates: Annotated[int, Ge(1)] = 500
    looks_per_candidate: Annotated[int, Ge(1), Le(400)] = 100
    population: Annotated[int, Ge(2)] = 100
    elites: Annotated[int, Ge(0)] = 10
    round_size: Annotated[int, Ge(2)] = 1000
    learned_fraction: Annotated[float, Ge(0), Le(1)] = 0.3
    good_fraction: Annotated[float, Gt(0), Le(0.5)] = 0.2
    looks: Annotated[int, Ge(1), Le(100)] = 4
    minimum_known: Annotated[int, Ge(20)] = 200
    minimum_trades: Annotated[int, Ge(1)] = 10
    maximum_correlation: Annotated[float, Gt(0), Le(1)] = 0.9
    ratings: bool = True

    def __post_init__(self) -> None:
        if self.elites > self.population:
            raise FixConfiguration(
                f"evolution: elites is {self.elites}, more than population {self.population}; lower elites"
            )

    @property
    def evaluations(self) -> int:
        """Genomes that a night looks at, at most."""
        return self.candidates * self.looks_per_candidate
