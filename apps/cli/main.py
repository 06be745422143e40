"""The command `tidemill`: every command in a module of its own, imported light and run heavy."""

from __future__ import annotations

import sys

import typer

from apps.cli import (
    audit,
    controls,
    doctor,
    drill,
    explain,
    guard,
    impact,
    live,
    orders,
    rate,
    reconcile,
    run,
    sandbox,
    sql,
    status,
    strategies,
    trials,
    ui,
    version,
)
from apps.cli.boundary import FAILED, ErrorBoundary
from apps.cli.data import check as data
from apps.cli.environment import prepare
from apps.cli.stats import commands as stats
from resources.redaction import redact_this_process, traceback_text

app = typer.Typer(
    cls=ErrorBoundary,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Market data to audited orders in one inspectable Dagster graph.",
)


@app.callback()
def environment() -> None:
    """Market data to audited orders in one inspectable Dagster graph."""
    prepare()


app.add_typer(run.run_app, name="run")
for commands in (run.backfill_app, live.app, status.app, explain.app):
    app.add_typer(commands)
app.add_typer(orders.app, name="orders")
app.add_typer(audit.app, name="audit")
app.add_typer(data.app, name="data")
app.add_typer(stats.app, name="stats")
app.add_typer(strategies.app, name="strategies")
app.add_typer(trials.app, name="trials")
for commands in (
    controls.app,
    reconcile.app,
    guard.app,
    drill.app,
    doctor.app,
    impact.app,
    rate.app,
    sql.app,
):
    app.add_typer(commands)
app.add_typer(sandbox.app, name="sandbox")
for commands in (ui.app, version.app):
    app.add_typer(commands)


def main() -> None:
    """Entry point."""
    redact_this_process()
    try:
        app(prog_name="tidemill")
    except Exception as error:
        # Not left to the interpreter: Typer puts a hook of its own before ours.
        sys.stderr.write(traceback_text(error))
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
