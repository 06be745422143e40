"""`tidemill live`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, moment, plain

if TYPE_CHECKING:
    from apps.live.loop import BarOutcome

app = typer.Typer()


@app.command()
def live(
    for_bars: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many bars; else on Ctrl-C.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Trade every bar in one warm process: extend today's partitions, decide, order (--json: a line a bar)."""
    from apps.live.loop import run_live

    failures = 0

    def report(bar: BarOutcome) -> None:
        nonlocal failures
        failures += bool(bar.error)
        if as_json:
            print(json.dumps(plain(bar)), flush=True)
            return
        end = f"FAILED: {bar.error}" if bar.error else "decided" if bar.decided else "not decided"
        if bar.missed:
            line(
                f"{bar.missed} bar close(s) passed unused: the bar before took too long, or the process slept"
            )
        line(f"{moment(bar.bar_close_ms)} UTC  {bar.seconds:5.2f} s (data {bar.data_seconds:.2f} s)  {end}")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service is stopped like a terminal
    line("Waiting for the next bar close; Ctrl-C stops after the bar at work.", stderr=True)
    try:
        run_live(report, bars=for_bars)
    except KeyboardInterrupt:
        line("Stopped.", stderr=True)
    if failures:
        raise typer.Exit(FAILED)
