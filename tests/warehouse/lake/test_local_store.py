"""The folder under faults: killed writers, full disks, damaged files, readers during a replacement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading.errors import FixConfiguration
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, open_lake
from warehouse.lake.store import STALE_SECONDS, LocalStore

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2025, 3, 1)


def file_of(lake: Lake, day: date = DAY) -> Path:
    return Path(lake.store.uri(f"klines/date={day}/data.parquet"))


def leftovers(lake: Lake) -> list[str]:
    return [
        path.name for path in Path(lake.store.uri("")).rglob("*") if path.is_file() and path.suffix == ".tmp"
    ]


def test_an_identical_rewrite_leaves_the_file_alone(local_lake, klines):
    local_lake.write(KLINES, DAY, klines(DAY, ["A"]))
    before = file_of(local_lake).stat()
    local_lake.write(KLINES, DAY, klines(DAY, ["A"]))
    after = file_of(local_lake).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_bytes_do_not_depend_on_the_number_of_threads(local_lake, klines, tmp_path):
    rows = klines(DAY, [f"S{number:03}" for number in range(30)], minutes=1440)
    here = local_lake.write(KLINES, DAY, rows)
    rows.write_ipc(tmp_path / "rows.arrow")
    code = (
        "import sys, polars as pl; from datetime import date; from warehouse.lake.lake import open_lake;"
        "from warehouse.datasets.market import KLINES; assert pl.thread_pool_size() == 1;"
        "print(open_lake(sys.argv[1]).write(KLINES, date(2025, 3, 1), pl.read_ipc(sys.argv[2])).sha256)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "other"), str(tmp_path / "rows.arrow")],
        cwd=ROOT, env={**os.environ, "POLARS_MAX_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == here.sha256


def test_a_file_size_limit_leaves_the_old_partition(local_lake, klines):
    old = klines(DAY, ["A"])
    local_lake.write(KLINES, DAY, old)
    code = (
        "import resource, sys, polars as pl; from datetime import date\n"
        "from warehouse.lake.lake import open_lake; from warehouse.datasets.market import KLINES\n"
        "lake = open_lake(sys.argv[1]); rows = lake.read(KLINES, date(2025, 3, 1))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "lake.write(KLINES, date(2025, 3, 1), rows.with_columns(pl.col('close') + 1.0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(local_lake.store.root)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "LakeFull" in done.stderr
    assert f"{file_of(local_lake)}: no room to write" in done.stderr
    assert "bytes free" in done.stderr
    assert leftovers(local_lake) == []
    assert_frame_equal(open_lake(str(local_lake.store.root)).read(KLINES, DAY), old)


def test_a_failed_rename_leaves_no_temporary_file(local_lake, klines):
    file_of(local_lake).mkdir(parents=True)  # a folder where the file should go
    with pytest.raises(FixConfiguration, match=r"data\.parquet: cannot be written"):
        local_lake.store.replace(f"klines/date={DAY}/data.parquet", b"x")
    assert leftovers(local_lake) == []


def test_only_a_dead_writers_file_is_swept(local_lake, klines):
    local_lake.write(KLINES, DAY, klines(DAY, ["A"]))
    dead, living = (file_of(local_lake).parent / f".data.parquet.{name}.tmp" for name in ("dead", "living"))
    for path in (dead, living):
        path.write_bytes(b"half")
    past = time.time() - STALE_SECONDS - 60
    os.utime(dead, (past, past))
    local_lake.write(KLINES, DAY, klines(DAY, ["B"]))
    assert leftovers(local_lake) == [living.name]
    assert local_lake.days(KLINES) == [DAY]


#: Writes one new version and is killed at a chosen point of it.
KILLED_WRITER = """
import os, signal, sys, polars as pl
from datetime import date
from warehouse.lake.lake import open_lake
from warehouse.datasets.market import KLINES
lake, day, point = open_lake(sys.argv[1]), date(2025, 3, 1), sys.argv[2]
rows = lake.read(KLINES, day)
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if point == "half":
    opened = os.fdopen
    class Half:
        def __init__(self, *arguments): self.file = opened(*arguments)
        def __enter__(self): return self
        def __exit__(self, *error): self.file.close()
        def write(self, data):
            self.file.write(data[: len(data) // 2]); self.file.flush(); die()
    os.fdopen = Half
if point == "before the sync": os.fsync = die
if point == "before the rename": os.replace = die
if point == "after the rename":
    renamed = os.replace
    os.replace = lambda *names: (renamed(*names), die())
lake.write(KLINES, day, rows.with_columns(pl.lit(2.0).alias(n) for n in ("open", "high", "low", "close")))
"""


def constant(klines, symbols: int = 20, minutes: int = 60) -> pl.DataFrame:
    rows = klines(DAY, [f"S{number:03}" for number in range(symbols)], minutes=minutes)
    return rows.with_columns(pl.lit(1.0).alias(name) for name in ("open", "high", "low", "close"))


def one_version(frame: pl.DataFrame, height: int) -> float:
    """The price of the version that a frame is; fails on a mixture or a part of one."""
    assert frame.height == height
    prices = {frame[name].n_unique() for name in ("open", "high", "low", "close")}
    assert prices == {1}
    assert frame["open"][0] == frame["close"][-1]
    return float(frame["open"][0])


@pytest.mark.parametrize(
    ("point", "price"),
    [("half", 1.0), ("before the sync", 1.0), ("before the rename", 1.0), ("after the rename", 2.0)],
)
def test_kill_9_leaves_the_old_partition_or_the_new(local_lake, klines, point, price):
    local_lake.write(KLINES, DAY, constant(klines))
    root = str(local_lake.store.root)
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, root, point], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    fresh = open_lake(root)
    assert one_version(fresh.read(KLINES, DAY), 1200) == price
    assert fresh.days(KLINES) == [DAY]
    fresh.write(KLINES, DAY, constant(klines).with_columns(close=pl.col("open")))
    assert one_version(fresh.read(KLINES, DAY), 1200) == 1.0


def test_readers_never_see_half_a_replacement(local_lake, klines):
    rows = constant(klines)
    days = [DAY + timedelta(days=offset) for offset in range(5)]
    for offset, day in enumerate(days):
        local_lake.write(KLINES, day, rows.with_columns(pl.col("open_time").dt.offset_by(f"{offset}d")))
    stop = threading.Event()
    failures: list[BaseException] = []
    seen: set[float] = set()

    def read(lake: Lake, how: str) -> None:
        try:
            while not stop.is_set():
                if how == "read":
                    frame = lake.read(KLINES, DAY)
                elif how == "window":
                    frame = open_lake(str(lake.store.root)).window(KLINES, DAY, days[-1])[:1200]
                else:
                    frame = lake.scan(KLINES, DAY, days[-1]).collect()[:1200]
                seen.add(one_version(frame, 1200))
        except BaseException as error:
            failures.append(error)

    ways = ("read", "window", "scan")
    readers = [
        threading.Thread(target=read, args=(open_lake(str(local_lake.store.root)), how)) for how in ways
    ]
    for reader in readers:
        reader.start()
    until = time.monotonic() + 2.5
    price = 1.0
    while time.monotonic() < until and not failures:
        price += 1.0
        names = ("open", "high", "low", "close")
        local_lake.write(KLINES, DAY, rows.with_columns(pl.lit(price).alias(name) for name in names))
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(seen) > 5, "the readers must have seen several versions"


def test_an_unwritable_folder_is_a_setting(tmp_path):
    (tmp_path / "lake").write_text("a file, not a folder")
    with pytest.raises(FixConfiguration, match=r"lake\.uri"):
        LocalStore(tmp_path / "lake").replace("klines/date=2025-03-01/data.parquet", b"x")
