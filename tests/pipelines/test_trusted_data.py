"""Market data that carries its own proof, end to end: archive, repair, corrections, a second venue, perpetuals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ArchiveFault, ClockSettings, FaultSettings, SandboxSettings
from pipelines.impact import impact
from pipelines.live import defs
from resources.known import klines_known_at
from resources.platform import PlatformResource
from sensors.alerts import alert_on_revised_klines
from tests.instance import OPEN_DAY, Home, at, configuration, failure, make_home, rows, run_job
from trading.errors import BadData
from trading.simulation.settings import MarketSettings
from warehouse.datasets.catalogue import BY_NAME
from warehouse.datasets.certificates import KLINE_CERTIFICATES, KLINE_GAPS, KLINE_REPAIRS, KLINE_REVISIONS
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import KLINES

LAST = OPEN_DAY - timedelta(days=1)
BEFORE = OPEN_DAY - timedelta(days=2)
FIRST = OPEN_DAY - timedelta(days=3)
#: The archive of a day is out ten hours after its end.
PUBLISHED_MINUTES = 600


def files(symbol: str, day: date) -> str:
    return f"data/spot/daily/klines/{symbol}/1m/{symbol}-1m-{day}.zip"


FAULTS = (
    ArchiveFault("missing_minutes", files("ETHUSDT", BEFORE), minutes=3),
    ArchiveFault("bad_checksum", files("SOLUSDT", BEFORE)),
    ArchiveFault("provisional", files("BTCUSDT", LAST), minutes=4),
    ArchiveFault("corrected", files("BTCUSDT", BEFORE), minutes=2, after=f"{OPEN_DAY}T12:00:00"),
)


@pytest.fixture(scope="module")
def venue() -> Iterator[EmbeddedSandbox]:
    market = MarketSettings(
        symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT", "XLMUSDT"),
        venue_outage_probability=0,
        symbol_outage_probability=0,
        late_listing_days=0,
    )
    settings = SandboxSettings(
        market=market,
        clock=ClockSettings(start=f"{OPEN_DAY}T00:20:00", speed=0.0),
        faults=FaultSettings(archive=FAULTS, seed=7),
        archive_delay_minutes=PUBLISHED_MINUTES,
    )
    with EmbeddedSandbox(settings) as sandbox:
        yield sandbox


def span(first: date, last: date) -> dict[str, str]:
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


@pytest.fixture(scope="module")
def stored(venue: EmbeddedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose last three closed days were fetched at 00:20. Copy it; never write to it."""
    market = {
        "sandbox": {"base_url": venue.base_url, "archive": True},
        "second_source": "coinbase",
        "futures": True,
    }
    home = make_home(tmp_path_factory.mktemp("trusted") / "home", configuration(market))
    venue.clock.set(at("00:20"))
    with home.instance() as (_, instance):
        done = run_job(instance, "backfill", tags=span(FIRST, LAST))
        assert done.success, failure(done)
        (home.root / "cursor").write_text(look(instance, None))  # the daemon's first look
    return home


def look(instance: dg.DagsterInstance, cursor: str | None) -> str:
    """One tick of the sensor, as the daemon makes it; returns its new cursor."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = alert_on_revised_klines(context, platform=PlatformResource())
    assert isinstance(result, dg.SensorResult)
    return str(result.cursor)


@pytest.fixture
def home(stored: Home, tmp_path: Path) -> Home:
    shutil.copytree(stored.root, tmp_path / "home")
    return Home(tmp_path / "home")


def certificates(home: Home, day: date) -> dict[str, dict[str, object]]:
    with home.entered() as platform:
        return {row["symbol"]: row for row in platform.lake.read(KLINE_CERTIFICATES, day).to_dicts()}


def test_a_certificate_tells_where_every_minute_came_from(stored: Home) -> None:
    found = certificates(stored, BEFORE)
    assert {symbol: row["status"] for symbol, row in found.items()} == dict.fromkeys(found, "certified")
    assert {symbol: row["observed"] for symbol, row in found.items()} == dict.fromkeys(found, 1440)
    sources = {symbol: json.loads(str(row["sources"])) for symbol, row in found.items()}
    assert sources == {
        "BTCUSDT": {"archive": 1440},
        "ETHUSDT": {"archive": 1437, "sandbox": 3},  # holes of the archive, from the REST interface
        "SOLUSDT": {"sandbox": 1440},  # its file contradicts its checksum
        "XLMUSDT": {"archive": 1440},
    }
    assert {symbol: row["repaired"] for symbol, row in found.items()} == {
        "BTCUSDT": 0,
        "ETHUSDT": 3,
        "SOLUSDT": 1440,
        "XLMUSDT": 0,
    }
    assert {symbol: row["files"] for symbol, row in found.items()} == {
        "BTCUSDT": 1,
        "ETHUSDT": 1,
        "SOLUSDT": 0,
        "XLMUSDT": 1,
    }
    with stored.entered() as platform:
        asked = platform.lake.read(KLINE_REPAIRS, BEFORE)
        assert asked.group_by("symbol").agg(pl.col("found").sum()).sort("symbol").rows() == [
            ("ETHUSDT", 3),
            ("SOLUSDT", 1440),
        ]
        assert platform.lake.read(KLINE_GAPS, BEFORE).is_empty()


def test_two_venues_agree_on_the_coins_that_both_have(stored: Home) -> None:
    found = certificates(stored, BEFORE)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert found[symbol]["second_source"] == "coinbase"
        assert float(str(found[symbol]["agreement"])) > 0.99
        assert int(str(found[symbol]["compared"])) > 1000
    assert found["XLMUSDT"]["second_source"] is None


def test_what_the_archive_says_otherwise_is_recorded_and_alerted(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("10:30"))
    with home.instance() as (platform, instance):
        before = platform.lake.read(KLINES, LAST)
        assert set(before["source"]) == {"sandbox"}, "the archive was not out at 00:20"
        done = run_job(instance, "finalise", partition_key=LAST.isoformat())
        assert done.success, failure(done)
        checks = {item.check_name: item for item in done.get_asset_check_evaluations()}
        assert not checks["provisional_agrees"].passed
        assert checks["provisional_agrees"].severity is dg.AssetCheckSeverity.WARN
        after = platform.lake.read(KLINES, LAST)
        assert set(after["source"]) == {"archive"}
        revisions = platform.lake.read(KLINE_REVISIONS, LAST)
        assert revisions["symbol"].to_list() == ["BTCUSDT"] * 4
        prices = ["symbol", "open_time", "open", "high", "low", "close", "volume"]
        earlier = klines_known_at(platform.lake, LAST, LAST, at("10:00"))
        assert earlier.select(prices).equals(before.select(prices))
        look(instance, look(instance, (home.root / "cursor").read_text()))  # the second finds nothing new
        alerts = rows(platform.ledger, "select title, body from alerts")
        assert [row["title"] for row in alerts] == ["4 klines of 1 day(s) were corrected"]
        assert f"tidemill impact klines {LAST}" in alerts[0]["body"]


def test_a_late_correction_names_what_it_touches(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("12:30"))
    with home.instance() as (platform, instance):
        before = platform.lake.read(KLINES, BEFORE).filter(pl.col("symbol") == "BTCUSDT")
        done = run_job(instance, "finalise", partition_key=BEFORE.isoformat())
        assert done.success, failure(done)
        after = platform.lake.read(KLINES, BEFORE).filter(pl.col("symbol") == "BTCUSDT")
        assert (before["close"] != after["close"]).sum() == 2
        assert after.filter(pl.col("known_at").dt.epoch("ms") == at("12:30")).height == 2
        assert certificates(home, BEFORE)["BTCUSDT"]["revised"] == 2
        found = impact(
            "klines", BEFORE, defs=defs, instance=instance, lake=platform.lake, ledger=platform.ledger
        )
        touched = {item.asset: item for item in found.assets}
        assert touched["bars_15m"].stale == 1
        assert touched["indicators_15m"].stale == 2, "the day itself and the one that looks back on it"
        assert found.command == f"tidemill backfill --from {BEFORE} --to {LAST}"


def test_bars_alone_refuse_klines_that_are_not_certified(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("00:20"))
    with home.instance() as (_, instance):
        (home.root / "var" / "lake" / KLINE_CERTIFICATES.name / f"date={LAST}" / "data.parquet").unlink()
        done = run_job(
            instance,
            "daily",
            partition_key=LAST.isoformat(),
            asset_selection=[dg.AssetKey("bars_15m")],
        )
        assert not done.success
        assert f"klines of {LAST} are not certified: there is no certificate" in failure(done)
        assert f"tidemill backfill --from {LAST} --to {LAST}" in failure(done)


def test_the_universe_of_a_day_stays_as_it_was_chosen(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("00:20"))

    def choose(instance: dg.DagsterInstance, **config: object) -> None:
        done = run_job(
            instance,
            "daily",
            partition_key=LAST.isoformat(),
            asset_selection=[dg.AssetKey("universe")],
            run_config={"ops": {"universe": {"config": config}}},
        )
        assert done.success, failure(done)

    with home.instance() as (platform, _):
        before = platform.lake.read(UNIVERSE, LAST)
        assert set(before.filter("followed")["symbol"]) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XLMUSDT"}
    home.configure(universe={"min_quote_volume_24h": 1e12})
    with home.instance() as (platform, instance):
        choose(instance)
        assert platform.lake.read(UNIVERSE, LAST).equals(before)
        choose(instance, choose_again=True)
        again = platform.lake.read(UNIVERSE, LAST)
        assert again.filter("followed")["symbol"].to_list() == ["BTCUSDT"]
        assert again.filter(pl.col("symbol") == "ETHUSDT")["reason"].to_list() == ["low_volume"]


def test_perpetuals_of_the_universe_are_followed(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("12:00"))
    with home.instance() as (platform, instance):
        done = run_job(instance, "futures", tags=span(BEFORE, LAST))
        assert done.success, failure(done)
        contracts = {"BTCUSDT", "ETHUSDT", "SOLUSDT", "1000XLMUSDT"}
        for name in ("usdm_klines", "mark_klines", "index_klines", "premium_klines"):
            frame = platform.lake.read(BY_NAME[name], LAST)
            assert set(frame["symbol"]) == contracts, name
            assert frame.height == 4 * 1440
            assert set(frame["source"]) == {"archive"}
        mark = platform.lake.read(BY_NAME["mark_klines"], LAST)
        spot = platform.lake.read(KLINES, LAST).filter(pl.col("symbol") == "XLMUSDT")
        ratio = mark.filter(pl.col("symbol") == "1000XLMUSDT")["close"] / spot["close"]
        assert ratio.mean() == pytest.approx(1000, rel=0.01)
        funding = platform.lake.read(BY_NAME["funding_rates"], LAST)
        assert set(funding.filter(pl.col("symbol") == "BTCUSDT")["interval_hours"]) == {8}
        interest = platform.lake.read(BY_NAME["open_interest"], LAST)
        assert interest.filter(pl.col("symbol") == "BTCUSDT").height == 288
        master = platform.lake.read(INSTRUMENTS, LAST)
        row = master.filter((pl.col("market") == "usdm") & (pl.col("symbol") == "1000XLMUSDT")).row(
            0, named=True
        )
        assert (row["underlying"], row["multiplier"]) == ("XLM", 1000)
        proven = platform.lake.read(BY_NAME["futures_certificates"], LAST)
        assert set(proven["status"]) == {"certified"}
        entries = {(item["series"], item["symbol"]): item for item in proven.iter_rows(named=True)}
        assert len(entries) == 6 * len(contracts)
        expected = {"usdm_klines": 1440, "mark_klines": 1440, "open_interest": 288, "funding_rates": 3}
        for series, count in expected.items():
            certificate = entries[series, "BTCUSDT"]
            assert (certificate["expected"], certificate["observed"]) == (count, count), series
        assert entries["usdm_klines", "BTCUSDT"]["files"] == 1
        assert platform.futures_judge.require_certified(BY_NAME["mark_klines"], LAST).equals(mark)
        platform.lake.write(BY_NAME["mark_klines"], LAST, mark.filter(pl.col("symbol") != "BTCUSDT"))
        with pytest.raises(BadData, match="mark_klines of .* is not certified: .*backfill --futures"):
            platform.futures_judge.require_certified(BY_NAME["mark_klines"], LAST)
        cursor = look(instance, (home.root / "cursor").read_text())
        again = run_job(instance, "futures", partition_key=LAST.isoformat())
        assert again.success, failure(again)
        facts = pl.exclude("partition_sha256")
        certified = platform.lake.read(BY_NAME["futures_certificates"], LAST)
        assert certified.select(facts).equals(proven.select(facts))
        found = platform.lake.read(BY_NAME["mark_klines"], LAST)
        values = pl.exclude("known_at")
        assert found.select(values).equals(mark.select(values))
        lost = found.filter(pl.col("symbol") == "BTCUSDT")
        assert lost["known_at"].dt.epoch("ms").unique().to_list() == [at("12:00")], "they came late"
        checks = {item.asset_key.to_user_string(): item for item in again.get_asset_check_evaluations()}
        assert not checks["mark_klines"].passed
        assert checks["index_klines"].passed
        look(instance, look(instance, cursor))  # the second finds nothing new
        alerts = rows(platform.ledger, "select title, body from alerts")
        assert [row["title"] for row in alerts] == ["1440 rows of mark_klines of 1 day(s) were corrected"]
        assert f"tidemill impact mark_klines {LAST}" in alerts[0]["body"]
        touched = impact(
            "mark_klines", LAST, defs=defs, instance=instance, lake=platform.lake, ledger=platform.ledger
        )
        assert touched.command == f"tidemill backfill --futures --from {LAST} --to {LAST}"
        assert "futures_certificates" in {item.asset for item in touched.assets}


def test_futures_that_are_switched_off_are_no_empty_market(home: Home, venue: EmbeddedSandbox) -> None:
    venue.clock.set(at("12:00"))
    home.configure(market_data={"source": "sandbox", "sandbox": {"base_url": venue.base_url}})
    with home.instance() as (_, instance):
        done = run_job(instance, "futures", partition_key=LAST.isoformat())
        assert not done.success
        assert "market_data.futures is false" in failure(done)
