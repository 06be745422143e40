"""What the decision job refuses, and that a refusal leaves the ledger as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from pipelines.runs import run_backfill, run_daily
from resources.platform import Platform
from tests.instance import (
    FIRST_DAY,
    LAST_DAY,
    OPEN_DAY,
    Home,
    at,
    configuration,
    decide,
    failure,
    make_home,
    rows,
    run_job,
    twin,
)
from trading.errors import BadData
from trading.model.interval import Interval
from trading.simulation.settings import MarketSettings, Outage
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.screening import INDICATORS
from warehouse.ledger.digest import content_digest, table_digests

Opened = tuple[Platform, dg.DagsterInstance]


@pytest.fixture(scope="module")
def opened(
    built: Home, exchange: EmbeddedSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """The built home at 00:20, its tick of 00:15 decided."""
    exchange.clock.set(at("00:20"))
    home = twin(built, tmp_path_factory.mktemp("refusals") / "home", exchange)
    with home.instance() as found:
        yield found


def quiet(what: str, done: int, total: int) -> None:
    pass


def test_the_same_tick_again_changes_nothing(opened: Opened) -> None:
    platform, instance = opened
    before = content_digest(platform.ledger)
    assert decide(instance, at("00:15")).success
    assert content_digest(platform.ledger) == before


@pytest.mark.parametrize(
    ("bar_close_ms", "tags", "message"),
    [
        (at("00:15"), {"dagster/backfill": "abc"}, "trading refuses to run in a backfill"),
        (
            at("00:15"),
            {"dagster/asset_partition_range_start": str(FIRST_DAY)},
            "trading refuses to run in a backfill",
        ),
        (at("22:00", LAST_DAY), {}, "history is never traded"),
        (at("00:00"), {}, "is before the newest tick"),
        (at("00:30"), {}, "has not come"),
        (at("00:14"), {}, "use a multiple of 900000"),
    ],
)
def test_history_and_other_moments_are_refused(
    opened: Opened, bar_close_ms: int, tags: dict[str, str], message: str
) -> None:
    platform, instance = opened
    before = content_digest(platform.ledger)
    result = decide(instance, bar_close_ms, tags=tags)
    assert not result.success
    assert message in failure(result)
    assert content_digest(platform.ledger) == before


def test_an_older_day_is_computed_and_never_traded(opened: Opened) -> None:
    platform, _ = opened
    # A search over history is a trial like any other, and sealed in the audit trail.
    sealed = ("audit", "audit_head")
    before = table_digests(platform.ledger, sealed)
    outcome = run_daily(LAST_DAY - timedelta(days=1), quiet)
    assert outcome.succeeded
    assert not outcome.traded
    assert outcome.tick_id is None
    assert "decision" not in {run.job for run in outcome.runs}
    assert table_digests(platform.ledger, sealed) == before


def test_days_that_have_not_closed_are_refused(opened: Opened) -> None:
    with pytest.raises(BadData, match=f"{OPEN_DAY} has not closed: the latest closed day is {LAST_DAY}"):
        run_daily(OPEN_DAY, quiet)
    with pytest.raises(BadData, match=f"--to {OPEN_DAY} has not closed"):
        run_backfill(FIRST_DAY, OPEN_DAY, quiet)
    with pytest.raises(BadData, match="swap them"):
        run_backfill(LAST_DAY, FIRST_DAY, quiet)


def test_a_failed_blocking_check_stops_its_downstream_and_trading(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    hole = Outage(start=f"{LAST_DAY}T10:00", minutes=120, symbol="ETHUSDT")
    market = MarketSettings(count=3, venue_outage_probability=0, symbol_outage_probability=0, outages=(hole,))
    clock = ClockSettings(start=f"{OPEN_DAY}T00:20:00", speed=0.0)
    folder = tmp_path_factory.mktemp("hole") / "home"
    with EmbeddedSandbox(SandboxSettings(market=market, clock=clock)) as exchange:
        home = make_home(folder, configuration({"sandbox": {"base_url": exchange.base_url}}))
        with home.instance() as (platform, instance):
            result = run_job(instance, "daily", partition_key=LAST_DAY.isoformat())
            assert not result.success
            failed = [item for item in result.get_asset_check_evaluations() if not item.passed]
            assert [(item.check_name, item.blocking) for item in failed] == [
                ("symbol_gaps", True),
                ("certified", True),
            ]
            made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
            assert made == {
                *("instruments", "universe", "klines"),
                *("reference_klines", "kline_gaps", "kline_certificates"),
            }
            assert platform.lake.days(KLINES) == [LAST_DAY]
            gaps = platform.lake.read(KLINE_GAPS, LAST_DAY)
            assert gaps.select("symbol", "missing_minutes", "kind").rows() == [
                ("ETHUSDT", 120, "source_defect")
            ]
            for interval in (Interval.M15, Interval.H1, Interval.H4, Interval.D1):
                assert platform.lake.days(BARS, interval) == []
                assert platform.lake.days(INDICATORS, interval) == []

            alone = decide(instance, at("00:00"))
            assert not alone.success
            assert f"klines of {LAST_DAY} fail symbol_gaps" in failure(alone)
            assert "nothing is traded on them" in failure(alone)
            for table in ("snapshots", "decisions", "orders"):
                assert rows(platform.ledger, f"select * from {table}") == []
