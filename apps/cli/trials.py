"""`tidemill trials verify` and `tidemill trials list`."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, print_json, table

if TYPE_CHECKING:
    import polars as pl

    from resources.factory.trials import TrialBook
    from resources.platform import Platform

app = typer.Typer(no_args_is_help=True)

_SHOWN = ("day", "strategy_id", "proposer", "outcome", "reason", "trades", "sharpe", "total_return_fraction")
_NUMBERS = ("trades", "sharpe", "total_return_fraction")


@app.callback()
def group() -> None:
    """The trial ledger: every genome that was ever looked at, hash-chained."""


@app.command()
def verify(as_json: Json = False) -> None:
    """Prove every trial record against its link, every append against its seal, and the seals' audit chain."""
    from apps.cli.audit import verified
    from resources.platform import open_platform

    platform = open_platform()
    audit, report = verified(platform), _book(platform).verify()
    intact = audit.intact and report.intact
    if as_json:
        print_json(
            {
                "intact": intact,
                "segments": report.segments,
                "records": report.records,
                "unsealed": report.unsealed,
                "problem": report.problem or audit.problem,
                "broken_at_segment": report.broken_at,
                "audit_intact": audit.intact,
            }
        )
    elif intact:
        line(f"Trial ledger intact: {report.records} records in {report.segments} segment(s), all sealed")
        if report.unsealed:
            line(
                f"{report.unsealed} records of an append that was cut off wait for the next one to seal them"
            )
    else:
        if not report.intact:
            line(f"TRIAL LEDGER BROKEN: {report.problem}", style="bold red")
            line(f"{report.segments} segment(s) before it are proven. Lake: {platform.settings.lake_uri}")
            line("Promote nothing, and restore the day's partition of the dataset trials from a backup.")
        if not audit.intact:
            line(
                f"AUDIT CHAIN BROKEN: {audit.problem}; the seals of the trials stand in it", style="bold red"
            )
    if not intact:
        raise typer.Exit(FAILED)


@app.command("list")
def list_trials(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only trials of this day.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most trials shown, best Sharpe ratio first.")] = 20,
    as_json: Json = False,
) -> None:
    """Count the trials, and show the best: what luck alone would show is told with them."""
    from resources.platform import open_platform

    book = _book(open_platform())
    chosen: date | None = day.date() if day else None
    rows = book.read(chosen, chosen)
    count = book.count(chosen)
    outcomes = dict(sorted(rows["outcome"].value_counts().iter_rows()))
    best = rows.sort("sharpe", "strategy_id", descending=[True, False], nulls_last=True).head(limit)
    if as_json:
        print_json({"trials": rows.height, "outcomes": outcomes, "count": count, "best": _plain(best)})
        return
    said = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
    line(f"{rows.height} trials{f' of {chosen}' if chosen else ''}{f': {said}' if said else ''}")
    line(
        f"All {count.recorded} up to then count like {count.equivalent:,.0f} independent ones: luck alone is "
        f"expected to show a Sharpe ratio of {count.maximum:.2f} standard errors"
    )
    if best.height:
        table("", _SHOWN, best.select(_SHOWN).iter_rows(), right=_NUMBERS)


def _plain(rows: pl.DataFrame) -> list[dict[str, object]]:
    return rows.select(*_SHOWN, "genome").to_dicts()


def _book(platform: Platform) -> TrialBook:
    from resources.factory.trials import TrialBook

    return TrialBook(platform.lake, platform.ledger)
