"""What is particular to S3: credentials, refusals, faults on the way, round trips, addresses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from faulty_s3 import html, refusal
from polars.testing import assert_frame_equal

from trading.errors import FixConfiguration, RetryLater
from warehouse.datasets.market import KLINES
from warehouse.lake import s3
from warehouse.lake.lake import PartitionMissing, open_lake
from warehouse.lake.store import LakeFull

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2025, 3, 1)
BUSY = refusal("503 Service Unavailable", "ServiceUnavailable")


@pytest.fixture
def hasty(monkeypatch):
    """Two attempts a request: the pauses between five would make the tests wait."""
    monkeypatch.setattr(s3, "ATTEMPTS", 2)


def test_an_unknown_bucket_is_a_setting(s3_lake, s3_server, klines):
    lake = open_lake("s3://no-such-bucket/x", endpoint_url=s3_server.endpoint, region="eu-central-1")
    for act in (
        lambda: lake.write(KLINES, DAY, klines(DAY, ["A"])),
        lambda: lake.days(KLINES),
        lambda: lake.read(KLINES, DAY),
        lambda: lake.window(KLINES, DAY, DAY),
    ):
        with pytest.raises(
            FixConfiguration, match=r"no-such-bucket.*NoSuchBucket.*create the bucket.*lake\.uri"
        ):
            act()


def test_no_credentials_say_so(s3_server, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    lake = open_lake("s3://lake", endpoint_url=s3_server.endpoint, region="eu-central-1")
    with pytest.raises(FixConfiguration, match="AWS_ACCESS_KEY_ID"):
        lake.days(KLINES)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    lake = open_lake("s3://lake", endpoint_url=s3_server.endpoint, region="eu-central-1")
    with pytest.raises(FixConfiguration, match="nobody.*credentials"):
        lake.days(KLINES)


@pytest.mark.parametrize(
    ("uri", "endpoint"), [("s3://lake", "not a url"), ("s3://Not_A_Bucket!/x", "http://127.0.0.1:9")]
)
def test_an_impossible_address_is_a_setting(s3_lake, uri, endpoint):
    lake = open_lake(uri, endpoint_url=endpoint, region="eu-central-1")
    with pytest.raises(FixConfiguration, match=r"check lake\.uri, lake\.region and lake\.endpoint_url"):
        lake.days(KLINES)


def test_a_server_that_is_away_may_be_tried_again(s3_lake, hasty):
    lake = open_lake("s3://lake", endpoint_url="http://127.0.0.1:9", region="eu-central-1")
    with pytest.raises(RetryLater, match=r"lake\.endpoint_url"):
        lake.read(KLINES, DAY)


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        ("403 Forbidden", "AccessDenied", FixConfiguration, "AccessDenied.*grant s3:ListBucket"),
        ("403 Forbidden", "RequestTimeTooSkewed", FixConfiguration, "clock is wrong"),
        ("403 Forbidden", "SignatureDoesNotMatch", FixConfiguration, "check the credentials"),
        ("400 Bad Request", "ExpiredToken", FixConfiguration, "check the credentials"),
        ("301 Moved Permanently", "PermanentRedirect", FixConfiguration, r"check .*lake\.region"),
        ("503 Slow Down", "SlowDown", RetryLater, "SlowDown.*run again later"),
        ("503 Service Unavailable", "ServiceUnavailable", RetryLater, "whole, old or new"),
        ("500 Internal Server Error", "InternalError", RetryLater, "whole, old or new"),
        ("507 Insufficient Storage", "XMinioStorageFull", LakeFull, "nothing was changed. Free space"),
    ],
)
def test_a_refused_request_says_what_to_do(
    s3_lake, s3_server, klines, fresh, hasty, status, code, error, words
):
    old = klines(DAY, ["A"])
    s3_lake.write(KLINES, DAY, old)
    lake = fresh(s3_lake)
    address = f"{s3_lake.store.uri('')}klines/"
    s3_server.fail("PUT", *[refusal(status, code)] * 2)
    with pytest.raises(error, match=f"{address}date=2025-03-01/data.parquet.*{words}"):
        lake.write(KLINES, DAY, klines(DAY, ["B"]))
    s3_server.clear()
    for act in (lambda: lake.days(KLINES), lambda: lake.read(KLINES, DAY), lambda: lake.info(KLINES, DAY)):
        s3_server.fail("GET", *[refusal(status, code)] * 2)
        with pytest.raises(error, match=f"{address}.*{words}"):
            act()
        s3_server.clear()
    assert_frame_equal(lake.read(KLINES, DAY), old)


def test_a_server_that_is_busy_for_a_moment_is_waited_for(s3_lake, s3_server, klines, hasty, fresh):
    s3_server.fail("PUT", BUSY)
    s3_lake.write(KLINES, DAY, klines(DAY, ["A"]))
    s3_server.fail("GET", BUSY)
    assert fresh(s3_lake).read(KLINES, DAY).height == 3


def test_what_does_not_speak_s3_is_said(s3_lake, s3_server, klines, hasty):
    """A proxy, or the web console of a server: HTML, with status 200."""
    for method, act in (
        ("PUT", lambda: s3_lake.write(KLINES, DAY, klines(DAY, ["A"]))),
        ("GET", lambda: s3_lake.days(KLINES)),
    ):
        s3_server.fail(method, html, html)
        with pytest.raises(RetryLater, match=r"does lake\.endpoint_url lead to S3"):
            act()
    s3_server.fail("GET", html)
    with pytest.raises(FixConfiguration, match=r"does not speak S3.*lake\.endpoint_url"):
        s3_lake.store.read("klines/date=2025-03-01/data.parquet")


@pytest.mark.parametrize("count", [1, 6])
def test_an_answer_that_breaks_off_is_asked_for_again(s3_lake, s3_server, klines, fresh, hasty, count):
    every = [DAY + timedelta(days=offset) for offset in range(count)]
    for day in every:
        s3_lake.write(KLINES, day, klines(day, ["A"], minutes=500))
    lake = fresh(s3_lake)
    assert lake.days(KLINES) == every  # the listing is answered; what breaks off is an object
    lists = len(s3_server.requests)
    s3_server.fail("GET", s3_server.break_off)
    data, _ = lake.store.read(f"klines/date={DAY}/data.parquet")
    assert data == s3_lake.store.read(f"klines/date={DAY}/data.parquet")[0]
    assert len(s3_server.requests) == lists + 3
    assert lake.window(KLINES, DAY, every[-1]).height == 500 * count


def test_answers_that_always_break_off_may_be_tried_again(s3_lake, s3_server, klines, hasty):
    s3_lake.write(KLINES, DAY, klines(DAY, ["A"], minutes=500))
    s3_server.fail("GET", *[s3_server.break_off] * 2)
    with pytest.raises(RetryLater, match="date=2025-03-01.*check the network"):
        s3_lake.store.read(f"klines/date={DAY}/data.parquet")


#: Writes a second version of a partition; the server kills it on the way.
WRITER = """
import sys, polars as pl
from datetime import date
from warehouse.lake.lake import open_lake
from warehouse.datasets.market import KLINES
lake = open_lake(sys.argv[1], endpoint_url=sys.argv[2], region="eu-central-1")
rows = lake.read(KLINES, date(2025, 3, 1))
print("ready", flush=True)
lake.write(KLINES, date(2025, 3, 1), rows.with_columns(pl.col("close") + 1.0))
"""


@pytest.mark.parametrize("stored", [False, True])
def test_kill_9_of_a_writer_leaves_the_old_object_or_the_new(s3_lake, s3_server, klines, fresh, stored):
    old = klines(DAY, ["A", "B"], minutes=1440)
    s3_lake.write(KLINES, DAY, old)
    writers: list[int] = []

    def writer() -> int:
        for _ in range(200):
            if writers:
                return writers[0]
            time.sleep(0.05)
        raise TimeoutError("the writer has not started")

    s3_server.fail("PUT", s3_server.kill(writer, stored=stored))
    command = [sys.executable, "-c", WRITER, s3_lake.store.uri(""), s3_server.endpoint]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)
    writers.append(process.pid)
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out.strip()) == (-signal.SIGKILL, "ready")
    lake = fresh(s3_lake)
    assert lake.days(KLINES) == [DAY]
    closes = lake.read(KLINES, DAY)["close"] - old["close"]
    assert closes.round(6).unique().to_list() == [1.0 if stored else 0.0]


def test_listings_longer_than_a_page(s3_lake, monkeypatch):
    monkeypatch.setattr(s3, "PAGE_OBJECTS", 10)
    keys = [f"klines/date={date.fromordinal(730_000 + n)}/data.parquet" for n in range(25)]
    for key in keys:
        s3_lake.store.replace(key, b"x")
    assert s3_lake.store.keys("klines/") == keys
    stamps = s3_lake.store.stamps([*keys[3:24], "klines/date=4000-01-01/data.parquet"])
    assert stamps.count(None) == 1
    assert stamps[-1] is None
    assert len(s3_lake.days(KLINES)) == 25


def listings(requests) -> list[str]:
    return [request.query for request in requests if "list-type=2" in request.query]


def test_a_window_lists_once_however_long_it_is(s3_lake, s3_server, klines, fresh):
    every = [DAY + timedelta(days=offset) for offset in range(60)]
    for day in every:
        s3_lake.write(KLINES, day, klines(day, ["A"]))
    lake = fresh(s3_lake)
    s3_server.clear()
    assert lake.window(KLINES, every[5], every[-1]).height == 3 * 55
    assert len(listings(s3_server.requests)) == 2, "before the scan, and after it: nothing changed meanwhile"
    s3_server.clear()
    assert lake.window(KLINES, every[6], every[-1]).height == 3 * 54
    assert [request.method for request in s3_server.requests] == ["GET"]
    assert len(listings(s3_server.requests)) == 1, "a warm window is one listing and nothing else"
    assert "max-keys=54" in s3_server.requests[0].query
    s3_server.clear()
    lake.write(KLINES, every[-1], klines(every[-1], ["A", "B"]))
    assert lake.read(KLINES, every[-1]).height == 6
    assert [request.method for request in s3_server.requests] == ["PUT", "GET"]


def test_a_missing_day_costs_one_listing(s3_lake, s3_server):
    with pytest.raises(PartitionMissing, match="tidemill backfill"):
        s3_lake.read(KLINES, DAY)
    assert [request.method for request in s3_server.requests] == ["GET"]


def test_another_vendors_bucket_stands_in_the_path(s3_lake, s3_server, klines):
    """MinIO and others have no DNS name per bucket, and do not know AWS's newer checksums."""
    from warehouse.views import query

    s3_lake.write(KLINES, DAY, klines(DAY, ["A"]))
    assert s3_lake.scan(KLINES, DAY, DAY).collect().height == 3
    assert query(s3_lake, "SELECT count(*) FROM klines", 1).item() == 3
    bucket = s3_lake.store.bucket
    assert {request.path.split("/")[1] for request in s3_server.requests} == {bucket}


def test_a_prefix_may_be_empty_or_have_slashes(s3_lake, s3_server, klines, fresh):
    for uri in (f"s3://{s3_lake.store.bucket}", f"s3://{s3_lake.store.bucket}//a/b//"):
        lake = open_lake(uri, endpoint_url=s3_server.endpoint, region="eu-central-1")
        lake.write(KLINES, DAY, klines(DAY, ["A"]))
        assert fresh(lake).window(KLINES, DAY, DAY).height == 3
        assert lake.days(KLINES) == [DAY]
