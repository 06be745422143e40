"""`tidemill guard`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, moment, print_json

app = typer.Typer()


@app.command()
def guard(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether a guard is at work, and what it saw last.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Watch the kill flag and the heartbeats, and on a halt cancel every entry at the venue."""
    if check:
        _check(as_json=as_json)
        return
    from apps.guard.start import guard_configured

    line("Guarding; Ctrl-C ends it.", stderr=True)
    guard_configured()


def _check(*, as_json: bool) -> None:
    import time

    from warehouse.flags import heartbeat, kill_flag
    from warehouse.flags.files import JOURNAL_FILE, control_folder
    from warehouse.flags.journal import read_journal

    folder = control_folder(Path(os.environ["TIDEMILL_HOME"]))
    beat = heartbeat.read(folder, "guard")
    age_seconds = None if beat is None else time.time() - beat.at_ms / 1000
    alive = beat is not None and not beat.ended and age_seconds is not None and age_seconds < 10
    records = read_journal(folder / JOURNAL_FILE)
    flag = kill_flag.read(folder)
    if as_json:
        print_json(
            {
                "alive": alive,
                "silent_seconds": age_seconds,
                "flag": flag,
                "journal_records": len(records),
                "last_record": records[-1] if records else None,
            }
        )
    else:
        line(f"Guard: {'at work' if alive else 'not at work'}")
        line(f"Kill flag: {f'raised, {flag.reason}' if flag.halted else 'off'}")
        for record in records[-5:]:
            line(f"  {moment(record.at_ms)} UTC  {record.kind}  {record.subject}  {record.payload}")
    if not alive:
        raise typer.Exit(FAILED)
