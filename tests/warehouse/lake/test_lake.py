"""What the lake promises on every store: partitions in, the same rows out, by window, scan or day."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading.errors import BadData, FixConfiguration
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.instruments import INSTRUMENTS
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import PartitionMissing, open_lake

DAY = date(2025, 3, 1)


def days(count: int) -> list[date]:
    return [DAY + timedelta(days=offset) for offset in range(count)]


def bars(klines: pl.DataFrame, minutes: int = 15) -> pl.DataFrame:
    """One complete bar per symbol, shaped as the declaration asks."""
    first = klines.group_by("symbol", maintain_order=True).first()
    return first.with_columns(
        close_time=pl.col("open_time").dt.offset_by(f"{minutes}m"),
        minutes=pl.lit(minutes, pl.Int32),
        complete=pl.lit(True),
    ).select(*BARS.schema)


def test_a_partition_comes_back_sorted_and_described(lake, klines):
    rows = klines(DAY, ["BTCUSDT", "ETHUSDT"])
    info = lake.write(KLINES, DAY, rows.reverse().select(reversed(rows.columns)))

    assert_frame_equal(lake.read(KLINES, DAY), rows)
    data, _ = lake.store.read("klines/date=2025-03-01/data.parquet")
    assert info == lake.info(KLINES, DAY)
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert (info.rows, info.size_bytes, info.symbols) == (6, len(data), 2)
    assert info.min_time == datetime(2025, 3, 1, tzinfo=UTC)
    assert info.max_time == datetime(2025, 3, 1, 0, 2, tzinfo=UTC)
    assert info.uri.endswith("/klines/date=2025-03-01/data.parquet")


def test_a_fresh_lake_reads_what_another_wrote(lake, klines):
    written = lake.write(KLINES, DAY, klines(DAY, ["A", "B"]))
    other = type(lake)(lake.store)
    assert other.info(KLINES, DAY) == written
    assert_frame_equal(other.read(KLINES, DAY, columns=["close"]), lake.read(KLINES, DAY).select("close"))
    assert_frame_equal(other.scan(KLINES, DAY, DAY).collect(), lake.read(KLINES, DAY))


def test_window_and_scan_agree_and_skip_missing_days(lake, klines):
    for offset in (0, 1, 3, 4, 5, 6):
        day = DAY + timedelta(days=offset)
        lake.write(KLINES, day, klines(day, ["A", "B", "C"], base=100.0 + offset))
    cold = type(lake)(lake.store)
    last = DAY + timedelta(days=5)
    window = cold.window(KLINES, DAY, last)
    assert window["open_time"].dt.date().unique().to_list() == [*days(2), *days(6)[3:]]
    assert_frame_equal(window, lake.window(KLINES, DAY, last))
    assert_frame_equal(window, cold.scan(KLINES, DAY, last).collect())
    some = cold.scan(KLINES, DAY, last, symbols=["C", "A"], columns=["symbol", "close"]).collect()
    assert_frame_equal(some, window.filter(pl.col("symbol") != "B").select("symbol", "close"))


def test_intervals_are_separate(lake, klines):
    quarter, hour = bars(klines(DAY, ["A"])), bars(klines(DAY, ["B"]), 60)
    lake.write(BARS, DAY, quarter, Interval.M15)
    info = lake.write(BARS, DAY, hour, interval=Interval.H1)
    assert "/bars/interval=1h/date=2025-03-01/" in info.uri
    assert_frame_equal(lake.read(BARS, DAY, Interval.M15), quarter)
    assert_frame_equal(lake.window(BARS, DAY, DAY, Interval.H1), hour)
    assert lake.days(BARS, Interval.H1) == [DAY]
    assert lake.days(BARS, Interval.H4) == []


def test_nothing_stored_is_empty_with_the_right_columns(lake):
    assert lake.window(KLINES, DAY, DAY + timedelta(days=3)).schema == pl.Schema(KLINES.schema)
    assert lake.scan(KLINES, DAY, DAY).collect().schema == pl.Schema(KLINES.schema)
    assert lake.scan(KLINES, DAY, DAY, symbols=["A"], columns=["close"]).collect().columns == ["close"]
    assert lake.info(KLINES, DAY) is None
    assert lake.days(KLINES) == []


def test_no_rows_is_not_a_missing_partition(lake):
    info = lake.write(KLINE_GAPS, DAY, pl.DataFrame(schema=KLINE_GAPS.schema))
    assert (info.rows, info.min_time, info.symbols) == (0, None, 0)
    assert lake.read(KLINE_GAPS, DAY).height == 0
    assert lake.days(KLINE_GAPS) == [DAY]
    lake.write(KLINE_GAPS, DAY + timedelta(days=1), pl.DataFrame(schema=KLINE_GAPS.schema))
    assert lake.window(KLINE_GAPS, DAY, DAY + timedelta(days=1)).height == 0


def test_a_missing_partition_names_its_command(lake):
    with pytest.raises(PartitionMissing, match="tidemill backfill --from 2025-03-01 --to 2025-03-01"):
        lake.read(KLINES, DAY)


def test_a_wrong_interval_is_refused(lake):
    with pytest.raises(FixConfiguration, match="give one of 15m, 1h, 4h, 1d"):
        lake.read(BARS, DAY)
    with pytest.raises(FixConfiguration, match="klines: interval 1h is not stored"):
        lake.days(KLINES, Interval.H1)
    with pytest.raises(BadData, match="klines has no column clse"):
        lake.scan(KLINES, DAY, DAY, columns=["clse"])


def test_the_same_rows_are_the_same_bytes(lake, klines):
    rows = klines(DAY, ["A", "B"], minutes=40)
    first = lake.write(KLINES, DAY, rows)
    junk = (
        pl.when(pl.col("quote_volume").is_null()).then(pl.lit(None)).otherwise(pl.col("quote_volume") * 1.0)
    )
    pieces = pl.concat([rows[60:], rows[:17], rows[17:60]], rechunk=False).with_columns(quote_volume=junk)
    assert lake.write(KLINES, DAY, pieces).sha256 == first.sha256
    assert type(lake)(lake.store).info(KLINES, DAY) == first


def test_a_replaced_partition_is_seen_by_a_warm_reader(lake, klines):
    reader = type(lake)(lake.store)
    every = days(6)
    for day in every:
        lake.write(KLINES, day, klines(day, ["A"]))
    assert reader.window(KLINES, every[0], every[-1])["open"].to_list() == [100.0] * 18
    lake.write(KLINES, every[5], klines(every[5], ["A"], base=200.0))
    lake.write(KLINES, every[2], klines(every[2], ["A", "B"], base=300.0))
    window = reader.window(KLINES, every[0], every[-1])
    assert_frame_equal(window, type(lake)(lake.store).window(KLINES, every[0], every[-1]))
    assert window["open"].to_list() == [100.0] * 6 + [300.0] * 3 + [301.0] * 3 + [100.0] * 6 + [200.0] * 3
    assert_frame_equal(reader.window(KLINES, every[2], every[2]), reader.read(KLINES, every[2]))


def test_a_caller_cannot_change_what_is_cached(lake, klines):
    for day in days(3):
        lake.write(KLINES, day, klines(day, ["A"]))
    for first in (DAY, DAY + timedelta(days=2)):
        frame = lake.window(KLINES, first, DAY + timedelta(days=2))
        expected = frame.to_dicts()
        frame[0, "close"] = 1.0
        frame.insert_column(0, pl.lit(1).alias("mine"))
        assert lake.window(KLINES, first, DAY + timedelta(days=2)).to_dicts() == expected


def test_a_lake_may_have_no_cache(lake, klines):
    bare = type(lake)(lake.store, cache_bytes=0)
    for day in days(5):
        bare.write(KLINES, day, klines(day, ["A"]))
    for _ in range(2):
        assert bare.window(KLINES, DAY, DAY + timedelta(days=4)).height == 15


def test_writers_of_different_partitions_do_not_meet(lake, klines, fresh):
    every = days(12)

    def write(day: date) -> str:
        return fresh(lake).write(KLINES, day, klines(day, ["A", "B"], base=100.0 + day.day)).sha256

    with ThreadPoolExecutor(6) as writers:
        written = list(writers.map(write, every))
    reader = fresh(lake)
    assert reader.days(KLINES) == every
    assert [reader.info(KLINES, day).sha256 for day in every] == written
    for day in every:
        assert_frame_equal(reader.read(KLINES, day), klines(day, ["A", "B"], base=100.0 + day.day))


def test_bytes_do_not_depend_on_the_store(s3_lake, local_lake, klines):
    rows = klines(DAY, ["A", "B"], minutes=90)
    assert s3_lake.write(KLINES, DAY, rows).sha256 == local_lake.write(KLINES, DAY, rows).sha256


def test_datasets_without_a_time_column(lake):
    row = {column.name: None if column.nullable else "1" for column in INSTRUMENTS.columns}
    row |= {"market": "spot", "valid_from": datetime(2020, 1, 1, tzinfo=UTC), "multiplier": 1}
    info = lake.write(INSTRUMENTS, DAY, pl.DataFrame([row], schema=INSTRUMENTS.schema))
    assert (info.min_time, info.max_time, info.symbols) == (None, None, 1)
    assert lake.read(INSTRUMENTS, DAY).to_dicts() == [row]


@pytest.mark.parametrize("uri", ["gs://bucket", "s3://", ""])
def test_an_unsupported_address_is_refused(uri):
    with pytest.raises(FixConfiguration, match=r"lake\.uri"):
        open_lake(uri)
