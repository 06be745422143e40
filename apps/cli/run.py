"""`tidemill run daily` and `tidemill backfill`."""

from __future__ import annotations

import os
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, print_json, table
from apps.cli.render import checks

if TYPE_CHECKING:
    from pipelines.outcome import BackfillOutcome

run_app = typer.Typer(no_args_is_help=True)
backfill_app = typer.Typer()


class SourceName(StrEnum):
    """Sources of market data."""

    SANDBOX = "sandbox"
    BINANCE = "binance"
    ARCHIVE = "archive"
    FILES = "files"


SourceOption = Annotated[
    SourceName | None, typer.Option(help="Source of market data, in place of the configured one.")
]


@run_app.callback()
def group() -> None:
    """Run a pipeline to its end, here and now."""


@run_app.command()
def daily(
    day: Annotated[
        str | None, typer.Option("--date", help="A closed UTC day, YYYY-MM-DD; the latest if not given.")
    ] = None,
    source: SourceOption = None,
    as_json: Json = False,
) -> None:
    """Take a day from klines to audited paper orders, then say what happened and why."""
    from apps.cli.progress import shown_progress

    chosen = None if day is None else parse_day(day, "--date")
    choose_source(source)
    from apps.cli.render import print_summary
    from apps.cli.summary import summarise
    from pipelines.runs import run_daily
    from resources.platform import open_platform

    with shown_progress() as progress:
        outcome = run_daily(chosen, progress)
    summary = summarise(open_platform(), outcome)
    if as_json:
        print_json(summary)
    else:
        print_summary(summary)
    if not (summary.succeeded and summary.audit.intact):
        raise typer.Exit(FAILED)


@backfill_app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First UTC day, YYYY-MM-DD.")],
    last: Annotated[
        str, typer.Option("--to", help="Last UTC day, YYYY-MM-DD, included; it must have closed.")
    ],
    source: SourceOption = None,
    futures: Annotated[
        bool, typer.Option("--futures", help="The perpetuals' data of the range too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build klines, bars, indicators, ratings, fork scores and features of a range; never trades."""
    from apps.cli.progress import shown_progress

    first_day, last_day = parse_day(first, "--from"), parse_day(last, "--to")
    choose_source(source)
    from apps.cli.status_view import stored_datasets
    from pipelines.runs import run_backfill
    from resources.platform import open_platform

    with shown_progress() as progress:
        outcome = run_backfill(first_day, last_day, progress, futures=futures)
    stored = stored_datasets(open_platform().lake)
    if as_json:
        print_json({"succeeded": outcome.succeeded, "outcome": outcome, "stored": stored})
    else:
        _print(outcome)
        rows = [(item.dataset, item.days, item.newest_day, item.rows) for item in stored]
        table(
            "The lake now",
            ("dataset", "days", "newest day", "rows of it"),
            rows,
            right=("days", "rows of it"),
        )
    if not outcome.succeeded:
        raise typer.Exit(FAILED)


def parse_day(text: str, option: str) -> date:
    """An ISO date of an option; a usage error names the option and the value."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no date; write it as 2026-01-31") from None


def choose_source(source: SourceName | None) -> None:
    """Override the configured source for this process and what it starts."""
    if source is not None:
        os.environ["TIDEMILL_SOURCE"] = source.value


def _print(outcome: BackfillOutcome) -> None:
    days = (outcome.last_day - outcome.first_day).days + 1
    end = "completed" if outcome.succeeded else "DID NOT COMPLETE"
    line(
        f"Backfill of {days} day(s), {outcome.first_day} to {outcome.last_day}, {end} in {outcome.seconds:.1f} s"
    )
    for run in outcome.runs:
        line(f"  {run.job} {run.run_id[:8]}: {run.seconds:.1f} s" + (f", {run.error}" if run.error else ""))
    failed = [check for check in outcome.checks if not check.passed]
    checks(len(outcome.checks) - len(failed), failed)
