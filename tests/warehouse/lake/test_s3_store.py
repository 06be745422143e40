"""What is particular to S3: credentials, refusals, listings beyond one page."""

from __future__ import annotations

from datetime import date

import pytest

from trading.errors import FixConfiguration, RetryLater
from warehouse.datasets.market import KLINES
from warehouse.lake import s3
from warehouse.lake.lake import open_lake

DAY = date(2025, 3, 1)


def test_an_unknown_bucket_is_a_setting(s3_lake, s3_endpoint, klines):
    lake = open_lake("s3://no-such-bucket/x", endpoint_url=s3_endpoint, region="eu-central-1")
    with pytest.raises(FixConfiguration, match=r"NoSuchBucket.*lake\.uri"):
        lake.write(KLINES, DAY, klines(DAY, ["A"]))
    with pytest.raises(FixConfiguration, match="NoSuchBucket"):
        lake.days(KLINES)


def test_no_credentials_say_so(s3_endpoint, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    lake = open_lake("s3://lake", endpoint_url=s3_endpoint, region="eu-central-1")
    with pytest.raises(FixConfiguration, match="AWS_ACCESS_KEY_ID"):
        lake.days(KLINES)


def test_a_server_that_is_away_may_be_tried_again(s3_lake):
    lake = open_lake("s3://lake", endpoint_url="http://127.0.0.1:9", region="eu-central-1")
    with pytest.raises(RetryLater, match=r"lake\.endpoint_url"):
        lake.read(KLINES, DAY)


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
