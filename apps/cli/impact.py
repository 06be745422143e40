"""`tidemill impact`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import Json, line, print_json, table
from apps.cli.run import parse_day

if TYPE_CHECKING:
    from pipelines.impact import Impact

app = typer.Typer()


@app.command()
def impact(
    dataset: Annotated[str, typer.Argument(help="A dataset such as klines, or an asset such as bars_1h.")],
    day: Annotated[str, typer.Argument(help="The UTC day that was corrected, YYYY-MM-DD.")],
    as_json: Json = False,
) -> None:
    """List what a late correction of a day touches downstream, and what of it is older than the correction."""
    chosen = parse_day(day, "DAY")
    from pipelines.impact import impact as assess
    from pipelines.instance import open_instance
    from pipelines.live import defs
    from resources.platform import open_platform

    platform = open_platform()
    with open_instance() as instance:
        found = assess(
            dataset, chosen, defs=defs, instance=instance, lake=platform.lake, ledger=platform.ledger
        )
    if as_json:
        print_json({"impact": found, "stale": found.stale})
        return
    _print_assets(found)
    _print_models(found)
    _print_strategies(found)
    _print_decisions(found)
    if found.stale:
        line(
            f"{found.stale} partition(s) are older than what they read. Rebuild: {found.command}",
            style="bold",
        )
    else:
        line("Nothing on record is older than the correction.")
        line(f"To rebuild it all the same: {found.command}")


def _print_assets(found: Impact) -> None:
    when = f"last made {found.corrected_at:%Y-%m-%d %H:%M} UTC" if found.corrected_at else "no run on record"
    line(f"{found.dataset} of {found.day} ({when}) reaches to {found.last_day}", style="bold")
    table(
        "",
        ("asset", "look-back", "days", "first", "last", "stale", "rebuilt", "not on record"),
        [
            (
                item.asset,
                item.lookback_days,
                item.days,
                item.first_day,
                item.last_day,
                item.stale,
                item.rebuilt,
                item.unrecorded,
            )
            for item in found.assets
        ],
        right=("look-back", "days", "stale", "rebuilt", "not on record"),
    )


def _print_models(found: Impact) -> None:
    if not found.models:
        line("Confidence models trained on it: none")
        return
    rows = [(item.version, item.promoted, item.first_data, item.last_data) for item in found.models]
    table("Confidence models trained on it", ("version", "promoted", "first bar", "last bar"), rows)


def _print_strategies(found: Impact) -> None:
    if not found.strategies:
        line("Back-tests that include it: none")
        return
    days = [item.day for item in found.strategies]
    count = sum(item.strategies for item in found.strategies)
    paper = sum(item.on_paper for item in found.strategies)
    line(
        f"Back-tests that include it: {count:,} of {len(days)} day(s), {days[0]} to {days[-1]}; {paper} on paper"
    )


def _print_decisions(found: Impact) -> None:
    if not found.decisions:
        line("Decisions on bars of these days: none")
        return
    rows = [(item.day, item.decisions, item.fired) for item in found.decisions]
    table(
        "Decisions on bars of these days (they stay as they are: tidemill explain ID)",
        ("day", "decisions", "fired"),
        rows,
        right=("decisions", "fired"),
    )
