"""Back-test a round so that a genome that fails is found and recorded, and takes no other with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trading.errors import BadData, FixConfiguration, HaltTrading, RetryLater, UnknownOutcome
from trading.factory.engine.result import Population
from trading.factory.evolution.scores import Scores, scores
from trading.factory.genes.genome import Genome

Evaluate = Callable[[Sequence[Genome]], Population]
#: Errors that no genome causes.
_NOT_ITS_FAULT = (RetryLater, UnknownOutcome, HaltTrading, FixConfiguration, MemoryError)

#: Genomes that do not all fail by chance.
_TELLING = 10


def tested(
    evaluate: Evaluate, genomes: Sequence[Genome], minimum_trades: int
) -> Iterator[tuple[int, Scores | str]]:
    """How many of the genomes come next, and their scores, or what the one genome failed with.

    A batch that fails is halved until the genomes that fail stand alone.

    Raises
    ------
    BadData
        If every genome of a larger batch fails: then it is not their fault.
    """
    results = list(_parts(evaluate, genomes, minimum_trades))
    if len(genomes) >= _TELLING and all(isinstance(result, str) for _, result in results):
        raise BadData(
            f"back-test: every one of {len(genomes)} genomes failed, the first with {results[0][1]}; "
            "repair the bars or the settings of the back-test"
        )
    yield from results


def _parts(
    evaluate: Evaluate, genomes: Sequence[Genome], minimum_trades: int
) -> Iterator[tuple[int, Scores | str]]:
    try:
        found = scores(genomes, evaluate(genomes), minimum_trades)
    except _NOT_ITS_FAULT:
        raise
    except Exception as error:  # whatever a genome provokes is the result of its trial
        if len(genomes) == 1:
            yield 1, f"{type(error).__name__}: {error}"[:500] or type(error).__name__
            return
        middle = len(genomes) // 2
        yield from _parts(evaluate, genomes[:middle], minimum_trades)
        yield from _parts(evaluate, genomes[middle:], minimum_trades)
    else:
        yield len(genomes), found
