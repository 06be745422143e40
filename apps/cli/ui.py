"""`tidemill ui`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from apps.cli.environment import PROJECT_ROOT, shipped_file
from apps.cli.output import Json, line, print_json

app = typer.Typer()


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
    as_json: Json = False,
) -> None:
    """Open Dagster's webserver and daemon on this workspace; Ctrl-C stops both."""
    url = f"http://127.0.0.1:{port}"
    command = ui_command(port)
    if as_json:
        print_json({"url": url, "command": command, "dagster_home": os.environ["DAGSTER_HOME"]})
    else:
        line(f"Dagster UI: {url}  (asset graph: {url}/asset-groups)", style="bold")
        line("Schedules and sensors run while it is open. Ctrl-C stops it.")
    sys.stdout.flush()
    # The code location is imported by name, wherever the command was started.
    paths = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter with fixed arguments


def ui_command(port: int) -> list[str]:
    """What is executed in place of this process."""
    workspace = str(shipped_file("workspace.yaml"))
    return [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)]
