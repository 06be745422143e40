"""sql, doctor, version, ui, sandbox serve, live: what they print and what they start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from apps.cli import live, sandbox, ui
from trading.errors import FixConfiguration

Cli = Callable[..., Result]
CliJson = Callable[..., Any]

QUERY = "select symbol, max(close) as best from klines group by symbol order by symbol"


def test_sql_as_table_json_and_csv(cli: Cli, cli_json: CliJson, lake_of_a_day: str) -> None:
    assert cli_json("sql", QUERY) == [
        {"symbol": "BTCUSDT", "best": 110.0},
        {"symbol": "ETHUSDT", "best": 21.0},
    ]
    assert cli("sql", QUERY, "--csv").stdout == "symbol,best\nBTCUSDT,110.0\nETHUSDT,21.0\n"
    table = cli("sql", QUERY).stdout
    assert "BTCUSDT" in table
    assert "110" in table
    limited = cli("sql", QUERY, "--limit", "1", "--csv")
    assert limited.stdout == "symbol,best\nBTCUSDT,110.0\n"


def test_sql_errors_name_what_there_is(cli: Cli, lake_of_a_day: str) -> None:
    unknown = cli("sql", "select * from kline")
    assert unknown.exit_code == 1
    assert "klines" in unknown.stderr
    assert cli("sql", "drop table klines").exit_code == 1


def test_doctor_finds_a_healthy_home_and_warns_of_the_kill_flag(cli: Cli, cli_json: CliJson) -> None:
    cli("halt", "--reason", "drill")
    report = cli_json("doctor")
    levels = {item["name"]: item["level"] for item in report["findings"]}
    assert report["healthy"] is True, report
    assert levels["kill flag"] == "warn"
    assert levels["lake"] == "warn"  # empty
    assert (
        levels["talib"]
        == levels["ledger"]
        == levels["dagster"]
        == levels["graph"]
        == levels["source"]
        == "ok"
    )


def test_doctor_fails_on_a_wrong_configuration_with_the_line(cli: Cli, home: Path) -> None:
    (home / "config" / "tidemill.yaml").write_text("universe:\n  max_symbol: 3\n")
    result = cli("doctor")
    assert result.exit_code == 1
    flat = " ".join(result.stdout.split())
    assert "FAIL configuration" in flat
    assert "max_symbols" in flat


def test_doctor_fails_when_slack_lacks_its_token(
    cli_json: CliJson, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEMILL_SLACK_TOKEN", raising=False)
    path = home / "config" / "tidemill.yaml"
    path.write_text(path.read_text() + "alerts:\n  slack:\n    enabled: true\n")
    report = cli_json("doctor")
    (slack,) = [item for item in report["findings"] if item["name"] == "slack"]
    assert report["healthy"] is False
    assert slack["level"] == "fail"
    assert "TIDEMILL_SLACK_TOKEN" in slack["fix"]


def test_doctor_fails_when_the_source_does_not_answer(cli_json: CliJson, home: Path) -> None:
    for path in (home / "klines").iterdir():
        path.unlink()
    report = cli_json("doctor")
    assert {item["name"]: item["level"] for item in report["findings"]}["source"] == "fail"


def test_version_lists_the_libraries(cli: Cli, cli_json: CliJson) -> None:
    found = cli_json("version")
    assert found["packages"]["dagster"] == "1.13.27"
    assert f"polars {found['packages']['polars']}" in cli("version").stdout


def test_ui_starts_dagster_on_our_workspace(
    cli_json: CliJson, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setattr(ui.os, "execv", lambda program, command: started.append(command))
    shown = cli_json("ui", "--port", "3456")
    assert shown["url"] == "http://127.0.0.1:3456"
    assert started == [shown["command"]]
    workspace = Path(started[0][started[0].index("-w") + 1])
    assert workspace.is_absolute()
    assert "pipelines.live" in workspace.read_text()
    assert started[0][-4:] == ["-h", "127.0.0.1", "-p", "3456"]


def test_sandbox_settings_of_the_options(cli_json: CliJson, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, int]] = []
    monkeypatch.setattr("apps.sandbox.server.serve", lambda settings, port: served.append((settings, port)))
    shown = cli_json(
        "sandbox", "serve", "--seed", "7", "--symbols", "btcusdt, ETHUSDT", "--speed", "60", "--port", "9"
    )
    ((settings, port),) = served
    assert (shown["url"], port) == ("http://127.0.0.1:9", 9)
    assert settings.market.symbols == ("BTCUSDT", "ETHUSDT")
    assert (settings.market.seed, settings.clock.speed, settings.backing) == (7, 60.0, "simulation")
    replay = sandbox.sandbox_settings(seed=1, symbols="5", replay=Path("k"), now="2026-01-02T03:04", speed=0)
    assert (replay.backing, replay.replay_folder, replay.market.count) == ("replay", "k", 5)
    assert replay.clock.start == "2026-01-02T03:04"


def test_live_prints_a_line_per_bar_and_fails_when_a_bar_failed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.live.loop import BarOutcome

    bars = [
        BarOutcome(900_000, 1.25, 0.75, True),
        BarOutcome(1_800_000, 0.5, 0.5, False, "data run x failed"),
    ]

    def two_bars(report: Callable[[BarOutcome], None], *, bars: int | None = None) -> None:
        assert bars == 2
        for bar in outcome_of:
            report(bar)

    outcome_of = bars
    monkeypatch.setattr("apps.live.loop.run_live", two_bars)
    result = cli("live", "--for-bars", "2", "--json")
    assert result.exit_code == 1
    lines = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(item["bar_close_ms"], item["decided"]) for item in lines] == [
        (900_000, True),
        (1_800_000, False),
    ]
    shown = cli("live", "--for-bars", "2").stdout
    assert "1970-01-01 00:15 UTC" in shown
    assert "FAILED: data run x failed" in shown
    outcome_of = bars[:1]
    assert cli("live", "--for-bars", "2").exit_code == 0
    assert live.app.registered_commands
    assert issubclass(FixConfiguration, Exception)
