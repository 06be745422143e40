"""Lakes to test on: a folder, and a bucket of a real S3 server on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from faulty_s3 import S3Server

from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, open_lake
from warehouse.lake.s3 import S3Store

DAY = date(2025, 3, 1)


def kline_rows(day: date, symbols: list[str], minutes: int = 3, base: float = 100.0) -> pl.DataFrame:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rows = [
        {
            "symbol": symbol,
            "open_time": start + timedelta(minutes=minute),
            "open": base + number,
            "high": base + number + 2,
            "low": base + number - 2,
            "close": base + number + minute / 7,
            "volume": 10.0 + minute,
            "quote_volume": None if minute == 1 else 1000.0,
            "trades": minute,
            "taker_buy_base": 1.0,
            "taker_buy_quote": None,
            "source": "files",
            "known_at": start + timedelta(minutes=minute + 1),
        }
        for number, symbol in enumerate(symbols)
        for minute in range(minutes)
    ]
    return pl.DataFrame(rows, schema=KLINES.schema)


@pytest.fixture
def klines() -> Callable[..., pl.DataFrame]:
    return kline_rows


@pytest.fixture(scope="session")
def _server() -> Iterator[S3Server]:
    import logging

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3_server(_server: S3Server) -> S3Server:
    """The server, with no fault left over from another test."""
    _server.clear()
    return _server


@pytest.fixture(scope="session")
def _owner(_server: S3Server) -> Any:
    """A client of the bucket's owner; making one takes longer than most tests."""
    import boto3

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("s3", endpoint_url=_server.endpoint, region_name="eu-central-1", **keys)


@pytest.fixture
def s3_lake(
    s3_server: S3Server, _owner: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Lake:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"lake-{abs(hash(request.node.nodeid))}"
    _owner.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3_server.clear()
    return open_lake(f"s3://{bucket}/team/lake", endpoint_url=s3_server.endpoint, region="eu-central-1")


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """Every behaviour of the lake, on both stores."""
    if request.param == "s3":
        return request.getfixturevalue("s3_lake")
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def fresh() -> Callable[[Lake], Lake]:
    """The same lake as another process would see it: nothing in memory."""

    def opened(lake: Lake) -> Lake:
        if isinstance(lake.store, S3Store):
            store = lake.store
            return open_lake(store.uri(""), endpoint_url=store.endpoint_url, region=store.region)
        return open_lake(lake.store.uri(""))

    return opened
