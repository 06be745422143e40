from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.market_data.archive import kline_csv
from resources.market_data.archive.futures_csv import read_funding, read_open_interest
from resources.market_data.archive.kline_csv import finish, read_klines
from resources.market_data.archive.layout import (
    ArchiveFile,
    funding_month,
    kline_day,
    kline_month,
    metrics_day,
)
from resources.market_data.archive.zips import csv_inside
from resources.market_data.columns import DATASETS
from tests.venue_server import zipped
from trading.errors import BadData
from trading.model.interval import MINUTE_MS
from trading.model.series import Series
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST

HEADER = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    b"taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
DAY = date(2025, 1, 1)
START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)


def file_of(series: Series = Series.SPOT, day: date = DAY) -> ArchiveFile:
    return kline_day(series, "BTCUSDT", day)


def raw(shared: Path, day: date) -> bytes:
    file = shared / f"data/raw/binance_vision_spot_1m/BTCUSDT-1m-{day}.csv.gz"
    return gzip.decompress(file.read_bytes())


def line(minute: int, price: str = "1.5", *, per_ms: int = 1) -> str:
    time = START + minute * MINUTE_MS
    return f"{time * per_ms},{price},{price},{price},{price},2,{time + 59_999},3,4,1,1.5,0"


@pytest.mark.parametrize("day", ["2017-08-17", "2024-12-31", "2025-01-01"])
def test_real_files_on_both_sides_of_the_switch(shared: Path, day: str) -> None:
    moment = date.fromisoformat(day)
    text = raw(shared, moment)
    rows = read_klines(text, file_of(day=moment), Series.SPOT)
    lines = [row.split(",") for row in text.decode().splitlines()]
    assert rows.height == len(lines)
    assert rows["close"].to_list() == [float(row[4]) for row in lines]
    assert rows["trades"].to_list() == [int(row[8]) for row in lines]
    klines = finish(rows, pl.repeat("BTCUSDT", rows.height, eager=True), "archive", Series.SPOT)
    assert dict(klines.schema) == DATASETS[Series.SPOT].schema
    assert klines["open_time"].dt.date().unique().to_list() == [moment]
    assert ((klines["known_at"] - klines["open_time"]).dt.total_seconds() == 60).all()
    by_text = kline_csv._explained(text, file_of(day=moment), Series.SPOT, header=False)
    assert rows.equals(by_text)
    with pytest.raises(BadData, match="rows of another day"):
        read_klines(text, file_of(day=date(2020, 1, 1)), Series.SPOT)


decimals = st.one_of(
    st.decimals(0, 10**9, allow_nan=False, places=8).map(lambda value: f"{value:f}"),
    st.floats(0, 1e12).map(lambda value: f"{value:.8f}"),
    st.floats(0, 1e300, allow_subnormal=True).map(repr),
)


@given(st.lists(decimals, min_size=1, max_size=20))
def test_a_number_is_the_same_float_whichever_way_it_is_read(prices: list[str]) -> None:
    text = "\n".join(line(minute, price) for minute, price in enumerate(prices)).encode()
    typed = kline_csv._typed(text, Series.SPOT, header=False)
    assert typed is not None
    assert typed.equals(kline_csv._explained(text, file_of(), Series.SPOT, header=False))
    assert typed["open"].to_list() == [float(price) for price in prices]


@pytest.mark.parametrize("series", [series for series in Series if series is not Series.SPOT])
@pytest.mark.parametrize("header", [HEADER, b""])
def test_futures_files_with_and_without_names(series: Series, header: bytes) -> None:
    text = header + "\n".join(line(minute) for minute in range(3)).encode()
    rows = read_klines(text, file_of(series), series)
    klines = finish(rows, pl.repeat("BTCUSDT", 3, eager=True), "archive", series)
    assert dict(klines.schema) == DATASETS[series].schema
    assert klines["close"].to_list() == [1.5] * 3


def test_a_premium_may_be_negative_and_rows_are_put_in_order() -> None:
    text = "\n".join(line(minute, "-0.00012") for minute in (2, 0, 1)).encode()
    rows = read_klines(text, file_of(Series.PREMIUM), Series.PREMIUM)
    assert rows["low"].to_list() == [-0.00012] * 3
    assert rows["open_time"].to_list() == [START + minute * MINUTE_MS for minute in range(3)]


@pytest.mark.parametrize(
    ("text", "series", "message"),
    [
        ("\n".join([line(0), line(1), line(2, per_ms=1000)]), Series.SPOT, "row 3: .* counts another unit"),
        ("\n".join([line(0, per_ms=1000), line(1)]), Series.SPOT, "row 2: .* counts another unit"),
        (line(0, per_ms=1000), Series.USDM, "row 1: .* counts microseconds, but futures"),
        (line(0, per_ms=1000), Series.MARK, "counts microseconds"),
        ("\n".join([line(0), line(1, "many")]), Series.SPOT, "row 2: open is 'many'"),
        ("\n".join([line(0), line(1, "")]), Series.SPOT, "row 2: open is None"),
        (line(0, "NaN"), Series.SPOT, "row 1: open is 'NaN'"),
        (line(0, "inf"), Series.SPOT, "row 1: .*not finite"),
        (line(0)[:40], Series.SPOT, "columns, expected 12"),
        ("\n".join([line(0), line(1)[:30]]), Series.SPOT, "row 2: "),
        ("", Series.SPOT, "cannot be read as CSV"),
        (line(1440), Series.SPOT, "1 rows of another day, first 2025-01-02"),
        (line(-1), Series.SPOT, "1 rows of another day"),
        (line(0).replace("1.5,1.5,1.5,1.5", "1,2,3,1"), Series.SPOT, "high is below low"),
        (str(START + 1) + line(0)[13:], Series.SPOT, "does not start a minute"),
        (line(0)[14:] + ",0", Series.SPOT, "columns swapped"),
    ],
)
def test_a_broken_row_is_named(text: str, series: Series, message: str) -> None:
    with pytest.raises(BadData, match=rf"BTCUSDT-1m-2025-01-01\.zip.*{message}"):
        read_klines(text.encode(), file_of(series), series)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: names.replace(b"high,low", b"low,high"), "column 3 is called 'low', expected high"),
        (lambda names: names.replace(b"volume", b"vol", 1), "column 6 is called 'vol'"),
        (lambda names: names.replace(b",ignore", b""), "has 11 columns, expected 12"),
    ],
)
def test_a_renamed_column_is_named(change: Callable[[bytes], bytes], message: str) -> None:
    text = change(HEADER) + line(0).encode()
    with pytest.raises(BadData, match=message):
        read_klines(text, file_of(Series.USDM), Series.USDM)


def test_what_is_no_whole_zip_of_its_own_file_is_refused() -> None:
    file = file_of()
    good = zipped(file.entry, line(0).encode() * 50)
    assert csv_inside(good, file).startswith(b"1735689600000")
    for content in (good[: len(good) // 2], b"", b"PK\x03\x04", b"<html>", good[:40] + b"xxxx" + good[44:]):
        with pytest.raises(BadData, match=r"BTCUSDT-1m-2025-01-01\.zip is no whole zip"):
            csv_inside(content, file)
    with pytest.raises(BadData, match=r"holds ETHUSDT-1m-2025-01-01\.csv, expected BTCUSDT"):
        csv_inside(zipped("ETHUSDT-1m-2025-01-01.csv", b"1"), file)


def test_a_month_holds_all_its_days() -> None:
    file = kline_month(Series.SPOT, "BTCUSDT", date(2024, 2, 10))
    assert (file.first_day, file.last_day) == (date(2024, 2, 1), date(2024, 2, 29))
    assert file.path == "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip"
    assert kline_day(Series.INDEX, "BTCUSDT", DAY).path == (
        "data/futures/um/daily/indexPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-01-01.zip"
    )


FUNDING = funding_month("ORCAUSDT", date(2025, 1, 1))
METRICS = metrics_day("BTCUSDT", DAY)
METRICS_HEADER = "create_time,symbol,sum_open_interest,sum_open_interest_value,count_long_short_ratio\n"


def test_funding_keeps_the_interval_of_each_payment() -> None:
    text = (
        "calc_time,funding_interval_hours,last_funding_rate\n"
        f"{START + 4},8,0.0001\n{START + 28_800_000},4,-0.00025\n{START + 43_200_001},1,0\n"
    )
    rows = read_funding(text.encode(), FUNDING, "archive")
    assert dict(rows.schema) == FUNDING_RATES.schema
    assert rows["interval_hours"].to_list() == [8, 4, 1]
    assert rows["funding_rate"].to_list() == [0.0001, -0.00025, 0.0]
    assert rows["funding_time"].dt.epoch("ms")[0] == START + 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,funding_interval_hours,last_funding_rate\n", "column 1 is called 'time'"),
        (f"{START},8,0.1\n", "does not name its columns"),
        (f"calc_time,funding_interval_hours,last_funding_rate\n{START},8,\n", "funding_rate is None"),
        (f"calc_time,funding_interval_hours,last_funding_rate\n{START}000,8,1\n", "microseconds"),
        (
            f"calc_time,funding_interval_hours,last_funding_rate\n{START},8,1\n{START},8,2\n",
            "comes twice, with different values of funding_rate",
        ),
        (f"calc_time,funding_interval_hours,last_funding_rate\n{START - 1},8,1\n", "rows of other days"),
    ],
)
def test_funding_that_cannot_be_is_named(text: str, message: str) -> None:
    with pytest.raises(BadData, match=rf"ORCAUSDT-fundingRate-2025-01\.zip.*{message}"):
        read_funding(text.encode(), FUNDING, "archive")


def test_open_interest_comes_in_any_order_doubled_and_with_holes() -> None:
    text = METRICS_HEADER + (
        "2025-01-01 00:10:00,BTCUSDT,76650.8170000000000000,8431092392.8673270000000000,2.05\n"
        "2025-01-02 00:00:00,BTCUSDT,76659.28,,1\n"
        '2025-01-01 00:05:00,BTCUSDT,76643.191,8430743345.6809,""\n'
        '2025-01-01 00:05:00,BTCUSDT,76643.191,8430743345.6809,""\n'
        '2025-01-01 00:15:00,BTCUSDT,"","",""\n'
    )
    rows = read_open_interest(text.encode(), METRICS, "archive")
    assert dict(rows.schema) == OPEN_INTEREST.schema
    assert rows["open_interest"].to_list() == [76643.191, 76650.817, 76659.28]
    assert rows["open_interest_value"].null_count() == 1
    assert rows["time"][-1] == datetime(2025, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2025-01-01 00:05:00,ETHUSDT,1,2,3", "1 rows of ETHUSDT"),
        ("1735689900000,BTCUSDT,1,2,3", "create_time is '1735689900000', which is no time"),
        ("2025-01-01 00:05:00,BTCUSDT,many,2,3", "open_interest is 'many'"),
        ("2025-01-02 00:05:00,BTCUSDT,1,2,3", "rows of other days"),
    ],
)
def test_open_interest_that_cannot_be_is_named(row: str, message: str) -> None:
    with pytest.raises(BadData, match=rf"BTCUSDT-metrics-2025-01-01\.zip.*{message}"):
        read_open_interest((METRICS_HEADER + row + "\n").encode(), METRICS, "archive")
