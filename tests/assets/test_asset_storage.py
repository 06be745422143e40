"""A lake that cannot take a partition: a clear error, and nothing half-written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from apps.sandbox.server import EmbeddedSandbox
from tests.instance import OPEN_DAY, Home, at, failure, run_job


def files(home: Home) -> dict[str, bytes]:
    lake = home.root / "var" / "lake"
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*") if path.is_file()}


def test_a_full_disk_stops_the_asset_and_leaves_the_old_partition(
    home: Home, exchange: EmbeddedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.clock.set(at("00:35"))
    before = files(home)
    real = os.fsync
    struck = []

    def full(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if "bars/interval=15m" in str(path) and stat.S_ISREG(os.fstat(descriptor).st_mode):
            struck.append(path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with home.instance() as (_, instance):
        result = run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat())
    assert struck, "the bytes had been written beside the partition"
    assert not result.success
    assert "no room to write" in failure(result)
    assert "nothing was changed" in failure(result)
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert "klines" in made
    assert made.isdisjoint({"bars_15m", "indicators_15m", "screener_ratings_15m", "fork_scores"})
    after = files(home)
    assert set(after) == set(before), "no temporary file is left"
    of_bars = [name for name in before if name.startswith("bars/interval=15m")]
    assert {name: after[name] for name in of_bars} == {name: before[name] for name in of_bars}


def test_a_lake_that_cannot_be_written_is_named(home: Home, exchange: EmbeddedSandbox) -> None:
    exchange.clock.set(at("00:35"))
    folder = home.root / "var" / "lake" / "kline_gaps" / f"date={OPEN_DAY}"
    (folder / "data.parquet").unlink()
    folder.rmdir()
    folder.write_text("a file where the folder of the partition should be")
    before = files(home)
    with home.instance() as (_, instance):
        result = run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat())
    assert not result.success
    assert f"{folder}/data.parquet: cannot be written" in failure(result)
    assert "lake.uri" in failure(result)
    assert set(files(home)) == set(before)
