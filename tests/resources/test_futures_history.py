"""Every series of perpetuals keeps what it replaced: reads as of a moment see what was believed then."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.history import History, Update
from resources.known import futures_known_at
from trading.bars.revisions import as_known, merge, remembered
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from warehouse import views
from warehouse.datasets.futures import FUNDING_RATES, MARK_KLINES, OPEN_INTEREST
from warehouse.datasets.futures_certificates import CERTIFIED_SERIES
from warehouse.datasets.futures_history import FUTURES_REVISIONS, FUTURES_VERSIONS, SUBJECTS
from warehouse.lake.lake import Lake, open_lake
from warehouse.schema import Dataset

DAY = date(2026, 1, 3)
START, END = start_ms(DAY), end_ms(DAY)
HOUR_MS = 60 * MINUTE_MS
EVERY_SERIES = pytest.mark.parametrize("dataset", CERTIFIED_SERIES, ids=lambda dataset: dataset.name)


def rows(dataset: Dataset, values: dict[tuple[str, int], float], source: str = "binance") -> pl.DataFrame:
    """Rows of hours of the day, with one number as every value of theirs."""
    subject = SUBJECTS[dataset.name]
    moments = [START + hour * HOUR_MS for _, hour in values]
    numbers = {name: list(values.values()) for name in subject.values}
    frame = pl.DataFrame(
        {
            "symbol": [symbol for symbol, _ in values],
            subject.time: moments,
            **numbers,
            **{name: [8] * len(values) for name in subject.details},
            "source": [source] * len(values),
            "known_at": [moment + 1 for moment in moments],
        },
        strict=False,
    )
    return frame.select(pl.col(name).cast(kind) for name, kind in dataset.schema.items()).sort(dataset.key)


def store(lake: Lake, dataset: Dataset, fresh: pl.DataFrame, now_ms: int) -> Update:
    """What the asset does with a day of one series."""
    history = History(lake, dataset)
    update = history.update(DAY, fresh, now_ms=now_ms, source="binance")
    history.record(DAY, update, lake.write(dataset, DAY, update.rows), "binance")
    return update


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


@EVERY_SERIES
def test_a_correction_stays_readable_in_python_and_in_sql(lake: Lake, dataset: Dataset) -> None:
    value = SUBJECTS[dataset.name].values[0]
    store(lake, dataset, rows(dataset, {("A", 1): 1.0, ("B", 1): 5.0}), START + 2 * HOUR_MS)
    provisional = lake.info(dataset, DAY)
    day = {("A", 1): 2.0, ("A", 2): 3.0, ("B", 1): 5.0, ("B", 0): 4.0}
    found = store(lake, dataset, rows(dataset, day, "archive"), END + 7)
    assert (found.changed, found.late, found.compared, found.final) == (1, 1, True, True)
    versions = History(lake, dataset).versions(DAY)
    assert versions.select("version", "sha256", "final", "changed", "late").rows() == [
        (1, provisional.sha256, False, 0, 0),
        (2, lake.info(dataset, DAY).sha256, True, 1, 1),
    ]
    assert lake.read(FUTURES_VERSIONS, DAY)["series"].unique().to_list() == [dataset.name]
    gone = lake.read(FUTURES_REVISIONS, DAY).row(0, named=True)
    assert (gone["series"], gone["symbol"], gone[value], gone["replaced_by"]) == (
        dataset.name,
        "A",
        1.0,
        "archive",
    )
    believed = {
        START + HOUR_MS: [],
        START + HOUR_MS + 1: [1.0, 5.0],
        START + 2 * HOUR_MS + 1: [1.0, 3.0, 5.0],
        END + 6: [1.0, 3.0, 5.0],
        END + 7: [2.0, 3.0, 4.0, 5.0],
    }
    for moment, values in believed.items():
        known = futures_known_at(lake, dataset, DAY, DAY, moment)
        assert known.schema == pl.Schema(dataset.schema)
        assert known[value].to_list() == values, moment
        sql = f"select {value} from {dataset.name}_known_at(to_timestamp({moment / 1000})) order by 1"
        assert views.query(lake, sql, 10)[value].to_list() == values, moment


def test_series_of_a_day_keep_their_revisions_apart(lake: Lake) -> None:
    for dataset in (MARK_KLINES, FUNDING_RATES, OPEN_INTEREST):
        store(lake, dataset, rows(dataset, {("A", 0): 1.0}), END + 1)
    for dataset in (FUNDING_RATES, MARK_KLINES):
        store(lake, dataset, rows(dataset, {("A", 0): 2.0}), END + 2)
    assert lake.read(FUTURES_REVISIONS, DAY)["series"].to_list() == ["funding_rates", "mark_klines"]
    assert History(lake, MARK_KLINES).revisions(DAY, DAY)["close"].to_list() == [1.0]
    assert History(lake, FUNDING_RATES).revisions(DAY, DAY)["interval_hours"].to_list() == [8]
    assert History(lake, OPEN_INTEREST).revisions(DAY, DAY).is_empty()
    assert [History(lake, d).versions(DAY).height for d in (MARK_KLINES, FUNDING_RATES, OPEN_INTEREST)] == [
        2,
        2,
        1,
    ]


@EVERY_SERIES
def test_fetching_a_day_again_leaves_every_byte_as_it_is(lake: Lake, dataset: Dataset) -> None:
    fresh = rows(dataset, {("A", 0): 1.0, ("B", 3): 2.0})
    store(lake, dataset, fresh, END + 1)
    before = [lake.info(kept, DAY) for kept in (dataset, FUTURES_VERSIONS)]
    again = store(lake, dataset, fresh, END + 9)
    assert (again.revised, again.compared) == (0, True)
    assert [lake.info(kept, DAY) for kept in (dataset, FUTURES_VERSIONS)] == before
    assert lake.info(FUTURES_REVISIONS, DAY) is None


def test_the_interval_of_a_payment_may_be_told_later_without_correcting_it(lake: Lake) -> None:
    told = rows(FUNDING_RATES, {("A", 0): 0.0001})
    untold = told.with_columns(pl.lit(None, pl.Int64).alias("interval_hours"))
    store(lake, FUNDING_RATES, untold, END + 1)
    found = store(lake, FUNDING_RATES, told, END + 2)
    assert (found.revised, found.rows["interval_hours"].to_list()) == (0, [8])
    assert found.rows["known_at"].equals(untold["known_at"])


def test_a_run_killed_before_it_stored_the_rows_records_one_span(lake: Lake) -> None:
    store(lake, MARK_KLINES, rows(MARK_KLINES, {("A", 0): 1.0}), START + HOUR_MS)
    history = History(lake, MARK_KLINES)
    corrected = rows(MARK_KLINES, {("A", 0): 2.0})
    history.update(DAY, corrected, now_ms=END + 1, source="binance")  # killed here
    store(lake, MARK_KLINES, corrected, END + 5)
    assert history.revisions(DAY, DAY)["known_until"].dt.epoch("ms").to_list() == [END + 5]
    assert history.versions(DAY)["final"].to_list() == [False, True]


def test_a_partition_in_the_columns_of_another_version_is_made_anew(lake: Lake, caplog) -> None:
    fresh = rows(FUNDING_RATES, {("A", 0): 0.0001})
    info = lake.write(FUNDING_RATES, DAY, fresh)
    fresh.drop("known_at").write_parquet(info.uri)
    update = store(lake, FUNDING_RATES, fresh, END + 1)
    assert (update.revised, update.compared) == (0, False)
    assert lake.read(FUNDING_RATES, DAY).equals(fresh)
    assert "its columns are not those that funding_rates declares now" in caplog.text


fetches = st.lists(
    st.dictionaries(st.tuples(st.sampled_from("AB"), st.integers(0, 4)), st.sampled_from([1.0, 2.0, 3.0])),
    min_size=1,
    max_size=5,
)


@given(dataset=st.sampled_from(CERTIFIED_SERIES), days=fetches)
@settings(max_examples=60, deadline=None)
def test_every_moment_reads_as_a_diary_of_the_fetches_would(
    dataset: Dataset, days: list[dict[tuple[str, int], float]]
) -> None:
    """The oracle is a dictionary that is updated fetch by fetch and copied each time."""
    subject = SUBJECTS[dataset.name]
    stored, revisions = rows(dataset, days[0]), None
    diary = dict(days[0])
    pages = [(END, dict(diary))]
    for number, fetched in enumerate(days[1:], 1):
        moment = END + number
        merged = merge(
            stored,
            rows(dataset, fetched),
            stored_before_ms=END,
            fetched_at_ms=moment,
            partition_sha256=str(number),
            subject=subject,
        )
        stored = merged.rows
        before = merged.replaced.clear() if revisions is None else revisions
        revisions = remembered(before, merged.replaced, subject)
        diary |= fetched
        pages.append((moment, dict(diary)))
    if revisions is None:
        return
    for moment, page in pages:
        known = as_known(stored, revisions, moment, subject)
        hours = ((known[subject.time].dt.epoch("ms") - START) // HOUR_MS).to_list()
        values = known[subject.values[0]]
        assert dict(zip(zip(known["symbol"], hours, strict=True), values, strict=True)) == page
