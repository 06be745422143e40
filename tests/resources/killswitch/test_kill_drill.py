"""The drill: it passes with a guard that works, fails with one that does not, and either way it is evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest

from resources.killswitch import drill
from resources.killswitch.drill import DrillResult, Trigger, evidence, record, run_drill
from resources.killswitch.drill_range import DrillRange
from warehouse.ledger import audit
from warehouse.ledger.backend import Ledger, open_ledger

GOOD = DrillResult("d" * 32, Trigger.FLAG, 1, 6, 0.3, True, True, 8, "a" * 64)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    opened.migrate()
    yield opened
    opened.close()


def test_a_dead_heart_ends_with_no_entry_at_a_real_exchange(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "GOAL_SECONDS", 60.0)  # no test asserts a time
    monkeypatch.setenv("TIDEMILL_BINANCE_KEY", "canary-trading-key")
    result = run_drill(Trigger.HEARTBEAT)
    assert result.problem == ""
    assert (result.passed, result.stops_kept, result.all_protected) == (True, True, True)
    assert result.seconds_to_no_entries is not None
    record(ledger, result, 5)
    with ledger.read() as tx:
        (kept,) = audit.for_subject(tx, result.drill_id)
        assert audit.verify_in(tx).intact
    said = json.loads(kept.payload)
    assert (said["passed"], said["trigger"], said["journal_hash"]) == (True, "heartbeat", result.journal_hash)
    assert "canary" not in kept.payload


def test_a_guard_that_dies_fails_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(at: DrillRange) -> None:
        start(at)
        at.kill_guard()

    start = DrillRange.start_guard
    monkeypatch.setattr(DrillRange, "start_guard", dies)
    monkeypatch.setattr(drill, "_LONGEST_SECONDS", 0.3)
    result = run_drill(Trigger.FLAG)
    assert not result.passed
    assert result.seconds_to_no_entries is None
    assert "before no entry is left" in result.problem
    assert evidence(result)["passed"] is False


def test_the_job_keeps_the_evidence_of_a_drill_that_failed_and_tells_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.ops import drill as op
    from resources.killswitch import drill
    from resources.platform import PlatformResource

    (tmp_path / "config").mkdir()
    (tmp_path / "klines").mkdir()
    (tmp_path / "klines" / "BTCUSDT-1m.csv").write_text(
        "open_time,open,high,low,close,volume\n1767139140000,1,1,1,1,1\n"
    )
    (tmp_path / "config" / "tidemill.yaml").write_text(
        f"market_data:\n  source: files\n  files:\n    folder: {tmp_path / 'klines'}\n"
    )
    for name in ("TIDEMILL_CONFIG", "TIDEMILL_LEDGER_URL", "TIDEMILL_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))

    def results(trigger: Trigger) -> DrillResult:
        name = f"drill-{trigger}"
        problem = "a stop is gone" if trigger is Trigger.HEARTBEAT else ""
        return replace(GOOD, drill_id=name, trigger=trigger, problem=problem)

    monkeypatch.setattr(drill, "run_drill", results)
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        run = op.kill_drill_job.execute_in_process(
            instance=instance, resources={"platform": PlatformResource()}, raise_on_error=False
        )
    assert not run.success
    ledger = open_ledger(f"duckdb:///{tmp_path}/var/ledger.duckdb")
    with ledger.read() as tx:
        alert = tx.query("select severity, body from alerts where dedupe_key = 'kill_drill:drill-heartbeat'")
        kept = [
            json.loads(row["payload"])
            for row in tx.query("select payload from audit where kind = 'kill_drill' order by sequence")
        ]
    assert [item["passed"] for item in kept] == [True, False]
    assert alert == [{"severity": "critical", "body": "by heartbeat: a stop is gone"}]


def test_the_drill_runs_once_a_day_when_it_is_switched_on() -> None:
    from datetime import UTC, datetime

    from pipelines.schedules import kill_drill_schedule

    assert kill_drill_schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 5, 10, tzinfo=UTC))
    request = kill_drill_schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "kill_drill:2026-03-01"
