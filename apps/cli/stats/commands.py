"""`tidemill stats psr|dsr|mintrl|pbo FILE`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import MISSING, Json, line, number, print_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.cli.stats.report import DeflatedReport, OverfittingReport, Record, Report

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    Path,
    typer.Argument(help="CSV or Parquet: a column of returns per strategy, a row per period, oldest first."),
]
Prices = Annotated[bool, typer.Option("--prices", help="The columns are prices: turn them into returns.")]
PeriodsPerYear = Annotated[
    float, typer.Option(help="Periods in a year, to annualise: 365 crypto days, 8760 hours, 252 sessions.")
]
Confidence = Annotated[float, typer.Option(help="Confidence asked for, above 0.5 and below 1.")]
BenchmarkSharpe = Annotated[float, typer.Option(help="Sharpe ratio to beat, per year.")]

_INPUTS = ("n", "mean", "sd", "skew", "kurtosis", "Sharpe a period", "Sharpe a year")


@app.callback()
def group() -> None:
    """How much of a track record is luck: figures of honest selection for any file of returns."""


@app.command()
def psr(
    file: File,
    benchmark_sharpe: BenchmarkSharpe = 0.0,
    periods_per_year: PeriodsPerYear = 365.0,
    confidence: Confidence = 0.95,
    prices: Prices = False,
    as_json: Json = False,
) -> None:
    """Print the probabilistic Sharpe ratio: how sure it is that a record beats a benchmark."""
    from apps.cli.stats.report import Question, probabilistic
    from apps.cli.stats.returns_file import read_returns

    question = Question(periods_per_year, confidence, benchmark_sharpe)
    report = probabilistic(read_returns(file, prices=prices), question)
    _print(report, "Probabilistic Sharpe ratio", "PSR", as_json=as_json)


@app.command()
def mintrl(
    file: File,
    benchmark_sharpe: BenchmarkSharpe = 0.0,
    periods_per_year: PeriodsPerYear = 365.0,
    confidence: Confidence = 0.95,
    prices: Prices = False,
    as_json: Json = False,
) -> None:
    """Print the minimum track record: how many periods prove that a record beats a benchmark."""
    from apps.cli.stats.report import Question, minimum_record
    from apps.cli.stats.returns_file import read_returns

    question = Question(periods_per_year, confidence, benchmark_sharpe)
    report = minimum_record(read_returns(file, prices=prices), question)
    _print(report, "Minimum track record, periods", "MinTRL", as_json=as_json)


@app.command()
def dsr(
    file: File,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Everything that was tried, also what was thrown away; the columns if not given."
        ),
    ] = None,
    periods_per_year: PeriodsPerYear = 365.0,
    confidence: Confidence = 0.95,
    prices: Prices = False,
    as_json: Json = False,
) -> None:
    """Print the deflated Sharpe ratio: how sure an edge is, after the luck of having tried many."""
    from apps.cli.stats.report import Question, deflated
    from apps.cli.stats.returns_file import read_returns

    question = Question(periods_per_year, confidence)
    report = deflated(read_returns(file, prices=prices), question, trials)
    if not as_json:
        _print_luck(report)
    _print(report, "Deflated Sharpe ratio", "DSR", as_json=as_json)


@app.command()
def pbo(
    file: File,
    partitions: Annotated[int, typer.Option(help="Blocks that the record is cut into; an even number.")] = 16,
    periods_per_year: PeriodsPerYear = 365.0,
    prices: Prices = False,
    as_json: Json = False,
) -> None:
    """Print the probability of backtest overfitting: how often the best of a backtest fails afterwards."""
    from apps.cli.stats.report import Question, backtest_overfitting
    from apps.cli.stats.returns_file import read_returns

    question = Question(periods_per_year)
    report = backtest_overfitting(read_returns(file, prices=prices), question, partitions)
    if as_json:
        print_json(report)
        return
    _print_overfitting(report)


def _print(report: Report | DeflatedReport, title: str, name: str, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    table(
        f"{title} ({number(report.question.periods_per_year)} periods a year)",
        ("strategy", name, *_INPUTS),
        [(item.record.strategy, _value(item.value, name), *_inputs(item.record)) for item in report.figures],
        right=(name, *_INPUTS),
    )
    for item in report.figures[:10]:
        line(item.meaning)
    if len(report.figures) > 10:
        line(f"… and {len(report.figures) - 10} more strategies; --json holds all of them")
    _print_notes(report.notes)


def _print_luck(report: DeflatedReport) -> None:
    table(
        "Luck",
        ("input", "value"),
        [
            ("trials", report.trials),
            ("columns of the file", report.columns),
            ("columns that move differently (correlation below 0.7)", report.clusters),
            (
                f"variance of the trials' Sharpe ratios, from {report.sharpe_variance_from}",
                report.sharpe_variance,
            ),
            ("best Sharpe ratio a period expected of noise", report.expected_maximum_sharpe),
            ("best Sharpe ratio a year expected of noise", report.expected_maximum_sharpe_per_year),
        ],
        right=("value",),
    )


def _print_overfitting(report: OverfittingReport) -> None:
    table(
        "Probability of backtest overfitting",
        ("figure", "value"),
        [
            ("PBO", report.value),
            ("splits", report.splits),
            ("partitions of periods", f"{report.partitions} of {report.block_periods}"),
            ("median logit of the rank out of sample", report.median_logit),
            ("probability of loss out of sample", report.probability_of_loss),
            ("Sharpe out of sample by in sample: slope", report.slope),
            ("Sharpe out of sample by in sample: R²", report.r_squared),
            ("chosen dominates the field, first order", report.first_order_dominance),
            ("chosen dominates the field, second order", report.second_order_dominance),
            (f"chosen most often: {report.most_chosen}", report.most_chosen_fraction),
        ],
        right=("value",),
    )
    table(
        "Strategies",
        ("strategy", *_INPUTS),
        [(record.strategy, *_inputs(record)) for record in report.records],
        right=_INPUTS,
    )
    line(report.meaning)
    _print_notes(report.notes)


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        line(f"note: {note}")


def _inputs(record: Record) -> tuple[object, ...]:
    shown = (record.mean, record.sd, record.skewness, record.kurtosis, record.sharpe, record.sharpe_per_year)
    return (record.n, *(number(value, 6) for value in shown))


def _value(value: float, name: str) -> str:
    """A probability to six decimals, a number of periods to one."""
    if not math.isfinite(value):
        return "∞" if value == math.inf else MISSING
    return f"{value:.1f}" if name == "MinTRL" else f"{value:.6f}"
