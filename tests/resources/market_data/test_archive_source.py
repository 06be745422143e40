from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from resources.market_data.archive.layout import funding_month, kline_day, kline_month, metrics_day
from resources.market_data.archive.source import ArchiveMarketData
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.settings import ArchiveSettings, BinanceSettings
from tests.venue_server import VenueServer
from trading.errors import BadData
from trading.model.days import days_between, end_ms, start_ms
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FIRST, LAST = date(2025, 1, 30), date(2025, 3, 2)
NOW_MS = start_ms(LAST) + 90 * MINUTE_MS + 7


def price(symbol: str, time_ms: int) -> float:
    """A price that symbol and minute can be told from."""
    return time_ms // MINUTE_MS % 100_000 + (0.25 if symbol == "BTCUSDT" else 0.5)


def csv(symbol: str, begin_ms: int, until_ms: int, *, per_ms: int = 1) -> bytes:
    time = pl.int_range(begin_ms, until_ms, MINUTE_MS)
    value = time // MINUTE_MS % 100_000 + price(symbol, 0)
    two, three, one, none = (pl.lit(number) for number in (2, 3, 1, 0))
    columns = (
        time * per_ms,
        value,
        value + 1,
        value,
        value,
        two,
        time + 59_999,
        value * 2,
        three,
        one,
        value,
        none,
    )
    rows = pl.select(column.alias(str(number)) for number, column in enumerate(columns))
    return rows.write_csv(include_header=False).encode()


def json_rows(symbol: str, begin_ms: int, until_ms: int) -> list[list[object]]:
    text = csv(symbol, begin_ms, until_ms).decode().split()
    rows = [line.split(",") for line in text]
    return [[int(row[0]), *row[1:6], int(row[6]), row[7], int(row[8]), *row[9:]] for row in rows]


@pytest.fixture
def exchange(venue: VenueServer) -> VenueServer:
    """January's last days, whole February and March's first as an archive, and the rest over REST."""
    for symbol in SYMBOLS:
        month = kline_month(Series.SPOT, symbol, date(2025, 2, 1))
        venue.publish(month, csv(symbol, start_ms(date(2025, 2, 1)), end_ms(date(2025, 2, 28)), per_ms=1000))
        for day in days_between(FIRST, LAST - timedelta(days=1)):
            venue.publish(
                kline_day(Series.SPOT, symbol, day), csv(symbol, start_ms(day), end_ms(day), per_ms=1000)
            )

    def klines(query: dict[str, str]) -> list[list[object]]:
        begin_ms, until_ms = int(query["startTime"]), min(int(query["endTime"]) + 1, NOW_MS)
        return json_rows(query["symbol"], begin_ms, until_ms)[: int(query["limit"])]

    venue.pages["/api/v3/time"] = lambda _: {"serverTime": NOW_MS}
    venue.pages["/api/v3/klines"] = klines
    venue.pages["/fapi/v1/markPriceKlines"] = klines
    return venue


def open_source(venue: VenueServer, folder: Path | None = None, **settings: object) -> ArchiveMarketData:
    rest = BinanceMarketData(BinanceSettings(base_url=venue.base_url, futures_base_url=venue.base_url))
    given = ArchiveSettings(base_url=venue.base_url, cache_folder=str(folder or ""), **settings)  # type: ignore[arg-type]
    return ArchiveMarketData(given, rest)


@pytest.fixture
def source(exchange: VenueServer) -> Iterator[ArchiveMarketData]:
    opened = open_source(exchange)
    yield opened
    opened.close()


def files_asked(venue: VenueServer) -> list[str]:
    return [path.rsplit("/", 1)[-1] for path, _, _ in venue.requests if path.endswith(".zip")]


def by_day(source: ArchiveMarketData, symbols: tuple[str, ...] = SYMBOLS) -> pl.DataFrame:
    days = days_between(FIRST, LAST)
    return pl.concat(source.klines(symbols, start_ms(day), end_ms(day)) for day in days).sort(
        "symbol", "open_time"
    )


def test_months_come_as_months_and_a_few_days_as_days(
    source: ArchiveMarketData, exchange: VenueServer
) -> None:
    told: list[tuple[str, int, int]] = []
    source.prefetch(SYMBOLS, start_ms(FIRST), end_ms(LAST), report=lambda *progress: told.append(progress))
    source.evidence(SYMBOLS, start_ms(FIRST), end_ms(LAST))  # waits for all that is on its way
    expected = {
        f"{symbol}-1m-{part}.zip"
        for symbol in SYMBOLS
        for part in ("2025-01-30", "2025-01-31", "2025-02", "2025-03-01")
    }
    assert set(files_asked(exchange)) == expected
    assert [progress[1:] for progress in told] == [(done, 8) for done in range(1, 9)]
    rows = by_day(source)
    assert len(files_asked(exchange)) == 8  # nothing is downloaded twice
    begin, closed = start_ms(FIRST), NOW_MS // MINUTE_MS * MINUTE_MS
    times = list(range(begin, closed, MINUTE_MS))
    assert rows["open_time"].dt.epoch("ms").to_list() == times * 2
    assert rows["close"].to_list() == [price(symbol, time) for symbol in SYMBOLS for time in times]
    sources = rows.group_by("source").len().sort("source").rows()
    assert sources == [("archive", 2 * 31 * 1440), ("binance", 2 * 90)]
    assert rows.equals(source.klines(SYMBOLS, begin, end_ms(LAST)))


def test_daily_and_monthly_files_give_the_same_rows(source: ArchiveMarketData, exchange: VenueServer) -> None:
    daily = by_day(source)
    assert not [name for name in files_asked(exchange) if name.endswith("2025-02.zip")]
    source.prefetch(SYMBOLS, start_ms(FIRST), end_ms(LAST))
    assert by_day(source).equals(daily)
    assert [name for name in files_asked(exchange) if name.endswith("2025-02.zip")]
    # Too little memory for one month changes nothing but the time.
    tight = open_source(exchange, parsed_megabytes=0)
    tight.prefetch(SYMBOLS, start_ms(FIRST), end_ms(LAST))
    assert tight.klines(SYMBOLS, start_ms(FIRST), end_ms(LAST)).equals(daily)


@pytest.mark.parametrize(("days", "files"), [(9, 9), (10, 1)])
def test_a_month_is_fetched_where_a_third_of_it_is_wanted(
    source: ArchiveMarketData, exchange: VenueServer, days: int, files: int
) -> None:
    begin = start_ms(date(2025, 2, 3))
    rows = source.klines(["BTCUSDT"], begin, begin + days * DAY_MS)
    assert rows["open_time"].dt.epoch("ms").to_list() == list(range(begin, begin + days * DAY_MS, MINUTE_MS))
    assert len(files_asked(exchange)) == files


def test_an_unpublished_month_comes_as_days_and_an_unpublished_day_over_rest(
    source: ArchiveMarketData, exchange: VenueServer
) -> None:
    month = kline_month(Series.SPOT, "ETHUSDT", date(2025, 2, 1))
    day = kline_day(Series.SPOT, "ETHUSDT", date(2025, 2, 14))
    for file in (month, day):
        exchange.files.pop(f"/{file.path}.CHECKSUM")
    rows = source.klines(SYMBOLS, start_ms(FIRST), end_ms(LAST))
    assert rows.height == 2 * (31 * 1440 + 90)
    assert rows["symbol"].is_sorted()
    rest = rows.filter(pl.col("source") == "binance")
    assert rest.group_by("symbol", pl.col("open_time").dt.date()).len().sort(
        "symbol", "open_time"
    ).rows() == [
        ("BTCUSDT", LAST, 90),
        ("ETHUSDT", date(2025, 2, 14), 1440),
        ("ETHUSDT", LAST, 90),
    ]


def test_the_evidence_is_the_files_behind_the_day(source: ArchiveMarketData, exchange: VenueServer) -> None:
    def proof(day: date) -> pl.DataFrame:
        found = source.evidence(SYMBOLS, start_ms(day), end_ms(day))
        assert dict(found.schema) == KLINE_SOURCES.schema
        return found

    source.klines(SYMBOLS, start_ms(date(2025, 2, 3)), end_ms(date(2025, 2, 3)))
    found = proof(date(2025, 2, 3))
    assert found["file"].to_list() == [f"{symbol}-1m-2025-02-03.zip" for symbol in SYMBOLS]
    content = exchange.files[f"/{kline_day(Series.SPOT, 'BTCUSDT', date(2025, 2, 3)).path}"]
    assert found.row(0) == (
        "BTCUSDT",
        "BTCUSDT-1m-2025-02-03.zip",
        hashlib.sha256(content).hexdigest(),
        len(content),
        "archive",
    )
    source.prefetch(SYMBOLS, start_ms(FIRST), end_ms(LAST))
    assert proof(date(2025, 2, 3))["file"].to_list() == [f"{symbol}-1m-2025-02.zip" for symbol in SYMBOLS]
    assert proof(LAST).is_empty()  # today comes over REST
    both = source.evidence(SYMBOLS, start_ms(date(2025, 2, 3)), end_ms(date(2025, 2, 9)))
    assert both.height == 2


def test_futures_series_have_their_own_files(source: ArchiveMarketData, exchange: VenueServer) -> None:
    day = date(2025, 2, 27)
    exchange.publish(kline_day(Series.MARK, "BTCUSDT", day), csv("BTCUSDT", start_ms(day), end_ms(day)))
    rows = source.klines(["BTCUSDT"], start_ms(day), end_ms(day) + DAY_MS, Series.MARK)
    assert rows.columns == ["symbol", "open_time", "open", "high", "low", "close", "source", "known_at"]
    assert rows.group_by("source").len().sort("source").rows() == [("archive", 1440), ("binance", 1440)]


def test_a_file_with_rows_of_another_symbols_name_is_refused(
    source: ArchiveMarketData, exchange: VenueServer
) -> None:
    day = date(2025, 2, 27)
    file = kline_day(Series.SPOT, "BTCUSDT", day)
    exchange.publish(file, csv("ETHUSDT", start_ms(day), end_ms(day)), entry="ETHUSDT-1m-2025-02-27.csv")
    with pytest.raises(BadData, match=r"BTCUSDT-1m-2025-02-27\.zip holds ETHUSDT"):
        source.klines(["BTCUSDT"], start_ms(day), end_ms(day))


def test_funding_comes_from_months_that_are_over_and_then_over_rest(
    source: ArchiveMarketData, exchange: VenueServer
) -> None:
    lines = [
        f"{time},4,0.0002"
        for time in range(start_ms(date(2025, 2, 1)), start_ms(date(2025, 3, 1)), 14_400_000)
    ]
    header = "calc_time,funding_interval_hours,last_funding_rate\n"
    exchange.publish(funding_month("BTCUSDT", date(2025, 2, 1)), (header + "\n".join(lines)).encode())

    def payments(query: dict[str, str]) -> list[dict[str, object]]:
        until_ms = min(int(query["endTime"]) + 1, NOW_MS)
        times = range(-(-int(query["startTime"]) // 28_800_000) * 28_800_000, until_ms, 28_800_000)
        return [{"symbol": query["symbol"], "fundingTime": time, "fundingRate": "0.0001"} for time in times]

    exchange.pages["/fapi/v1/fundingRate"] = payments
    begin, until = start_ms(date(2025, 2, 27)), end_ms(LAST)
    rows = source.funding_rates(SYMBOLS, begin, until)
    assert dict(rows.schema) == FUNDING_RATES.schema
    counts = rows.group_by("symbol", "source", "interval_hours").len().sort("symbol", "source").rows()
    assert counts == [
        ("BTCUSDT", "archive", 4, 12),
        ("BTCUSDT", "binance", 8, 4),
        ("ETHUSDT", "binance", 8, 10),
    ]
    assert rows["funding_time"].min() == datetime(2025, 2, 27, tzinfo=UTC)


def test_open_interest_comes_from_days_that_are_over_and_then_over_rest(
    source: ArchiveMarketData, exchange: VenueServer
) -> None:
    header = "create_time,symbol,sum_open_interest,sum_open_interest_value\n"
    for day in days_between(date(2025, 2, 26), date(2025, 2, 27)):
        # From five past midnight to the next midnight, as the archive has it.
        times = [
            datetime.fromtimestamp(start_ms(day) / 1000, UTC) + timedelta(minutes=5 * n)
            for n in range(1, 289)
        ]
        lines = [f"{time:%Y-%m-%d %H:%M:%S},BTCUSDT,7.5,75" for time in times]
        exchange.publish(metrics_day("BTCUSDT", day), (header + "\n".join(lines)).encode())

    def counts(query: dict[str, str]) -> list[dict[str, object]]:
        until_ms = min(int(query["endTime"]) + 1, NOW_MS)
        times = range(int(query["startTime"]) // 300_000 * 300_000, until_ms, 300_000)
        return [
            {
                "symbol": "BTCUSDT",
                "sumOpenInterest": "8",
                "sumOpenInterestValue": "80",
                "timestamp": str(time),
            }
            for time in times
        ]

    exchange.pages["/futures/data/openInterestHist"] = counts
    rows = source.open_interest(["BTCUSDT"], start_ms(date(2025, 2, 27)), end_ms(LAST))
    assert dict(rows.schema) == OPEN_INTEREST.schema
    expected = list(range(start_ms(date(2025, 2, 27)), NOW_MS, 300_000))
    assert rows["time"].dt.epoch("ms").to_list() == expected
    # The midnight of the 28th is still in the file of the 27th; the 28th itself was not published.
    assert rows.group_by("source").len().sort("source").rows() == [
        ("archive", 289),
        ("binance", len(expected) - 289),
    ]
    assert source.open_interest(["BTCUSDT"], start_ms(date(2024, 1, 1)), end_ms(date(2024, 1, 1))).is_empty()


def test_nothing_is_asked_for_before_it_exists(source: ArchiveMarketData, exchange: VenueServer) -> None:
    source.prefetch(SYMBOLS, end_ms(LAST), end_ms(LAST) + DAY_MS)
    assert source.klines(SYMBOLS, end_ms(LAST), end_ms(LAST) + DAY_MS).is_empty()
    assert not files_asked(exchange)
