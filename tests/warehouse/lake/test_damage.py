"""Damaged, foreign and outdated files are named, on every store; damage elsewhere in a file does not matter."""

from __future__ import annotations

import io
from datetime import date, timedelta

import polars as pl
import pytest

from trading.errors import BadData
from warehouse.datasets.market import KLINES
from warehouse.lake.store import LocalStore

DAY = date(2025, 3, 1)
KEY = f"klines/date={DAY}/data.parquet"


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("damage", ["truncated", "emptied", "not parquet"])
@pytest.mark.parametrize("count", [1, 6])
def test_a_damaged_file_is_named(lake, klines, fresh, damage, count):
    for offset in range(count):
        day = DAY + timedelta(days=offset)
        lake.write(KLINES, day, klines(day, ["A"]))
    data, _ = lake.store.read(KEY)
    broken = {"truncated": data[:-40], "emptied": b"", "not parquet": b"PAR1" + b"x" * 500}[damage]
    lake.store.replace(KEY, broken)
    last = DAY + timedelta(days=count - 1)
    other = fresh(lake)
    acts = [
        lambda: other.read(KLINES, DAY),
        lambda: other.window(KLINES, DAY, last),
        lambda: other.info(KLINES, DAY),
    ]
    if isinstance(lake.store, LocalStore):
        acts.append(lambda: other.scan(KLINES, DAY, last))
    where = lake.store.uri(KEY)
    for act in acts:
        with pytest.raises(BadData, match=f"{where}: not readable Parquet .*tidemill backfill --from {DAY}"):
            act()
    with pytest.raises((BadData, pl.exceptions.PolarsError)):
        other.scan(KLINES, DAY, last).collect()


def test_a_file_of_another_declaration_is_refused(lake, klines):
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    lake.store.replace(KEY, parquet(pl.DataFrame({"symbol": ["A"]})))
    acts = [lambda: lake.read(KLINES, DAY)]
    if isinstance(lake.store, LocalStore):
        acts.append(lambda: lake.scan(KLINES, DAY, DAY))
    for act in acts:
        with pytest.raises(BadData, match="its columns are not those that klines declares now"):
            act()


def test_a_foreign_file_with_the_right_columns_is_read(lake, klines):
    lake.store.replace(KEY, parquet(klines(DAY, ["A", "B"])))
    info = lake.info(KLINES, DAY)
    assert (info.rows, info.symbols) == (6, 2)
    assert lake.scan(KLINES, DAY, DAY).collect().height == 6
    assert lake.read(KLINES, DAY).height == 6


def test_a_symbol_filter_reads_only_its_row_groups(lake, klines, fresh):
    """Damage in the first row group does not matter to a scan for a symbol of the last."""
    import pyarrow.parquet as pq

    symbols = [f"S{number:03}" for number in range(25)]
    lake.write(KLINES, DAY, klines(DAY, symbols, minutes=1440))
    stored, _ = lake.store.read(KEY)
    metadata = pq.ParquetFile(io.BytesIO(stored)).metadata
    groups = [metadata.row_group(number).column(0) for number in range(metadata.num_row_groups)]
    ranges = [(group.statistics.min, group.statistics.max) for group in groups]
    assert ranges == [("S000", "S009"), ("S010", "S019"), ("S020", "S024")]
    columns = range(len(KLINES.columns))
    assert {metadata.row_group(n).column(c).compression for n in range(3) for c in columns} == {"ZSTD"}

    data = bytearray(stored)
    second = groups[1].dictionary_page_offset
    data[4:second] = b"\xff" * (second - 4)
    lake.store.replace(KEY, bytes(data))
    other = fresh(lake)
    assert other.scan(KLINES, DAY, DAY, symbols=["S024", "S013"]).collect().height == 2880
    with pytest.raises(pl.exceptions.PolarsError):
        other.scan(KLINES, DAY, DAY, symbols=["S001"]).collect()
