from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from apps.sandbox.archive.names import parse
from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ArchiveFault, ClockSettings, FaultSettings, SandboxSettings
from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from trading.simulation.contracts import CHANGING
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings

MARKET = MarketSettings(
    seed=2,
    symbols=("BTCUSDT", "PEPEUSDT", CHANGING),
    origin="2024-11-20",
    horizon_days=90,
    late_listing_days=0,
    venue_outage_probability=0.2,
)
NOW = "2025-01-03T12:34:30"
SETTINGS = SandboxSettings(market=MARKET, clock=ClockSettings(start=NOW, speed=0.0))
KLINES = "klines/BTCUSDT/1m/BTCUSDT-1m"
DAILY = f"data/spot/daily/{KLINES}-2025-01-02.zip"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmbeddedSandbox]:
    with EmbeddedSandbox(SETTINGS) as running:
        yield running


@pytest.fixture
def http(sandbox: EmbeddedSandbox) -> Iterator[httpx.Client]:
    sandbox.clock.set(at(NOW))
    with httpx.Client(base_url=sandbox.base_url) as client:
        yield client


@pytest.fixture(scope="module")
def futures() -> FuturesMarket:
    return FuturesMarket(Market(MARKET))


def lines(http: httpx.Client, path: str) -> list[str]:
    """Rows of a published file whose checksum is right."""
    answer, name = http.get(f"/archive/{path}"), path.rpartition("/")[2]
    assert answer.status_code == 200, path
    assert (
        http.get(f"/archive/{path}.CHECKSUM").text
        == f"{hashlib.sha256(answer.content).hexdigest()}  {name}\n"
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [name.removesuffix("zip") + "csv"]
        return archive.read(archive.namelist()[0]).decode().splitlines()


@pytest.mark.parametrize(
    ("folder", "header"),
    [
        ("spot/{}/klines", 0),
        ("futures/um/{}/klines", 1),
        ("futures/um/{}/markPriceKlines", 1),
        ("futures/um/{}/indexPriceKlines", 1),
        ("futures/um/{}/premiumIndexKlines", 1),
    ],
)
def test_a_months_rows_are_its_days_rows(http: httpx.Client, folder: str, header: int) -> None:
    def rows(span: str, period: str) -> list[str]:
        return lines(http, f"data/{folder.format(span)}/BTCUSDT/1m/BTCUSDT-1m-{period}.zip")

    month = rows("monthly", "2024-12")
    days = [rows("daily", f"2024-12-{day:02d}") for day in range(1, 32)]
    assert month[header:] == [row for day in days for row in day[header:]]
    assert month[:header] == days[0][:header]
    assert 31 * 1440 > len(month) > 31 * 1300  # the outages are in both


def test_futures_files_have_a_header_and_stay_in_milliseconds(
    http: httpx.Client, futures: FuturesMarket
) -> None:
    day = date(2025, 1, 2)
    rows = lines(http, f"data/futures/um/daily/{KLINES}-{day}.zip")
    assert rows[0] == (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore"
    )
    known = futures.minutes("BTCUSDT", day)
    assert len(rows) == known.height + 1
    first = rows[1].split(",")
    assert int(first[6]) - int(first[0]) == MINUTE_MS - 1
    assert int(first[0]) == known["open_time"].dt.epoch("ms")[0]
    assert [float(row.split(",")[4]) for row in rows[1:]] == known["close"].to_list()
    assert len(lines(http, DAILY)[0].split(",")[0]) == 16


def test_funding_months_hold_the_payments_with_their_interval(
    http: httpx.Client, futures: FuturesMarket
) -> None:
    rows = lines(http, f"data/futures/um/monthly/fundingRate/{CHANGING}/{CHANGING}-fundingRate-2024-12.zip")
    assert rows[0] == "calc_time,funding_interval_hours,last_funding_rate"
    days = [futures.funding(CHANGING, date(2024, 12, 1) + timedelta(days=number)) for number in range(31)]
    expected = [
        (int(at_.timestamp() * 1000), hours, rate) for day in days for at_, rate, hours in day.iter_rows()
    ]
    found = [row.split(",") for row in rows[1:]]
    assert [(int(one), int(two), float(three)) for one, two, three in found] == expected
    assert {int(row[1]) for row in found} == {4, 8}


def test_metrics_run_from_five_past_midnight_to_midnight(http: httpx.Client, futures: FuturesMarket) -> None:
    rows = lines(http, "data/futures/um/daily/metrics/1000PEPEUSDT/1000PEPEUSDT-metrics-2025-01-01.zip")
    assert rows[0] == (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
        "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
    )
    assert len(rows) == 289
    assert rows[1].startswith("2025-01-01 00:05:00,1000PEPEUSDT,")
    assert rows[-1].startswith("2025-01-02 00:00:00,1000PEPEUSDT,")
    known = futures.positions("1000PEPEUSDT", date(2025, 1, 1))
    assert [float(row.split(",")[2]) for row in rows[1:-1]] == known["open_interest"].to_list()[1:]


def test_files_appear_when_their_span_has_ended_and_the_delay_has_passed() -> None:
    settings = replace(SETTINGS, archive_delay_minutes=60)
    month = f"data/futures/um/monthly/{KLINES}-2024-12.zip"
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        for path, published in ((DAILY, "2025-01-03T01:00"), (month, "2025-01-01T01:00")):
            for now_ms, status in ((at(published) - 1, 404), (at(published), 200)):
                running.clock.set(now_ms)
                assert http.get(f"/archive/{path}").status_code == status
                assert http.get(f"/archive/{path}.CHECKSUM").status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "data/spot/daily/klines/NOPE/1m/NOPE-1m-2025-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/PEPEUSDT-1m-2025-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-02-30.zip",
        "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12.zip",
        "data/spot/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-01-01.zip",
        "data/futures/um/daily/klines/PEPEUSDT/1m/PEPEUSDT-1m-2025-01-01.zip",
        "data/futures/um/monthly/metrics/BTCUSDT/BTCUSDT-metrics-2024-12.zip",
        "data/futures/um/daily/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2025-01-01.zip",
        "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip",
    ],
)
def test_there_are_no_other_files(http: httpx.Client, path: str) -> None:
    assert http.get(f"/archive/{path}").status_code == 404


def test_paths_say_what_they_name() -> None:
    file = parse("data/futures/um/monthly/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip")
    assert file is not None
    assert (file.series, file.symbol, file.first_day, file.days) == (
        Series.MARK,
        "BTCUSDT",
        date(2024, 2, 1),
        29,
    )
    assert file.end_ms == at("2024-03-01")


def test_a_download_can_be_resumed(http: httpx.Client) -> None:
    url = f"/archive/{DAILY}"
    whole = http.get(url)
    size, tag = len(whole.content), whole.headers["ETag"]
    assert whole.headers["Accept-Ranges"] == "bytes"
    rest = http.get(url, headers={"Range": "bytes=1000-", "If-Range": tag})
    assert (rest.status_code, rest.headers["Content-Range"]) == (206, f"bytes 1000-{size - 1}/{size}")
    assert whole.content[:1000] + rest.content == whole.content
    assert http.get(url, headers={"Range": "bytes=5-9"}).content == whole.content[5:10]
    assert http.get(url, headers={"Range": "bytes=-7"}).content == whole.content[-7:]
    assert http.get(url, headers={"Range": "bytes=1000-", "If-Range": '"other"'}).status_code == 200
    beyond = http.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")


def serve(*faults: ArchiveFault, seed: int = 0) -> EmbeddedSandbox:
    return EmbeddedSandbox(replace(SETTINGS, faults=FaultSettings(archive=faults, seed=seed)))


@pytest.mark.parametrize(("times", "good"), [(0, [False, False, False]), (1, [False, True, True])])
def test_a_checksum_is_bad_once_or_always(times: int, good: list[bool]) -> None:
    fault = ArchiveFault("bad_checksum", files="*/BTCUSDT-1m-2025-01-02.zip", times=times)
    with serve(fault) as running, httpx.Client(base_url=running.base_url) as http:
        digest = hashlib.sha256(http.get(f"/archive/{DAILY}").content).hexdigest()
        answers = [http.get(f"/archive/{DAILY}.CHECKSUM").text.split()[0] == digest for _ in range(3)]
        other = DAILY.replace("01-02", "01-01")
        lines(http, other)
    assert answers == good


def test_a_zip_is_cut_short() -> None:
    fault = ArchiveFault("truncated", files=DAILY, times=1)
    with serve(fault) as running, httpx.Client(base_url=running.base_url) as http:
        short = http.get(f"/archive/{DAILY}").content
        with pytest.raises(zipfile.BadZipFile):
            zipfile.ZipFile(io.BytesIO(short))
        assert len(lines(http, DAILY)) > 1000


def test_minutes_that_rest_has_are_missing_from_day_and_month() -> None:
    fault = ArchiveFault("missing_minutes", files="data/spot/daily/*-2024-12-05.zip", minutes=7)
    path, month = (
        f"data/spot/{span}/{KLINES}-2024-12{day}.zip" for span, day in (("daily", "-05"), ("monthly", ""))
    )
    start_ms = at("2024-12-05")
    with serve(fault) as running, httpx.Client(base_url=running.base_url) as http:
        query = {"symbol": "BTCUSDT", "interval": "1m", "limit": 1000, "endTime": start_ms + DAY_MS - 1}
        rest = {
            row[0]
            for half in (start_ms, start_ms + 720 * MINUTE_MS)
            for row in http.get("/api/v3/klines", params={**query, "startTime": half}).json()
        }
        daily = {int(row.split(",")[0]) for row in lines(http, path)}
        monthly = {int(row.split(",")[0]) for row in lines(http, month)}
    assert len(rest - daily) == 7
    assert daily < rest
    assert {time for time in monthly if start_ms <= time < start_ms + DAY_MS} == daily


def test_a_correction_comes_late_and_stays() -> None:
    fault = ArchiveFault("corrected", files=DAILY, minutes=2, after="2025-01-05T06:00")
    with serve(fault) as running, httpx.Client(base_url=running.base_url) as http:
        versions = []
        for now in ("2025-01-05T05:59", "2025-01-05T06:00", "2025-01-20T00:00"):
            running.clock.set(at(now))
            versions.append(lines(http, DAILY))
        running.clock.set(at("2025-02-02T00:00"))
        month = lines(http, f"data/spot/monthly/{KLINES}-2025-01.zip")
    changed = [pair for pair in zip(versions[0], versions[1], strict=True) if pair[0] != pair[1]]
    assert versions[1] == versions[2]
    assert set(versions[1]) <= set(month)
    assert len(changed) == 2
    for before, after in (tuple(row.split(",") for row in pair) for pair in changed):
        assert before[:4] == after[:4]
        assert (before[4], before[5]) != (after[4], after[5])
        assert float(after[3]) <= float(after[4]) <= float(after[2])


def test_a_provisional_minute_differs_until_the_archive_is_there() -> None:
    fault = ArchiveFault("provisional", files="data/spot/daily/*-2025-01-02.zip", minutes=1)
    start_ms = at("2025-01-02")
    answers = []
    with serve(fault) as running, httpx.Client(base_url=running.base_url) as http:
        for now_ms in (start_ms + DAY_MS - 1, start_ms + DAY_MS):
            running.clock.set(now_ms)
            rows = [
                row
                for half in (0, 720)
                for row in http.get(
                    "/api/v3/klines",
                    params={
                        "symbol": "BTCUSDT",
                        "interval": "1m",
                        "startTime": start_ms + half * MINUTE_MS,
                        "endTime": start_ms + (half + 720) * MINUTE_MS - 1,
                        "limit": 1000,
                    },
                ).json()
            ]
            answers.append(rows[:-1])  # the last minute was still open at first
        archived = [row.split(",") for row in lines(http, DAILY)]
    assert sum(one != two for one, two in zip(*answers, strict=True)) == 1
    assert [row[4] for row in answers[1]] == [row[4] for row in archived[:-1]]


def test_the_seed_chooses_a_share_of_the_files() -> None:
    fault = ArchiveFault("bad_checksum", files="data/spot/daily/*", share=0.4)

    def hit(seed: int) -> list[bool]:
        with serve(fault, seed=seed) as running, httpx.Client(base_url=running.base_url) as http:
            paths = [f"/archive/data/spot/daily/{KLINES}-2024-12-{day:02d}.zip" for day in range(1, 31)]
            return [
                http.get(f"{path}.CHECKSUM").text.split()[0]
                != hashlib.sha256(http.get(path).content).hexdigest()
                for path in paths
            ]

    one, two = hit(1), hit(2)
    assert one == hit(1)
    assert one != two
    assert 4 <= sum(one) <= 20


def test_a_correction_needs_a_moment_that_can_be_read() -> None:
    with pytest.raises(FixConfiguration, match=r"faults\.archive\.after has 'later'"):
        serve(ArchiveFault("corrected", after="later"))
