"""A partition is a pure function of its inputs: of nothing later, and of no other way to get there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from apps.sandbox.server import EmbeddedSandbox
from tests.instance import FIRST_DAY, LAST_DAY, OPEN_DAY, Home, at, run_job, twin

#: What the backfill of a range and the daily run of one day both make.
BACKFILLED = {
    "instruments",
    "universe",
    "klines",
    "reference_klines",
    "kline_gaps",
    "kline_certificates",
    "bars/interval=15m",
    "bars/interval=1h",
    "bars/interval=4h",
    "bars/interval=1d",
    "indicators/interval=15m",
    "indicators/interval=1h",
    "indicators/interval=4h",
    "indicators/interval=1d",
    "screener_ratings/interval=15m",
    "screener_ratings/interval=1h",
    "screener_ratings/interval=4h",
    "screener_ratings/interval=1d",
    "btc_condition",
    "fork_scores",
    "rating_kicks",
    "features",
}
DAILY = BACKFILLED | {"ml_confidence"}
#: What has no time of its own inside the day.
TIMELESS = {"instruments", "universe", "reference_klines", "kline_gaps", "kline_certificates"}
#: What records when things were done, and so is never made twice alike.
HISTORY = {"audit_anchors", "kline_versions"}


def partitions(home: Home, day: object) -> dict[str, Path]:
    lake = home.root / "var" / "lake"
    files = lake.glob(f"**/date={day}/data.parquet")
    found = {str(path.parent.parent.relative_to(lake)): path for path in files}
    return {name: path for name, path in found.items() if name not in HISTORY}


def contents(home: Home, day: object) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in partitions(home, day).items()}


def extend(home: Home, exchange: EmbeddedSandbox, clock: str) -> None:
    exchange.clock.set(at(clock))
    with home.instance() as (_, instance):
        assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success


@pytest.fixture(scope="module")
def noon(built: Home, exchange: EmbeddedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The open day's partitions at 12:00, extended from those of 00:20."""
    home = twin(built, tmp_path_factory.mktemp("noon") / "home", exchange)
    extend(home, exchange, "12:00")
    return home


@pytest.fixture(scope="module")
def evening(noon: Home, tmp_path_factory: pytest.TempPathFactory, exchange: EmbeddedSandbox) -> Home:
    """The same at 18:00, extended from those of 12:00."""
    home = twin(noon, tmp_path_factory.mktemp("evening") / "home", exchange)
    extend(home, exchange, "18:00")
    return home


def test_what_was_known_at_noon_is_the_same_in_the_evening(noon: Home, evening: Home) -> None:
    early, late = partitions(noon, OPEN_DAY), partitions(evening, OPEN_DAY)
    assert set(early) == set(late) == DAILY
    cut = pl.lit(at("12:00"))
    grown = set()
    for name in BACKFILLED - TIMELESS:
        known_at = pl.col("open_time").dt.epoch("ms") + 60_000
        if name != "klines":
            known_at = pl.col("close_time").dt.epoch("ms")
        before = pl.read_parquet(early[name], hive_partitioning=False)
        after = pl.read_parquet(late[name], hive_partitioning=False)
        assert before.filter(known_at > cut).is_empty(), f"{name} knows the future"
        assert after.filter(known_at <= cut).equals(before), name
        grown |= {name} if after.height > before.height else set()
    days = {name for name in BACKFILLED if name.endswith("=1d")}
    assert grown == BACKFILLED - TIMELESS - days
    for name in days:
        assert pl.read_parquet(late[name], hive_partitioning=False).is_empty(), "the day has not closed"


def test_extending_twice_equals_computing_at_once(
    built: Home, evening: Home, exchange: EmbeddedSandbox, tmp_path: Path
) -> None:
    direct = twin(built, tmp_path / "home", exchange)
    for path in partitions(direct, OPEN_DAY).values():
        path.unlink()
    extend(direct, exchange, "18:00")
    assert contents(direct, OPEN_DAY) == contents(evening, OPEN_DAY)


def test_the_final_day_does_not_remember_that_it_was_provisional(
    built: Home, evening: Home, exchange: EmbeddedSandbox, tmp_path: Path
) -> None:
    provisional = twin(evening, tmp_path / "provisional", exchange)
    direct = twin(built, tmp_path / "direct", exchange)
    for path in partitions(direct, OPEN_DAY).values():
        path.unlink()
    exchange.clock.set(at("00:20", OPEN_DAY + timedelta(days=1)))
    for home in (provisional, direct):
        with home.instance() as (_, instance):
            assert run_job(instance, "daily", partition_key=OPEN_DAY.isoformat()).success
    assert set(partitions(direct, OPEN_DAY)) == DAILY
    assert contents(provisional, OPEN_DAY) == contents(direct, OPEN_DAY)


def test_a_day_rebuilt_alone_equals_the_day_of_a_range(
    built: Home, exchange: EmbeddedSandbox, tmp_path: Path
) -> None:
    exchange.clock.set(at("00:20"))
    home = twin(built, tmp_path / "home", exchange)
    day = FIRST_DAY + timedelta(days=1)
    of_range = contents(home, day)
    assert set(of_range) == BACKFILLED, "built by the backfill of the first daily run"
    for path in partitions(home, day).values():
        path.unlink()
    with home.instance() as (_, instance):
        assert run_job(instance, "daily", partition_key=day.isoformat()).success
    alone = contents(home, day)
    assert {name: alone[name] for name in BACKFILLED} == of_range


def test_strategies_do_not_see_the_days_after_theirs(
    built: Home, evening: Home, exchange: EmbeddedSandbox, tmp_path: Path
) -> None:
    home = twin(evening, tmp_path / "home", exchange)
    (path,) = (home.root / "var" / "lake" / "strategies").glob(f"date={LAST_DAY}/data.parquet")
    before = path.read_bytes()
    assert 0 < pl.read_parquet(path).height <= 8
    path.unlink()
    with home.instance() as (_, instance):
        assert run_job(instance, "strategy_search", partition_key=LAST_DAY.isoformat()).success
    assert path.read_bytes() == before
