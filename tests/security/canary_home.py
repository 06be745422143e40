"""A home whose processes hold every kind of secret: what ran there, what it said, and where to look."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from secret_search import Places, files, objects, postgres_tables
from ui_pages import served

from tests.dagster_service import ROOT, DagsterService, service_environment

BUCKET = "canary-lake"


class Slack(ThreadingHTTPServer):
    """Takes every message, and keeps the tokens that came with them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SlackHandler)
        self.tokens: list[str] = []
        self.texts: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/"


class _SlackHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        slack: Slack = self.server  # type: ignore[assignment] # it serves no other
        slack.texts.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        slack.tokens.append(self.headers["Authorization"])
        body = json.dumps({"ok": True, "channel": "C1", "ts": "1772409600.000100"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@dataclass
class Deployment:
    """What ran, what it must not have told, and where to look.

    Attributes
    ----------
    secrets
        The values by name.
    variables
        The environment's variables that hold them, by kind.
    said, exit_codes
        What the commands printed and how they ended, by configuration.
    failed_run
        The run that failed in a worker process of its own.
    """

    home: Path
    secrets: dict[str, str]
    variables: dict[str, dict[str, str]]
    slack: Slack
    ledger_url: str
    s3: Any
    said: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    service: DagsterService | None = None
    failed_run: str = ""

    def environment(self, configuration: str, *kinds: str) -> dict[str, str]:
        """A process's environment with a configuration and these groups of variables."""
        chosen = {name: value for kind in kinds for name, value in self.variables[kind].items()}
        file = str(self.home / "config" / f"{configuration}.yaml")
        return service_environment(
            self.home, AWS_EC2_METADATA_DISABLED="true", TIDEMILL_CONFIG=file, **chosen
        )

    def command(self, configuration: str, *arguments: str, kinds: tuple[str, ...]) -> None:
        """Run a command of the user's to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli.main", *arguments],
            cwd=ROOT,
            env=self.environment(configuration, *kinds),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.said[configuration] = f"{done.stdout}\n{done.stderr}"
        self.exit_codes[configuration] = done.returncode

    def places(self) -> Places:
        """Everything that the runs left behind, and everything that the UI serves of it."""
        for name, text in self.said.items():
            yield f"terminal of {name}", text.encode()
        yield from files(self.home)
        yield from postgres_tables(self.ledger_url)
        yield from objects(self.s3, BUCKET)
        yield "slack", "\n".join(self.slack.texts).encode()
        assert self.service is not None
        yield from served(self.service)
