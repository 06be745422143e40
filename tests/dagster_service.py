"""Dagster's processes for tests: started in their own group, asked over GraphQL, always killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}

_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError {
    __typename ... on PythonError { message } } } } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message } } }"""
_RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""
_RUNS = """{ runsOrError(limit: 50) { ... on Runs { results { runId jobName status tags { key value }
    assetSelection { path } } } } }"""
_EVENTS = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
    __typename ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } }
    ... on RunFailureEvent { message error { message } } } } } }"""


def free_port() -> int:
    """A port on the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def service_environment(home: Path, **extra: str) -> dict[str, str]:
    """What Dagster's processes need to work in a home folder of their own."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TIDEMILL_", "AWS_"))
    }
    return {
        **inherited,
        "TIDEMILL_HOME": str(home),
        "DAGSTER_HOME": str(home),
        "DAGSTER_STATE": str(home / "var" / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **extra,
    }


class DagsterService:
    """Some commands that together serve one instance, and the GraphQL API of their webserver.

    Parameters
    ----------
    commands
        Command lines by name; one of them serves ``port``.
    """

    def __init__(
        self, commands: dict[str, list[str]], port: int, environment: dict[str, str], home: Path
    ) -> None:
        self.commands = commands
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment
        self.home = home
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> DagsterService:
        for name, command in self.commands.items():
            with (self.home / f"{name}.log").open("wb") as log:
                self._processes[name] = subprocess.Popen(
                    command,
                    cwd=self.home,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        try:
            self.wait_until("the code location is loaded", self._loaded, 120)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill every process group; the code servers and run workers belong to them."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def logs(self) -> str:
        """The ends of all logs, for a failure's message."""
        return "\n".join(
            f"--- {name}\n{(self.home / f'{name}.log').read_text(errors='replace')[-3000:]}"
            for name in self.commands
        )

    def wait_until(self, what: str, condition: Any, seconds: float) -> Any:
        """Ask until the answer is true; a process that died or a deadline is a failure with the logs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            assert not dead, f"{dead} ended while waiting until {what}\n{self.logs()}"
            answer = condition()
            if answer:
                return answer
            time.sleep(0.5)
        raise AssertionError(f"not within {seconds} s: {what}\n{self.logs()}")

    def query(self, text: str, **variables: Any) -> Any:
        """The data of a GraphQL query."""
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": text, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(
        self, job: str, *, config: dict[str, Any] | None = None, tags: dict[str, str] | None = None
    ) -> str:
        """Launch a job through the webserver; returns the run's id."""
        params = {
            "selector": {
                "repositoryLocationName": "live",
                "repositoryName": "__repository__",
                "jobName": job,
            },
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]},
        }
        answer = self.query(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def succeed(self, run_id: str, seconds: float) -> None:
        """Wait for a run's end and fail unless it is a success."""

        def ended() -> str | None:
            status = self.query(_RUN, id=run_id)["runOrError"]["status"]
            return status if status in FINISHED else None

        status = self.wait_until(f"run {run_id} has ended", ended, seconds)
        if status != "SUCCESS":
            events = self.query(_EVENTS, id=run_id)["logsForRun"]["events"]
            failures = [event for event in events if len(event) > 1]
            raise AssertionError(f"run {run_id}: {status}\n{failures}\n{self.logs()}")

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs first."""
        return list(self.query(_RUNS)["runsOrError"]["results"])

    def _loaded(self) -> bool:
        try:
            entries = self.query(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        except httpx.TransportError:
            return False
        for entry in entries:
            found = entry["locationOrLoadError"]
            if found and found["__typename"] == "PythonError":
                raise AssertionError(f"{found['message']}\n{self.logs()}")
        return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
