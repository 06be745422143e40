"""`tidemill drill`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, print_json

if TYPE_CHECKING:
    from resources.killswitch.drill import DrillResult

app = typer.Typer()


@app.command()
def drill(
    trigger: Annotated[
        str, typer.Option(help="What halts: flag, or heartbeat (one that stops).")
    ] = "heartbeat",
    as_json: Json = False,
) -> None:
    """Drill the kill chain on a local exchange with a real guard, and put the evidence into the audit trail."""
    from apps.cli.controls import open_configured_ledger
    from resources.killswitch.drill import Trigger, evidence, record, run_drill

    if trigger not in set(Trigger):
        raise typer.BadParameter(f"{trigger!r}: choose flag or heartbeat", param_hint="--trigger")
    result = run_drill(Trigger(trigger))
    record(open_configured_ledger(), result, time.time_ns() // 1_000_000)
    if as_json:
        print_json(evidence(result))
    else:
        _print(result)
    if not result.passed:
        raise typer.Exit(FAILED)


def _print(result: DrillResult) -> None:
    took = result.seconds_to_no_entries
    line(
        f"{result.entries} entries, halted by {result.trigger.value}: "
        + ("some were left" if took is None else f"none left after {took:.2f} s")
    )
    line(
        f"Stops kept: {'yes' if result.stops_kept else 'NO'}. Every position protected: "
        f"{'yes' if result.all_protected else 'NO'}."
    )
    line("Passed; the evidence is in the audit trail." if result.passed else f"FAILED: {result.problem}")
