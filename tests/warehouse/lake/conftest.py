"""Lakes to test on: a folder, and a bucket of a real S3 server on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, open_lake

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
        }
        for number, symbol in enumerate(symbols)
        for minute in range(minutes)
    ]
    return pl.DataFrame(rows, schema=KLINES.schema)


@pytest.fixture
def klines() -> Callable[..., pl.DataFrame]:
    return kline_rows


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_lake(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Lake:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"lake-{abs(hash(request.node.nodeid))}"
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="eu-central-1")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return open_lake(f"s3://{bucket}/team/lake", endpoint_url=s3_endpoint, region="eu-central-1")


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """Every behaviour of the lake, on both stores."""
    if request.param == "s3":
        return request.getfixturevalue("s3_lake")
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))
