"""What holds for every command: --json, documentation, light imports, and where errors end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from apps.cli import environment, version
from apps.cli.main import app
from trading.errors import BadData, RetryLater

ROOT = Path(__file__).resolve().parents[3]
Cli = Callable[..., Result]


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_the_commands_that_people_were_promised() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "run daily",
        "backfill",
        "live",
        "status",
        "explain",
        "orders replace",
        "orders cancel",
        "audit verify",
        "data check",
        "impact",
        "stats psr",
        "stats mintrl",
        "stats dsr",
        "stats pbo",
        "trials verify",
        "trials list",
        "strategies list",
        "strategies show",
        "strategies approve",
        "strategies pause",
        "strategies retire",
        "halt",
        "resume",
        "reconcile",
        "guard",
        "drill",
        "doctor",
        "rate",
        "sql",
        "sandbox serve",
        "ui",
        "version",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_takes_json_and_says_what_it_does(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert any("--json" in parameter.opts for parameter in command.params)  # type: ignore[attr-defined]
    assert (command.help or "").endswith(".")  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_documented(path: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "how-to" / "cli.md").read_text(encoding="utf-8")
    assert f"tidemill {' '.join(path)}" in page
    for parameter in COMMANDS[path].params:  # type: ignore[attr-defined]
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in page, f"{' '.join(path)} {option}"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, apps.cli.main\n"
        "heavy = {'dagster', 'polars', 'numpy', 'duckdb', 'pydantic', 'sqlalchemy', 'mlflow', 'rich'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_program_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("time,open,high,low,close,volume\n")
    command = [sys.executable, "-m", "apps.cli.main", "rate", str(tmp_path / "bars.csv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_an_error_on_purpose_is_one_line_and_with_json_a_document(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> str:
        raise RetryLater(f"no answer from {name}", retry_after_seconds=3)

    monkeypatch.setattr(version, "installed_version", fail)
    plain = cli("version")
    assert (plain.exit_code, plain.stdout, plain.stderr) == (1, "", "error: no answer from dagster\n")
    document = cli("version", "--json")
    assert document.exit_code == 1
    assert json.loads(document.stdout) == {
        "error": {"kind": "RetryLater", "message": "no answer from dagster"}
    }


def test_a_defect_keeps_its_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> str:
        raise ZeroDivisionError(name)

    monkeypatch.setattr(version, "installed_version", fail)
    result = CliRunner().invoke(app, ["version"])
    assert isinstance(result.exception, ZeroDivisionError)
    assert not issubclass(ZeroDivisionError, BadData)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "daily", "--date", "31.01.2026"),
        ("run", "daily", "--source", "nasdaq"),
        ("backfill", "--from", "2026-01-01"),
        ("backfill", "--from", "2026-01-01", "--to", "soon"),
        ("rate",),
        ("frobnicate",),
        ("sql", "select 1", "--csv", "--json"),
        ("ui", "--port", "0"),
    ],
)
def test_wrong_usage_exits_with_two(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).exit_code == 2


def test_home_is_the_folder_that_is_set_up_else_the_project(tmp_path: Path) -> None:
    assert environment.find_home(tmp_path) == ROOT
    (tmp_path / "dagster.yaml").write_text("")
    assert environment.find_home(tmp_path) == tmp_path
    other = tmp_path / "other"
    (other / "config").mkdir(parents=True)
    (other / "config" / "tidemill.yaml").write_text("")
    assert environment.find_home(other) == other


def test_what_a_user_has_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    monkeypatch.setenv("DO_NOT_TRACK", "no")
    monkeypatch.setenv("DAGSTER_STATE", str(tmp_path / "state"))
    for name in ("DAGSTER_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "GX_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "kept")
    environment.prepare()
    assert environment.os.environ["DAGSTER_HOME"] == "/elsewhere"
    assert environment.os.environ["DO_NOT_TRACK"] == "no"
    assert (tmp_path / "state").is_dir()
