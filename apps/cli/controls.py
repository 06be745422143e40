"""`tidemill halt` and `tidemill resume`: the persisted kill flag, in a file and in the ledger."""

from __future__ import annotations

import getpass
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import MISSING, Json, line, moment, print_json

if TYPE_CHECKING:
    from trading.model.snapshot import Controls
    from warehouse.ledger.backend import Ledger

app = typer.Typer()
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]

#: A halt does not wait longer than this for a ledger that is busy or down.
_HALT_LEDGER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A part of the halt: whether it is in force there, whether it was before, and why not."""

    halted: bool
    before: bool = False
    reason: str = ""
    changed_at_ms: int = 0
    problem: str = ""


@app.command()
def halt(reason: Reason = "by hand", as_json: Json = False) -> None:
    """Stop new entries from this moment, ledger or not; exits and protective stops go on."""
    now_ms = _now_ms()
    flag = _raise_flag(reason, now_ms)
    if not as_json and flag.halted:
        line(f"Halted since {moment(flag.changed_at_ms)} UTC: {flag.reason}", style="bold red")
    control = _halt_ledger(reason, now_ms)
    shown = flag if flag.halted else control
    if as_json:
        print_json(
            {
                "halted": shown.halted,
                "changed": not (flag.before or control.before),
                "reason": shown.reason,
                "changed_at_ms": shown.changed_at_ms,
                "by": who(),
                "reached": {
                    "flag_file": flag.halted,
                    "ledger": control.halted,
                    "guard": _guard_alive(now_ms),
                },
                "problems": [part.problem for part in (flag, control) if part.problem],
            }
        )
    else:
        _print_halt(flag, control, alive=_guard_alive(now_ms))
    if not flag.halted:
        raise typer.Exit(FAILED)


@app.command()
def resume(
    confirm: Annotated[
        str, typer.Option(metavar="CODE", help="Re-arm, with the code that the first step printed.")
    ] = "",
    reason: Reason = "by hand",
    as_json: Json = False,
) -> None:
    """Show what is open and print a one-time code; with --confirm CODE allow new positions again."""
    from resources.killswitch import rearm

    if confirm:
        lifted = rearm.confirm(open_configured_ledger(), _folder(), confirm, reason, who(), _now_ms())
        _print_resumed(lifted, reason, as_json=as_json)
        return
    from apps.cli.outlook_view import offer_json, print_outlook
    from resources.settings import load_settings

    offered = rearm.offer(
        open_configured_ledger(), _folder(), load_settings().guard.heartbeats, who(), _now_ms()
    )
    if as_json:
        print_json(offer_json(offered))
    elif not offered.outlook.halted:
        line("Trading is not halted; nothing was changed.")
    else:
        print_outlook(offered.outlook, _now_ms())
        line(f"To allow new positions again, until {moment(offered.expires_at_ms)} UTC, once:")
        line(f"    tidemill resume --confirm {offered.code}", style="bold")


def who() -> str:
    """Who works here, for the audit trail; a number where the system has no name for the user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _folder() -> Path:
    from warehouse.flags.files import control_folder

    return control_folder(Path(os.environ["TIDEMILL_HOME"]))


def open_configured_ledger(longest_wait_seconds: float | None = None) -> Ledger:
    """The configured ledger, without what else a platform needs: no venue, no market data, no Dagster."""
    from resources.settings import load_settings
    from warehouse.ledger.backend import open_ledger

    settings = load_settings()
    wait = settings.ledger.lock_timeout_seconds
    ledger = open_ledger(
        settings.ledger_url.get_secret_value(),
        lock_timeout_seconds=wait if longest_wait_seconds is None else min(wait, longest_wait_seconds),
    )
    ledger.migrate()
    return ledger


def _raise_flag(reason: str, now_ms: int) -> Reached:
    from trading.errors import TradingError
    from warehouse.flags import kill_flag

    try:
        before, after = kill_flag.halt(_folder(), reason, who(), now_ms)
    except TradingError as error:
        return Reached(halted=False, problem=str(error))
    return Reached(after.halted, before.halted, after.reason, after.changed_at_ms)


def _halt_ledger(reason: str, now_ms: int) -> Reached:
    from warehouse.ledger import controls

    try:
        with open_configured_ledger(_HALT_LEDGER_SECONDS).transaction() as tx:
            before = controls.current(tx)
            after = controls.halt(tx, reason, who(), now_ms)
    # Whatever is wrong with ledger or configuration, the flag is up, and that has to be said.
    except Exception as error:
        return Reached(halted=False, problem=f"{type(error).__name__}: {error}")
    return Reached(after.halted, before.halted, after.reason, after.changed_at_ms)


def _guard_alive(now_ms: int) -> bool:
    from warehouse.flags import heartbeat

    beat = heartbeat.read(_folder(), "guard")
    return beat is not None and not beat.ended and now_ms - beat.at_ms < 10_000


def _print_halt(flag: Reached, control: Reached, *, alive: bool) -> None:
    names = (("flag file", flag), ("ledger", control))
    for name, part in names:
        said = ("was set already" if part.before else "set") if part.halted else f"NOT SET: {part.problem}"
        line(f"  {name}: {said}")
    line(
        "  guard: at work, it cancels what may add exposure"
        if alive
        else "  guard: none is at work here; the cancel_on_halt sensor cancels if Dagster's daemon runs"
    )
    line("Entries are refused and unsent buys are cancelled; exits, stops and booking of fills go on.")
    if flag.halted and not control.halted:
        line("The flag file alone stops new entries. The ledger learns of it once it is back.")
    line("It is honoured at every start. Lift it with: tidemill resume")


def _print_resumed(lifted: Controls, reason: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"halted": False, "changed": True, "reason": reason, "by": who()})
        return
    line(
        f"Resumed by {who()}. It was halted since {moment(lifted.changed_at_ms)} UTC: {lifted.reason or MISSING}"
    )
    line("The next tick may open positions again, within the limits of the risk gate.")
