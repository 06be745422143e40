"""The warm process: every bar of a midnight, one of which fails, against an exchange in this process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from apps.live.loop import BarOutcome, run_live
from apps.sandbox.server import EmbeddedSandbox
from tests.instance import OPEN_DAY, Home, at, rows
from trading.errors import FixConfiguration
from trading.ledger.chain import ChainReport
from warehouse.ledger import audit

NEXT_DAY = OPEN_DAY + timedelta(days=1)
#: A close at a quarter, one at midnight (an hour, four hours and the day end with it), two of the new day.
CLOSES = [at("23:45"), at("00:00", NEXT_DAY), at("00:15", NEXT_DAY), at("00:30", NEXT_DAY)]


@pytest.fixture
def live_home(home: Home) -> Home:
    home.configure(live={"settle_seconds": 0.5})
    return home


def partition(home: Home, dataset: str, day: object) -> Path:
    return home.root / "var" / "lake" / dataset / f"date={day}" / "data.parquet"


def bars_of(home: Home, interval: str, day: object) -> int:
    return pl.read_parquet(partition(home, f"bars/interval={interval}", day), hive_partitioning=False).height


def test_bars_across_midnight_and_one_that_fails(live_home: Home, exchange: EmbeddedSandbox) -> None:
    damaged = partition(live_home, "bars/interval=15m", OPEN_DAY)
    whole = b""
    done: list[BarOutcome] = []

    def before(bar: int) -> None:
        nonlocal whole
        if bar == 2:
            whole = damaged.read_bytes()
            damaged.unlink()
            damaged.write_bytes(whole[: len(whole) // 2])
        elif bar == 3:
            damaged.write_bytes(whole)

    def report(outcome: BarOutcome) -> None:
        done.append(outcome)
        if len(done) < len(CLOSES):
            before(len(done))
            exchange.clock.set(CLOSES[len(done)] + 90_000)

    exchange.clock.set(CLOSES[0] - 1_000)
    with live_home.entered() as platform:
        run(lambda: run_live(report, bars=len(CLOSES)), lambda: exchange.clock.set(CLOSES[0] + 90_000))
        assert [outcome.bar_close_ms for outcome in done] == CLOSES
        assert [outcome.decided for outcome in done] == [True, True, False, True]
        assert "failed" in done[2].error
        assert [outcome.missed for outcome in done] == [0, 0, 0, 0]
        (alert,) = rows(
            platform.ledger, "select severity, body from alerts where title = 'Run of intraday failed'"
        )
        assert alert["severity"] == "critical"
        assert str(damaged) in alert["body"]
        ticks = rows(platform.ledger, "select bar_close_ms from snapshots order by bar_close_ms")
        assert [row["bar_close_ms"] for row in ticks] == [at("00:15"), CLOSES[0], CLOSES[1], CLOSES[3]]
        for close_ms in (CLOSES[0], CLOSES[1], CLOSES[3]):
            sql = "select distinct symbol from decisions where bar_close_ms = :close"
            assert len(rows(platform.ledger, sql, close=close_ms)) == 4
        sides = {
            row["side"] for row in rows(platform.ledger, "select side from orders where state = 'filled'")
        }
        assert sides == {"buy", "sell"}
        assert chain(platform.ledger).intact
    with live_home.instance() as (_, instance):
        reconciled = instance.get_runs(dg.RunsFilter(job_name="reconcile"))
    assert [run.is_success for run in reconciled] == [True, True], "at the start, and at the bar that failed"
    assert bars_of(live_home, "15m", OPEN_DAY) == 4 * 96
    assert bars_of(live_home, "1h", OPEN_DAY) == 4 * 24
    assert bars_of(live_home, "1d", OPEN_DAY) == 4
    assert bars_of(live_home, "15m", NEXT_DAY) == 4 * 2


def test_closes_that_were_missed_are_caught_up_with(live_home: Home, exchange: EmbeddedSandbox) -> None:
    """An hour's close and a midnight pass while a bar is at work: their bars are made all the same."""
    closes = [at("22:45"), at("23:30"), at("00:30", NEXT_DAY)]
    done: list[BarOutcome] = []

    def report(outcome: BarOutcome) -> None:
        done.append(outcome)
        if len(done) < len(closes):
            exchange.clock.set(closes[len(done)] + 90_000)

    exchange.clock.set(closes[0] - 1_000)
    with live_home.entered():
        run(lambda: run_live(report, bars=len(closes)), lambda: exchange.clock.set(closes[0] + 90_000))
    assert [(outcome.bar_close_ms, outcome.missed, outcome.error) for outcome in done] == [
        (closes[0], 0, ""),
        (closes[1], 2, ""),
        (closes[2], 3, ""),
    ]
    assert bars_of(live_home, "1h", OPEN_DAY) == 4 * 24
    assert bars_of(live_home, "4h", OPEN_DAY) == 4 * 6
    assert bars_of(live_home, "1d", OPEN_DAY) == 4
    assert bars_of(live_home, "15m", NEXT_DAY) == 4 * 2


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Interrupts work: a shell starts background jobs with them ignored, and Python leaves it at that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_lets_the_bar_at_work_end(live_home: Home, exchange: EmbeddedSandbox) -> None:
    done: list[BarOutcome] = []

    def begin() -> None:
        exchange.clock.set(at("23:45") + 90_000)
        for _ in range(600):  # until the bar is at work
            if partition(live_home, "klines", OPEN_DAY).stat().st_mtime_ns > before:
                break
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    exchange.clock.set(at("23:45") - 1_000)
    before = partition(live_home, "klines", OPEN_DAY).stat().st_mtime_ns
    with live_home.entered() as platform:
        with pytest.raises(KeyboardInterrupt):
            run(lambda: run_live(done.append), begin)
        assert [(outcome.bar_close_ms, outcome.decided, outcome.error) for outcome in done] == [
            (at("23:45"), True, "")
        ]
        assert chain(platform.ledger).intact


def test_an_interval_below_fifteen_minutes_is_refused(live_home: Home) -> None:
    live_home.configure(live={"interval": "1m"})
    with live_home.entered(), pytest.raises(FixConfiguration, match=r"live\.interval 1m: use 15m"):
        run_live(lambda outcome: None, bars=1)


def test_an_interval_at_which_strategies_would_miss_closes_is_refused(live_home: Home) -> None:
    live_home.configure(live={"interval": "1h"}, desks=[{"use": "genome"}])
    with live_home.entered(), pytest.raises(FixConfiguration, match=r"live\.interval 1h: the desk genome"):
        run_live(lambda outcome: None, bars=1)


def run(loop: Callable[[], None], begin: Callable[[], None]) -> None:
    """Run the loop, and let the first bar close once it watches the clock."""
    timer = threading.Timer(2.0, begin)
    timer.start()
    try:
        loop()
    finally:
        timer.cancel()


def chain(ledger: object) -> ChainReport:
    return audit.verify(ledger)  # type: ignore[arg-type]
