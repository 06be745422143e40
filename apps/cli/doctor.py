"""`tidemill doctor`."""

from __future__ import annotations

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, print_json, table

app = typer.Typer()


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what Tidemill stands on, from Python to the market's clock, with the fix for each fault."""
    from apps.cli.checkup import Level, examine

    found = examine()
    failed = any(item.level is Level.FAIL for item in found)
    if as_json:
        print_json({"healthy": not failed, "findings": found})
    else:
        rows = [(item.level.value.upper(), item.name, item.detail, item.fix) for item in found]
        table("Health", ("", "check", "found", "fix"), rows)
    if failed:
        raise typer.Exit(FAILED)
