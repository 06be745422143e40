"""`tidemill halt` and `tidemill resume`: the persisted kill flag."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.output import Json, line, moment, print_json

if TYPE_CHECKING:
    from trading.model.snapshot import Controls

app = typer.Typer()
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]


@app.command()
def halt(reason: Reason = "by hand", as_json: Json = False) -> None:
    """Set the kill flag: no new entries from this moment; exits and protective stops go on."""
    before, after = _switch("halt", reason)
    if as_json:
        print_json(_state(before, after))
        return
    if before.halted:
        line(f"Already halted since {moment(before.changed_at_ms)} UTC: {before.reason}")
    else:
        line(f"Halted by {getpass.getuser()}: {after.reason}", style="bold red")
    line("Entries are refused and unsent buys are cancelled; exits, stops and booking of fills go on.")
    line("The flag is kept in the ledger and honoured at every start. Lift it with: tidemill resume")


@app.command()
def resume(
    reason: Reason = "by hand",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Lift the kill flag after asking: desks may open positions again."""
    if not yes and not typer.confirm("Allow new positions again?", err=True):
        line("Nothing was changed.", stderr=True)
        raise typer.Exit(1)
    before, after = _switch("resume", reason)
    if as_json:
        print_json(_state(before, after))
    elif before.halted:
        line(
            f"Resumed by {getpass.getuser()}. It was halted since {moment(before.changed_at_ms)} UTC: {before.reason}"
        )
        line("The next tick may open positions again, within the limits of the risk gate.")
    else:
        line("Trading was not halted; nothing was changed.")


def _switch(action: str, reason: str) -> tuple[Controls, Controls]:
    """Controls before and after, in one transaction. Needs the ledger only: no venue, no market data."""
    from resources.platform import open_platform
    from warehouse.ledger import controls

    change = controls.halt if action == "halt" else controls.resume
    with open_platform().ledger.transaction() as tx:
        before = controls.current(tx)
        after = change(tx, reason, getpass.getuser(), time.time_ns() // 1_000_000)
    return before, after


def _state(before: Controls, after: Controls) -> dict[str, Any]:
    return {
        "halted": after.halted,
        "changed": before.halted is not after.halted,
        "reason": after.reason,
        "changed_at_ms": after.changed_at_ms,
        "by": getpass.getuser(),
    }
