"""`tidemill run daily` and `backfill`: the summary, its order, its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import Result

from pipelines.outcome import BackfillOutcome, CheckLine, DailyOutcome, Progress, RunLine
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.research import STRATEGIES
from warehouse.datasets.screening import SCREENER_RATINGS
from warehouse.lake.lake import open_lake

Cli = Callable[..., Result]
Book = dict[str, str]

DAY = date(2025, 12, 30)
CLOSE_MS = 1_767_139_200_000
CHECKS = (
    CheckLine("klines", "symbol_gaps", True, True, "ERROR", "fine"),
    CheckLine("klines", "jumps", False, False, "WARN", "1 minute(s) moved by more than 30%"),
)
OUTCOME = DailyOutcome(
    day=DAY,
    bar_close_ms=CLOSE_MS,
    tick_id="a" * 32,
    traded=True,
    runs=(RunLine("daily", "r" * 36, 4.5, True), RunLine("decision", "s" * 36, 1.5, True)),
    checks=CHECKS,
    seconds=6.25,
)


def _typed(dataset: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    missing = [pl.lit(None).alias(name) for name in dataset.schema if name not in frame.columns]
    return frame.with_columns(missing).select(list(dataset.schema)).cast(dict(dataset.schema))


@pytest.fixture
def market(home: Path, lake_of_a_day: str) -> None:
    """Gaps, ratings and strategies of the day beside its klines."""
    lake = open_lake(str(home / "var" / "lake"))
    hole = {"first_missing": CLOSE_MS - 600_000, "last_missing": CLOSE_MS - 540_000, "missing_minutes": 2}
    gaps = [
        {"symbol": name, "kind": "venue_outage", "reason": "silence", **hole}
        for name in ("BTCUSDT", "ETHUSDT")
    ]
    lake.write(KLINE_GAPS, DAY, _typed(KLINE_GAPS, gaps))
    for interval, btc, eth in ((Interval.M15, 0.25, 0.75), (Interval.H1, -0.5, 0.125)):
        length = interval.milliseconds
        rated = [
            {
                "symbol": symbol,
                "open_time": CLOSE_MS - (back + 1) * length,
                "close_time": CLOSE_MS - back * length,
                "rating": rating if back == 0 else -1.0,
                "label": label,
                "streak": 1,
            }
            for symbol, rating, label in (("BTCUSDT", btc, "buy"), ("ETHUSDT", eth, "strong_buy"))
            for back in (1, 0)
        ]
        lake.write(SCREENER_RATINGS, DAY, _typed(SCREENER_RATINGS, rated), interval)
    strategies = [
        {
            "strategy_id": f"{rank or 9}" * 64,
            "rank": rank,
            "status": status,
            "reason": "",
            "genome": "{}",
            "text": "1h long",
            "trades": 40,
            "liquidations": 0,
            "sharpe": 1.75,
            "total_return_fraction": 0.042,
            "max_drawdown_fraction": 0.031,
            "win_fraction": 0.55,
            "fees_fraction": 0.01,
            "deflated_sharpe_probability": 0.81,
            "trials": 64,
            "window_start": datetime(2025, 11, 30, tzinfo=UTC),
            "window_end": datetime(2025, 12, 30, tzinfo=UTC),
        }
        for rank, status in ((1, "paper"), (None, "rejected"))
    ]
    lake.write(STRATEGIES, DAY, _typed(STRATEGIES, strategies))


def _daily(monkeypatch: pytest.MonkeyPatch, outcome: DailyOutcome) -> list[date | None]:
    asked: list[date | None] = []

    def run_daily(day: date | None, progress: Progress) -> DailyOutcome:
        asked.append(day)
        progress("daily: klines", 0, 2)
        progress("daily: klines", 1, 2)
        progress("daily: bars_15m", 1, 2)
        return outcome

    monkeypatch.setattr("pipelines.runs.run_daily", run_daily)
    return asked


def test_the_summary_tells_the_day_in_the_order_of_a_trader(
    cli: Cli, book: Book, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _daily(monkeypatch, OUTCOME)
    result = cli("run", "daily")
    assert result.exit_code == 0
    parts = [
        "2025-12-30: the daily run completed (files)",
        "Bars ingested: 4 of 1m (2 symbols)",
        "Gaps: venue outage 4 min in 2 hole(s) of 2 symbol(s)",
        "Checks: 1 passed, 1 warned, 0 failed",
        "1 minute(s) moved by more than 30%",
        "ETHUSDT   Strong Buy   +0.750   +0.125",
        "Candidates of the fork desk",
        "Decisions at the bar that closed 2025-12-31 00:00 UTC",
        "position_too_large",
        "Fired",
        "approved",
        "Orders and fills",
        book["order"][:15],
        "5.00",
        "Equity 10,049.25: cash 9,499.25, positions 550.00, change of the day +49.25",
        "Strategies on paper (of 64 tried today)",
        "Audit chain verified:",
        "Time taken: 6.2 s (daily 4.5 s, decision 1.5 s)",
        f"Next: make ui, or tidemill explain {book['order'][:15]}",
    ]
    place = 0
    for part in parts:
        place = result.stdout.find(part, place)
        assert place >= 0, f"{part} is missing, or too early:\n{result.stdout}"
    assert "\x1b" not in result.stdout
    assert cli("explain", book["order"][:15]).exit_code == 0


def test_progress_is_a_line_per_step_on_stderr(
    cli: Cli, book: Book, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _daily(monkeypatch, OUTCOME)
    result = cli("run", "daily", "--json")
    steps = [line.split()[-1] for line in result.stderr.splitlines()]
    assert steps == ["klines", "bars_15m"]
    json.loads(result.stdout)


def test_json_carries_the_same_facts(
    cli: Cli, book: Book, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _daily(monkeypatch, OUTCOME)
    summary = json.loads(cli("run", "daily", "--date", "2025-12-30", "--json").stdout)
    assert asked == [DAY]
    assert summary["succeeded"] is True
    assert summary["rows"] == {"1m": 4}
    assert [line["symbol"] for line in summary["ratings"]] == ["ETHUSDT", "BTCUSDT"]
    assert summary["ratings"][0]["ratings"] == {"15m": 0.75, "1h": 0.125, "4h": None, "1d": None}
    assert [(c["symbol"], c["fired"]) for c in summary["candidates"]] == [
        ("BTCUSDT", True),
        ("ETHUSDT", True),
        ("SOLUSDT", False),
    ]
    assert {(r["result"], r["reason_code"], r["count"]) for r in summary["reasons"]} == {
        ("approved", "fork_entry", 1),
        ("refused", "position_too_large", 1),
        ("skipped", "fork_score_low", 1),
    }
    assert Decimal(summary["account"]["equity"]) == Decimal("10049.25")
    assert Decimal(summary["account"]["change"]) == Decimal("49.25")
    assert [s["rank"] for s in summary["strategies"]] == [1]
    assert summary["audit"]["intact"] is True


def test_a_day_that_was_not_decided_says_why_and_fails(
    cli: Cli, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = RunLine("daily", "r" * 36, 4.5, False, "klines: high is below low")
    _daily(monkeypatch, replace(OUTCOME, tick_id=None, runs=(broken,)))
    result = cli("run", "daily")
    assert result.exit_code == 1
    assert "DID NOT COMPLETE" in result.stdout
    assert "daily: klines: high is below low" in result.stdout
    assert "Decisions: none" in result.stdout
    assert "Equity: not recorded" in result.stdout


def test_an_older_day_is_computed_and_not_traded(
    cli: Cli, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _daily(monkeypatch, replace(OUTCOME, tick_id=None, traded=False, bar_close_ms=CLOSE_MS + 900_000))
    result = cli("run", "daily", "--date", "2025-12-30")
    assert result.exit_code == 0
    assert "an older day is computed and never traded" in result.stdout
    assert "ETHUSDT   Strong Buy" in result.stdout


def test_the_source_option_reaches_the_settings(
    cli: Cli, book: Book, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("TIDEMILL_SOURCE", "files")
    _daily(monkeypatch, OUTCOME)
    cli("run", "daily", "--source", "archive")
    assert os.environ["TIDEMILL_SOURCE"] == "archive"


def test_backfill_reports_runs_checks_and_what_the_lake_holds(
    cli: Cli, market: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[date, date, bool]] = []
    outcome = BackfillOutcome(
        date(2025, 12, 1), DAY, (RunLine("backfill", "r" * 36, 9.0, True),), CHECKS, 9.5
    )

    def run_backfill(first: date, last: date, progress: Progress, *, futures: bool) -> BackfillOutcome:
        asked.append((first, last, futures))
        return outcome

    monkeypatch.setattr("pipelines.runs.run_backfill", run_backfill)
    arguments = ("backfill", "--from", "2025-12-01", "--to", "2025-12-30")
    result = cli(*arguments)
    assert result.exit_code == 0
    assert asked == [(date(2025, 12, 1), DAY, False)]
    assert "Backfill of 30 day(s), 2025-12-01 to 2025-12-30, completed in 9.5 s" in result.stdout
    assert "Checks: 1 passed, 1 warned, 0 failed" in result.stdout
    assert "screener_ratings 15m" in result.stdout
    outcome = replace(outcome, runs=(RunLine("backfill", "r" * 36, 9.0, False, "bars_1h: boom"),))
    failed = cli(*arguments)
    assert failed.exit_code == 1
    assert "bars_1h: boom" in failed.stdout


@pytest.mark.parametrize("far", ["2999-01-01"])
def test_a_day_in_the_future_is_a_clear_error(cli: Cli, far: str) -> None:
    result = cli("run", "daily", "--date", far)
    assert result.exit_code == 1
    assert f"--date {far} has not closed" in result.stderr
