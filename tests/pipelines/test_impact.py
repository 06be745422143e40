"""What a late correction touches: days by look-back, what is older than it, and whom it misled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.cli.impact import impact as command
from pipelines.asset_nodes import nodes_of
from pipelines.impact import Impact, impact
from pipelines.live import defs as live
from pipelines.touched_results import MODEL
from trading.errors import BadData, FixConfiguration
from trading.model.decision import Action, Decision, Outcome
from trading.model.interval import Interval
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.research import FEATURE_ROWS, STRATEGIES
from warehouse.datasets.screening import INDICATORS
from warehouse.lake.lake import Lake, open_lake
from warehouse.ledger import decisions as decision_table
from warehouse.ledger.backend import Ledger, open_ledger
from warehouse.schema import Dataset

FIRST = date(2026, 1, 1)
DAYS = 20
DAILY = dg.DailyPartitionsDefinition("2025-01-01", end_date="2027-01-01")


def stub(dataset: Dataset, interval: Interval | None, lookback_days: int, *deps: str) -> dg.AssetsDefinition:
    """An asset of the graph's shape; only its declaration is read."""
    folder = f"{dataset.name}/interval={interval.value}" if interval else dataset.name

    @dg.asset(
        name=f"{dataset.name}_{interval.value}" if interval else dataset.name,
        deps=list(deps),
        partitions_def=DAILY,
        metadata={"dagster/table_name": f"lake.{folder}", "tidemill/lookback_days": lookback_days},
    )
    def declared() -> None:
        raise AssertionError("impact runs nothing")

    return declared


@dg.asset(name=MODEL.to_user_string(), deps=["features"], partitions_def=DAILY)
def model() -> None:
    raise AssertionError("impact runs nothing")


ASSETS = [
    stub(KLINES, None, 0),
    stub(BARS, Interval.H1, 0, "klines"),
    stub(BARS, Interval.H4, 0, "klines"),
    stub(INDICATORS, Interval.H1, 3, "bars_1h"),
    stub(INDICATORS, Interval.H4, 5, "bars_4h"),
    stub(FEATURE_ROWS, None, 2, "bars_1h", "indicators_1h"),
    model,
]
DEFS = dg.Definitions(assets=ASSETS)
STORED = (
    (KLINES, None),
    (BARS, Interval.H1),
    (BARS, Interval.H4),
    (INDICATORS, Interval.H1),
    (INDICATORS, Interval.H4),
    (FEATURE_ROWS, None),
)
NAMES = [f"{dataset.name}_{interval.value}" if interval else dataset.name for dataset, interval in STORED]
PARENTS = {
    "klines": [],
    "bars_1h": ["klines"],
    "bars_4h": ["klines"],
    "indicators_1h": ["bars_1h"],
    "indicators_4h": ["bars_4h"],
    "features": ["bars_1h", "indicators_1h"],
}
LOOKBACK = {"indicators_1h": 3, "indicators_4h": 5, "features": 2}


def days(count: int = DAYS) -> list[date]:
    return [FIRST + timedelta(days=offset) for offset in range(count)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = open_lake(str(tmp_path_factory.mktemp("impact") / "lake"))
    for dataset, interval in STORED:
        for day in days():
            lake.write(dataset, day, pl.DataFrame(schema=dataset.schema), interval)
    return lake


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = open_ledger(f"duckdb:///{tmp_path_factory.mktemp('ledger') / 'ledger.duckdb'}")
    ledger.migrate()
    yield ledger
    ledger.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def make(instance: dg.DagsterInstance, name: str, *made: date, **metadata: object) -> None:
    for day in made:
        event = dg.AssetMaterialization(name, partition=day.isoformat(), metadata=metadata)
        instance.report_runless_asset_event(event)


def make_all(instance: dg.DagsterInstance) -> None:
    for name in NAMES:
        make(instance, name, *days())


def assessed(instance: dg.DagsterInstance, lake: Lake, ledger: Ledger, name: str, day: date) -> Impact:
    return impact(name, day, defs=DEFS, instance=instance, lake=lake, ledger=ledger)


def test_look_backs_add_up_along_the_longest_way(instance, lake, ledger):
    make_all(instance)
    day = FIRST + timedelta(days=4)
    make(instance, "klines", day)
    found = assessed(instance, lake, ledger, "klines", day)
    spans = {item.asset: (item.first_day, item.days, item.stale, item.rebuilt) for item in found.assets}
    assert spans == {
        "klines": (day, 1, 0, 0),
        "bars_1h": (day, 1, 1, 0),
        "bars_4h": (day, 1, 1, 0),
        "indicators_1h": (day, 4, 4, 0),
        "indicators_4h": (day, 6, 6, 0),
        "features": (day, 6, 6, 0),
        "confidence_model": (None, 0, 0, 0),
    }
    assert found.stale == 18
    assert found.last_day == day + timedelta(days=5)
    assert found.command == "tidemill backfill --from 2026-01-05 --to 2026-01-10"
    assert found.corrected_at is not None


def test_only_stored_days_are_touched(instance, lake, ledger):
    day = days()[-2]
    found = assessed(instance, lake, ledger, "klines", day)
    assert {item.asset: item.days for item in found.assets}["features"] == 2
    assert found.last_day == days()[-1]


def test_what_dagster_has_not_seen_made_is_said(instance, lake, ledger):
    found = assessed(instance, lake, ledger, "klines", FIRST)
    assert found.corrected_at is None
    assert found.stale == 0
    assert {item.asset: item.unrecorded for item in found.assets}["indicators_4h"] == 6


def test_what_was_rebuilt_is_no_longer_stale(instance, lake, ledger):
    make_all(instance)
    day = FIRST + timedelta(days=2)
    for name in NAMES:
        make(instance, name, *(other for other in days() if day <= other <= day + timedelta(days=5)))
    found = assessed(instance, lake, ledger, "klines", day)
    assert found.stale == 0
    assert {item.asset: item.rebuilt for item in found.assets}["features"] == 6


def test_what_was_built_on_something_stale_is_stale_itself(instance, lake, ledger):
    """Indicators built after the correction, but before the bars were: they read the old bars."""
    make_all(instance)
    day = FIRST + timedelta(days=2)
    span = [day + timedelta(days=offset) for offset in range(6)]
    make(instance, "klines", day)
    make(instance, "indicators_1h", *span)
    make(instance, "features", *span)
    before = {item.asset: item for item in assessed(instance, lake, ledger, "klines", day).assets}
    assert (before["indicators_1h"].stale, before["indicators_1h"].rebuilt) == (4, 0)
    assert before["features"].stale == 6
    make(instance, "bars_1h", day)
    after = {item.asset: item for item in assessed(instance, lake, ledger, "klines", day).assets}
    assert (after["bars_1h"].stale, after["indicators_1h"].stale, after["features"].stale) == (0, 4, 6)
    make(instance, "indicators_1h", *span)
    make(instance, "features", *span[:2])
    last = {item.asset: item for item in assessed(instance, lake, ledger, "klines", day).assets}
    assert (last["indicators_1h"].stale, last["features"].stale, last["features"].rebuilt) == (0, 4, 2)


def naive(made: dict[tuple[str, date], int], day: date) -> dict[str, tuple[int, int, int]]:
    """Stale, rebuilt and unknown by the definition, partition by partition."""
    reach = {"klines": 0}
    for name in NAMES[1:]:
        reach[name] = LOOKBACK.get(name, 0) + max(reach[parent] for parent in PARENTS[name])
    touched = {
        name: [other for other in days() if day <= other <= day + timedelta(days=reach[name])]
        for name in NAMES
    }

    def read(name: str, other: date) -> list[tuple[str, date]]:
        earliest = other - timedelta(days=LOOKBACK.get(name, 0))
        return [
            (parent, source)
            for parent in PARENTS[name]
            for source in touched[parent]
            if earliest <= source <= other
        ]

    def state(name: str, other: date) -> str:
        own = made.get((name, other), 0)
        sources = [(made.get(source, 0), state(*source)) for source in read(name, other)]
        if own and any(own < newer or how == "stale" for newer, how in sources):
            return "stale"
        return "rebuilt" if own and all(how == "rebuilt" for _, how in sources) else "unknown"

    found = {name: [state(name, other) for other in touched[name]] for name in NAMES[1:]}
    return {
        name: (states.count("stale"), states.count("rebuilt"), states.count("unknown"))
        for name, states in found.items()
    }


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9)), min_size=1, max_size=60), st.integers(0, 9)
)
def test_stale_and_rebuilt_agree_with_the_definition(lake, ledger, runs, corrected):
    made: dict[tuple[str, date], int] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for number, (name, offset) in enumerate(runs, 1):
            day = FIRST + timedelta(days=offset)
            make(instance, name, day)
            made[name, day] = number
        day = FIRST + timedelta(days=corrected)
        found = assessed(instance, lake, ledger, "klines", day)
    told = {item.asset: (item.stale, item.rebuilt, item.unrecorded) for item in found.assets}
    expected = naive(made, day)
    assert {name: told[name] for name in expected} == expected


def test_an_asset_or_a_whole_dataset_may_be_named(instance, lake, ledger):
    one = assessed(instance, lake, ledger, "bars_1h", FIRST)
    assert [item.asset for item in one.assets if item.days] == ["bars_1h", "indicators_1h", "features"]
    both = assessed(instance, lake, ledger, "bars", FIRST)
    assert {item.asset for item in both.assets if item.lookback_days == 0} == {
        "bars_1h",
        "bars_4h",
        "confidence_model",
    }


def test_an_unknown_name_or_day_gives_the_nearest(instance, lake, ledger):
    with pytest.raises(FixConfiguration, match="no asset makes dataset 'kline'; the nearest are klines"):
        assessed(instance, lake, ledger, "kline", FIRST)
    with pytest.raises(FixConfiguration, match="no asset makes dataset 'xyz'; there are bars, bars_1h"):
        assessed(instance, lake, ledger, "xyz", FIRST)
    with pytest.raises(BadData, match="2025-12-30 is not stored; the nearest is 2026-01-01"):
        assessed(instance, lake, ledger, "klines", date(2025, 12, 30))
    empty = open_lake(lake.store.uri("nowhere"))
    with pytest.raises(BadData, match="nothing is; fill the lake with tidemill run daily"):
        assessed(instance, empty, ledger, "klines", FIRST)


def test_a_hole_names_both_neighbours(instance, ledger, tmp_path):
    lake = open_lake(str(tmp_path))
    for day in (FIRST, FIRST + timedelta(days=5)):
        lake.write(KLINES, day, pl.DataFrame(schema=KLINES.schema))
    with pytest.raises(BadData, match="the nearest stored are 2026-01-01 and 2026-01-06"):
        assessed(instance, lake, ledger, "klines", FIRST + timedelta(days=2))


def slices(first: date, last: date) -> dg.JsonMetadataValue:
    """As the training reports them: three slices in time order."""
    middle = first + (last - first) / 2
    spans = {"train": (first, middle), "calibration": (middle, middle), "test": (middle, last)}
    return dg.MetadataValue.json(
        {
            name: {"rows": 1, "first": f"{a}T01:00:00+00:00", "last": f"{b}T00:00:00+00:00"}
            for name, (a, b) in spans.items()
        }
    )


def test_models_whose_data_holds_a_touched_day(instance, lake, ledger):
    name = MODEL.to_user_string()
    eve = FIRST - timedelta(days=1)
    make(instance, name, eve, version="1", promoted=True, slices=slices(date(2025, 11, 1), eve))
    span = slices(FIRST + timedelta(days=8), FIRST + timedelta(days=12))
    make(instance, name, FIRST + timedelta(days=12), version="2", promoted=False, slices=span)
    make(instance, name, FIRST + timedelta(days=13), promoted=False, reason="too few rows")
    # Features read five days back in all: a correction of the fourth day is in those of the ninth.
    in_both = assessed(instance, lake, ledger, "klines", FIRST + timedelta(days=3))
    assert [(item.version, item.promoted) for item in in_both.models] == [("2", False)]
    before = assessed(instance, lake, ledger, "klines", FIRST + timedelta(days=2))
    assert before.models == ()
    told = "the first model saw nothing of the first of January"
    assert assessed(instance, lake, ledger, "klines", FIRST).models == (), told


def backtested(
    lake: Lake, day: date, timeframe: str, *, window_days: int = 3, status: str = "rejected"
) -> None:
    """A day with one strategy, whose genome is named by its timeframe alone."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    row = {
        **{column.name: None if column.nullable else "" for column in STRATEGIES.columns},
        "strategy_id": f"{day}{timeframe}",
        "status": status,
        "genome": json.dumps({"timeframe": timeframe}, separators=(",", ":")) if timeframe else "",
        "trades": 1,
        "liquidations": 0,
        "trials": 2,
        "window_start": end - timedelta(days=window_days),
        "window_end": end,
    }
    rows = pl.DataFrame([row], schema=STRATEGIES.schema)
    if lake.info(STRATEGIES, day) is not None:
        rows = pl.concat([lake.read(STRATEGIES, day), rows])
    lake.write(STRATEGIES, day, rows)


SEARCHED = dg.Definitions(
    assets=[
        stub(KLINES, None, 0),
        stub(BARS, Interval.M15, 0, "klines"),
        stub(BARS, Interval.H1, 0, "klines"),
        stub(STRATEGIES, None, 0, "bars_15m"),
    ]
)


@pytest.fixture
def searched_lake(tmp_path) -> Lake:
    lake = open_lake(str(tmp_path))
    for dataset, interval in ((KLINES, None), (BARS, Interval.M15), (BARS, Interval.H1)):
        lake.write(dataset, FIRST, pl.DataFrame(schema=dataset.schema), interval)
    return lake


def test_back_tests_count_whose_window_or_warm_up_has_the_day(instance, ledger, searched_lake):
    """1,512 bars settle a genome's columns: 15.75 days of 15 minutes, 63 of an hour, 252 of four hours."""
    for window_first in (FIRST - timedelta(days=2), FIRST + timedelta(days=15), FIRST + timedelta(days=63)):
        # An opening at midnight less 15.75 days lies on the sixteenth day before.
        for shift in (0, 1, 2):
            for timeframe in ("15m", "1h"):
                backtested(searched_lake, window_first + timedelta(days=shift + 2), timeframe, status="paper")
    found = impact("klines", FIRST, defs=SEARCHED, instance=instance, lake=searched_lake, ledger=ledger)
    told = {item.day - timedelta(days=2): (item.strategies, item.on_paper) for item in found.strategies}
    both, slower = (2, 2), (1, 1)
    assert told == {
        FIRST - timedelta(days=2): both,
        FIRST - timedelta(days=1): both,
        FIRST: both,
        FIRST + timedelta(days=15): both,
        FIRST + timedelta(days=16): both,
        FIRST + timedelta(days=17): slower,
        FIRST + timedelta(days=63): slower,
    }


def test_a_strategy_of_unknown_speed_counts_as_the_slowest(instance, ledger, searched_lake):
    for days_after in (252, 253):
        backtested(searched_lake, FIRST + timedelta(days=days_after + 2), "")
    found = impact("klines", FIRST, defs=SEARCHED, instance=instance, lake=searched_lake, ledger=ledger)
    assert [item.day for item in found.strategies] == [FIRST + timedelta(days=254)]


def test_a_window_that_ended_before_the_day_is_untouched(instance, ledger, searched_lake):
    backtested(searched_lake, FIRST - timedelta(days=1), "4h")
    found = impact("klines", FIRST, defs=SEARCHED, instance=instance, lake=searched_lake, ledger=ledger)
    assert found.strategies == ()


def test_what_back_tests_do_not_read_touches_none(instance, ledger, searched_lake):
    backtested(searched_lake, FIRST, "1h")
    found = impact("bars_1h", FIRST, defs=SEARCHED, instance=instance, lake=searched_lake, ledger=ledger)
    assert found.strategies == ()


def decision(number: int, close: datetime, outcome: Outcome) -> Decision:
    return Decision(
        decision_id=f"{number:032x}",
        tick_id="t",
        snapshot_id="s",
        desk="fork",
        strategy_id="",
        symbol="BTCUSDT",
        action=Action.ENTER,
        outcome=outcome,
        reason_code="test",
        bar_close_ms=int(close.timestamp() * 1000),
        quote_amount=Decimal(1),
        reference_price=1.0,
        checks=(),
        inputs={},
    )


def test_decisions_are_counted_by_the_day_of_their_bar(instance, lake, tmp_path):
    ledger = open_ledger(f"duckdb:///{tmp_path / 'ledger.duckdb'}")
    ledger.migrate()
    start = datetime(2026, 1, 3, tzinfo=UTC)
    closes = [
        (start, Outcome.FIRED),  # the last bar of the second of January
        (start + timedelta(minutes=15), Outcome.FIRED),
        (start + timedelta(hours=24), Outcome.SKIPPED),  # midnight: still the third's
        (start + timedelta(hours=25), Outcome.SKIPPED),
        (start + timedelta(days=9), Outcome.FIRED),
    ]
    with ledger.transaction() as tx:
        decision_table.record(tx, [decision(n, *item) for n, item in enumerate(closes)], 0)
    found = assessed(instance, lake, ledger, "klines", date(2026, 1, 3))
    assert [(item.day, item.decisions, item.fired) for item in found.decisions] == [
        (date(2026, 1, 3), 2, 1),
        (date(2026, 1, 4), 1, 0),
    ]
    ledger.close()


def test_the_command_prints_tables_and_json(lake, tmp_path: Path, monkeypatch, capsys):
    """On the real graph: every asset downstream of the klines is in it."""
    (tmp_path / "config").mkdir()
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (tmp_path / "config" / "tidemill.yaml").write_text(f"lake:\n  uri: {lake.store.uri('')}\n")
    for name in ("TIDEMILL_CONFIG", "TIDEMILL_LEDGER_URL", "TIDEMILL_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    command("klines", "2026-01-05", as_json=True)
    told = json.loads(capsys.readouterr().out)
    named = [item["asset"] for item in told["impact"]["assets"]]
    assert {"bars_15m", "indicators_1d", "screener_ratings_1h", "features", "ml_confidence"} <= set(named)
    assert named == [name for name in map(dg.AssetKey.to_user_string, nodes_of(live)) if name in named]
    assert told["stale"] == 0
    command("klines", "2026-01-05")
    shown = capsys.readouterr().out
    assert "klines of 2026-01-05 (no run on record)" in shown
    assert (
        shown.rstrip()
        .splitlines()[-1]
        .startswith("To rebuild it all the same: tidemill backfill --from 2026-01-05 --to ")
    )
