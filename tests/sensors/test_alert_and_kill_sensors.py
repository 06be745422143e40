"""Alerts on failed runs and stale data; the kill flag cancels buys, and lets exits through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from apps.sandbox.server import EmbeddedSandbox
from resources.clock import FixedClock
from resources.platform import Platform, PlatformResource
from sensors.alerts import alert_on_run_failure, alert_on_stale_data
from sensors.kill import cancel_on_halt
from tests.instance import OPEN_DAY, Home, at, decide, rows, run_job
from trading.ledger.chain import ChainReport
from warehouse.flags import heartbeat, kill_flag
from warehouse.ledger import audit, controls

Opened = tuple[Platform, dg.DagsterInstance]
CANCELLING = "cancel_open_orders"


@pytest.fixture
def opened(home: Home) -> Iterator[Opened]:
    with home.instance() as found:
        yield found


@dg.job
def broken_job() -> None:
    @dg.op
    def breaking() -> None:
        raise ValueError("the reason")

    breaking()


def alerts(platform: Platform, key: str) -> list[dict[str, object]]:
    sql = "select severity, title, body, suppressed from alerts where dedupe_key like :key"
    return rows(platform.ledger, sql, key=f"{key}%")


def test_a_failed_run_is_told_once(opened: Opened) -> None:
    platform, instance = opened
    failed = broken_job.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="alert_on_run_failure",
        dagster_event=failed.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=failed.dagster_run,
    ).for_run_failure()
    alert_on_run_failure(context)
    alert_on_run_failure(context)
    (alert,) = alerts(platform, "run_failure:")
    assert (alert["severity"], alert["title"]) == ("critical", "Run of broken_job failed")
    assert failed.run_id in str(alert["body"])
    (delivery,) = rows(
        platform.ledger,
        "select channel, status from alert_deliveries join alerts using (alert_id) where dedupe_key like 'run_f%'",
    )
    assert delivery == {"channel": "log", "status": "delivered"}


def test_stale_data_is_told_once_and_only_when_it_is_due(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, instance = opened

    def look(now_ms: int) -> object:
        monkeypatch.setattr("sensors.alerts.SystemClock", lambda: FixedClock(now_ms))
        context = dg.build_sensor_context(instance=instance)
        return alert_on_stale_data(context, platform=PlatformResource())

    late = OPEN_DAY + timedelta(days=2)
    for skipped in (at("00:59", late), at("01:00"), at("12:00")):
        assert isinstance(look(skipped), dg.SkipReason)
    assert alerts(platform, "stale_data:") == []
    for _ in range(2):
        assert isinstance(look(at("01:00", late)), dg.SensorResult)
    (alert,) = alerts(platform, "stale_data:")
    assert alert["title"] == f"Klines end on {OPEN_DAY}"
    assert f"tidemill backfill --from {OPEN_DAY} --to {late - timedelta(days=1)}" in str(alert["body"])


def test_each_halt_asks_for_one_cancelling_run(opened: Opened) -> None:
    platform, instance = opened

    def look(cursor: str | None) -> object:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return cancel_on_halt(context, platform=PlatformResource())

    assert isinstance(look(None), dg.SkipReason)
    keys = []
    cursor = None
    for moment in (at("00:21"), at("00:23")):
        with platform.ledger.transaction() as tx:
            controls.halt(tx, "drill", "test", moment)
        result = look(cursor)
        assert isinstance(result, dg.SensorResult)
        (request,) = result.run_requests or []
        keys.append(request.run_key)
        cursor = result.cursor
        assert isinstance(look(cursor), dg.SkipReason)
        with platform.ledger.transaction() as tx:
            controls.resume(tx, "drill over", "test", moment + 60_000)
        flag = kill_flag.read(platform.control_folder)
        assert flag.reason == "drill", "a halt in the ledger reaches the file that the guard reads"
        kill_flag.lift(platform.control_folder, flag, "drill over", "test", moment + 60_000)
        assert isinstance(look(cursor), dg.SkipReason)
    assert len(set(keys)) == 2


def test_a_halt_that_only_the_file_knows_is_brought_into_the_ledger_and_decided_on(
    opened: Opened, exchange: EmbeddedSandbox
) -> None:
    platform, instance = opened
    exchange.clock.set(at("00:30") + 30_000)
    extend(instance)
    kill_flag.halt(platform.control_folder, "ledger was busy", "tester", at("00:25"))
    assert decide(instance, at("00:30")).success
    assert all(side == "sell" for side, _, _ in states(platform))
    with platform.ledger.read() as tx:
        assert not controls.current(tx).halted, "the decision has read the file alone"
    result = cancel_on_halt(dg.build_sensor_context(instance=instance), platform=PlatformResource())
    assert isinstance(result, dg.SensorResult)
    assert len(result.run_requests or []) == 1
    with platform.ledger.read() as tx:
        assert controls.current(tx).reason == "ledger was busy"
    assert heartbeat.read(platform.control_folder, "daemon") is not None
    assert chain(platform).intact


def halt(platform: Platform) -> None:
    with platform.ledger.transaction() as tx:
        controls.halt(tx, "drill", "test", platform.clock.now_ms())


def extend(instance: dg.DagsterInstance) -> None:
    assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success


def states(platform: Platform) -> list[tuple[str, str, int]]:
    sql = (
        "select side, state, count(*) as n from orders where not_before_ms = :bar"
        " group by side, state order by side, state"
    )
    return [(row["side"], row["state"], row["n"]) for row in rows(platform.ledger, sql, bar=at("00:30"))]


def chain(platform: Platform) -> ChainReport:
    return audit.verify(platform.ledger)


def test_the_cancelling_job_cancels_buys_and_leaves_sells(opened: Opened, exchange: EmbeddedSandbox) -> None:
    platform, instance = opened
    exchange.clock.set(at("00:30") + 30_000)  # no minute has closed that the orders could fill from
    extend(instance)
    assert decide(instance, at("00:30")).success
    assert states(platform) == [("buy", "open", 2), ("sell", "open", 2)]
    halt(platform)
    for _ in range(2):
        assert run_job(instance, CANCELLING).success
        assert states(platform) == [("buy", "cancelled", 2), ("sell", "open", 2)]
    exchange.clock.set(at("00:50"))
    extend(instance)
    assert decide(instance, at("00:45")).success
    assert states(platform) == [("buy", "cancelled", 2), ("sell", "filled", 2)]
    assert rows(platform.ledger, "select symbol from positions where quantity <> 0") == []
    assert chain(platform).intact


def test_halted_entries_are_refused_and_exits_go_through(opened: Opened, exchange: EmbeddedSandbox) -> None:
    platform, instance = opened
    exchange.clock.set(at("00:35"))
    extend(instance)
    halt(platform)
    assert decide(instance, at("00:30")).success
    verdicts = rows(
        platform.ledger,
        "select d.action, v.kind, v.reason_code, count(*) as n from risk_verdicts v"
        " join decisions d using (decision_id) where d.bar_close_ms = :bar"
        " group by d.action, v.kind, v.reason_code order by d.action",
        bar=at("00:30"),
    )
    assert [tuple(row.values()) for row in verdicts] == [
        ("enter", "refused", "halted", 2),
        ("exit", "approved", "reduction", 2),
    ]
    assert states(platform) == [("sell", "filled", 2)]


def test_a_halt_after_the_decision_stops_what_is_not_sent(
    opened: Opened, exchange: EmbeddedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, instance = opened
    exchange.clock.set(at("00:35"))
    extend(instance)
    from resources.execution import ticks

    def then_halt(*args: object) -> None:
        ticks.commit(*args)  # type: ignore[arg-type]
        halt(platform)

    monkeypatch.setattr("pipelines.ops.decision.commit", then_halt)
    assert decide(instance, at("00:30")).success
    assert states(platform) == [("buy", "cancelled", 2), ("sell", "filled", 2)]
