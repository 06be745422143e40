"""The figures of `tidemill stats` for a file of returns, with their inputs and what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from apps.cli.stats import words
from apps.cli.stats.returns_file import ReturnsFile
from trading.errors import FixConfiguration
from trading.statistics.clusters import cluster_trials
from trading.statistics.halves import number_of_splits
from trading.statistics.overfitting import overfitting
from trading.statistics.performance import annualised, per_period
from trading.statistics.sample import autocorrelation, moments
from trading.statistics.track_record import minimum_track_record, probabilistic_sharpe
from trading.statistics.trials import deflated_sharpe, expected_maximum_sharpe

#: Seed of the draw where there are too many splits to try them all.
SEED = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What the options ask for; Sharpe ratios per year."""

    periods_per_year: float
    confidence: float = 0.95
    benchmark_sharpe_per_year: float = 0.0

    def __post_init__(self) -> None:
        if not (self.periods_per_year > 0 and math.isfinite(self.periods_per_year)):
            raise FixConfiguration(
                f"--periods-per-year is {self.periods_per_year}; give a number above 0: 365 for crypto's days, "
                "8760 for hours, 252 for a stock exchange's days"
            )
        if not 0.5 < self.confidence < 1:
            raise FixConfiguration(
                f"--confidence is {self.confidence}; it must be above 0.5 and below 1, such as 0.95"
            )

    @property
    def benchmark(self) -> float:
        """The benchmark's Sharpe ratio per period."""
        return per_period(self.benchmark_sharpe_per_year, self.periods_per_year)


@dataclass(frozen=True, slots=True)
class Record:
    """One strategy's sample; ``sharpe`` per period."""

    strategy: str
    n: int
    mean: float
    sd: float
    skewness: float
    kurtosis: float
    autocorrelation: float
    sharpe: float
    sharpe_per_year: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A strategy's record and the figure asked for."""

    record: Record
    value: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Report:
    """One figure for every strategy of a file."""

    file: Path
    figure: str
    question: Question
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeflatedReport:
    """Deflated Sharpe ratios, best strategy first; Sharpe ratios and their variance per period."""

    file: Path
    figure: str
    question: Question
    trials: int
    columns: int
    clusters: int
    sharpe_variance: float
    sharpe_variance_from: str
    expected_maximum_sharpe: float
    expected_maximum_sharpe_per_year: float
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OverfittingReport:
    """Probability of backtest overfitting of the strategies of a file; Sharpe ratios per period."""

    file: Path
    figure: str
    value: float
    meaning: str
    splits: int
    partitions: int
    block_periods: int
    median_logit: float
    probability_of_loss: float
    slope: float
    intercept: float
    r_squared: float
    first_order_dominance: bool
    second_order_dominance: bool
    most_chosen: str
    most_chosen_fraction: float
    records: tuple[Record, ...]
    notes: tuple[str, ...]


def probabilistic(data: ReturnsFile, question: Question) -> Report:
    """Probabilistic Sharpe ratio of every strategy."""
    figures = []
    for record in _records(data, question.periods_per_year):
        value = probabilistic_sharpe(
            record.sharpe,
            question.benchmark,
            periods=record.n,
            skewness=record.skewness,
            kurtosis=record.kurtosis,
        )
        figures.append(Figure(record, value, words.probabilistic(record, value, question)))
    return Report(data.file, "psr", question, tuple(figures), _notes(data, [f.record for f in figures]))


def minimum_record(data: ReturnsFile, question: Question) -> Report:
    """Minimum track record of every strategy, in periods."""
    figures = []
    for record in _records(data, question.periods_per_year):
        value = minimum_track_record(
            record.sharpe,
            question.benchmark,
            skewness=record.skewness,
            kurtosis=record.kurtosis,
            confidence=question.confidence,
        )
        figures.append(Figure(record, value, words.minimum_record(record, value, question)))
    return Report(data.file, "mintrl", question, tuple(figures), _notes(data, [f.record for f in figures]))


def deflated(data: ReturnsFile, question: Question, trials: int | None) -> DeflatedReport:
    """Deflated Sharpe ratio of every strategy against the best of noise among all trials.

    Raises
    ------
    FixConfiguration
        If the file has one strategy and the number of trials is not given.
    """
    columns = len(data.strategies)
    if trials is None and columns == 1:
        raise FixConfiguration(
            f"{data.file}: has one strategy; say with --trials out of how many it was chosen (1 if truly none else)"
        )
    count = columns if trials is None else trials
    records = sorted(_records(data, question.periods_per_year), key=lambda record: -record.sharpe)
    if columns > 1 and count <= columns:
        variance, source = float(np.var([r.sharpe for r in records], ddof=1)), f"{columns} columns"
    else:  # the file holds a selection, whose spread is not that of all that was tried
        variance, source = 1 / (records[0].n - 1), "1 / (n - 1), the sampling variance without an edge"
    bar = expected_maximum_sharpe(count, variance)
    figures = []
    for record in records:
        value = deflated_sharpe(
            record.sharpe,
            trials=count,
            sharpe_variance=variance,
            periods=record.n,
            skewness=record.skewness,
            kurtosis=record.kurtosis,
        )
        figures.append(Figure(record, value, words.deflated(record, value, question, count)))
    notes = [*_notes(data, records)]
    if trials is not None and trials < columns:
        notes.append(
            f"--trials {trials} is below the {columns} columns: right only for trials that move together"
        )
    return DeflatedReport(
        file=data.file,
        figure="dsr",
        question=question,
        trials=count,
        columns=columns,
        clusters=cluster_trials(data.returns).number,
        sharpe_variance=variance,
        sharpe_variance_from=source,
        expected_maximum_sharpe=bar,
        expected_maximum_sharpe_per_year=annualised(bar, question.periods_per_year),
        figures=tuple(figures),
        notes=tuple(notes),
    )


def backtest_overfitting(data: ReturnsFile, question: Question, partitions: int) -> OverfittingReport:
    """Probability that choosing the best of the strategies by backtest chooses luck."""
    result = overfitting(
        data.returns, partitions=partitions, generator=np.random.default_rng(SEED), names=data.strategies
    )
    favourite = np.bincount(result.chosen, minlength=result.trials)
    records = _records(data, question.periods_per_year)
    notes = [*_notes(data, records)]
    if result.dropped_periods:
        notes.append(
            f"the oldest {result.dropped_periods} row(s) were left out: {len(data.returns)} rows are no multiple of "
            f"{partitions} partitions"
        )
    if result.splits < number_of_splits(partitions):
        notes.append(f"{result.splits} of {number_of_splits(partitions)} splits were drawn, with seed {SEED}")
    return OverfittingReport(
        file=data.file,
        figure="pbo",
        value=result.pbo,
        meaning=words.overfitting(result),
        splits=result.splits,
        partitions=result.partitions,
        block_periods=result.block_periods,
        median_logit=result.median_logit,
        probability_of_loss=result.probability_of_loss,
        slope=result.slope,
        intercept=result.intercept,
        r_squared=result.r_squared,
        first_order_dominance=result.dominance.first_order,
        second_order_dominance=result.dominance.second_order,
        most_chosen=data.strategies[int(favourite.argmax())],
        most_chosen_fraction=float(favourite.max() / result.splits),
        records=records,
        notes=tuple(notes),
    )


def _records(data: ReturnsFile, periods_per_year: float) -> tuple[Record, ...]:
    records = []
    for name, returns in zip(data.strategies, data.returns.T, strict=True):
        sample = moments(returns)
        records.append(
            Record(
                strategy=name,
                n=sample.periods,
                mean=sample.mean,
                sd=sample.deviation,
                skewness=sample.skewness,
                kurtosis=sample.kurtosis,
                autocorrelation=autocorrelation(returns),
                sharpe=sample.sharpe,
                sharpe_per_year=annualised(sample.sharpe, periods_per_year),
            )
        )
    return tuple(records)


def _notes(data: ReturnsFile, records: tuple[Record, ...] | list[Record]) -> tuple[str, ...]:
    surprising = NormalDist().inv_cdf(
        1 - 0.005 / len(records)
    )  # so that one file in a hundred is noted by chance
    tied = [r for r in records if abs(r.autocorrelation) * math.sqrt(r.n) > surprising]
    if not tied:
        return data.notes
    worst = max(tied, key=lambda record: abs(record.autocorrelation))
    return (
        *data.notes,
        f"returns of {len(tied)} of {len(records)} strategies depend on the period before (autocorrelation up to "
        f"{worst.autocorrelation:+.2f}, {worst.strategy}); the figures take them as independent and are surer "
        "than they should be where it is positive",
    )
