"""Every rule of a declaration refuses its breach, naming dataset, column, rows and fix."""

from __future__ import annotations

import math
from datetime import date

import polars as pl
import pytest

from trading.errors import BadData
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake

DAY = date(2025, 3, 1)
LAST = pl.int_range(pl.len()) == pl.len() - 1


def broken(column: str, value: object) -> pl.Expr:
    """The last row's column set to a value."""
    dtype = KLINES.schema[column]
    return pl.when(LAST).then(pl.lit(value, dtype)).otherwise(pl.col(column)).alias(column)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("close", math.nan, "column close is NaN or infinite in symbol='B'"),
        ("volume", math.inf, "column volume is NaN or infinite"),
        ("quote_volume", math.nan, "a missing value is null"),
        ("close", None, "column close is null in symbol='B'"),
        ("open", -0.5, r"column open is below 0 in symbol='B'.*open=-0.5; repair"),
        ("trades", -1, "column trades is below 0"),
        ("source", None, "column source is null"),
        ("symbol", None, "column symbol is null"),
    ],
)
def test_a_bad_value_is_refused(lake: Lake, klines, column, value, words):
    with pytest.raises(BadData, match=f"^klines 2025-03-01: .*{words}|{words}"):
        lake.write(KLINES, DAY, klines(DAY, ["A", "B"]).with_columns(broken(column, value)))
    assert lake.days(KLINES) == []


def test_a_repeated_key_is_refused(lake: Lake, klines):
    rows = klines(DAY, ["A", "B"])
    with pytest.raises(BadData, match=r"repeats a key in symbol='B'.*one row per \(symbol, open_time\)"):
        lake.write(KLINES, DAY, pl.concat([rows, rows[3:4]]))


def test_another_day_is_refused(lake: Lake, klines):
    stray = klines(date(2025, 3, 2), ["C"])
    with pytest.raises(BadData, match=r"column open_time is outside 2025-03-01 UTC in symbol='C'.*filter to"):
        lake.write(KLINES, DAY, pl.concat([klines(DAY, ["A"]), stray]))
    lake.write(KLINES, DAY, klines(DAY, ["A"], minutes=1440))


def test_columns_must_be_exactly_the_declared_ones(lake: Lake, klines):
    rows = klines(DAY, ["A"])
    with pytest.raises(
        BadData, match=r"missing columns: volume; unknown columns: volumes \(meant volume\?\)"
    ):
        lake.write(KLINES, DAY, rows.rename({"volume": "volumes"}))
    with pytest.raises(BadData, match="column trades is Int32, declared Int64; cast it"):
        lake.write(KLINES, DAY, rows.with_columns(pl.col("trades").cast(pl.Int32)))
    with pytest.raises(BadData, match="column open_time is Datetime"):
        lake.write(KLINES, DAY, rows.with_columns(pl.col("open_time").dt.cast_time_unit("us")))


def test_a_value_outside_the_allowed_ones_is_refused(lake: Lake):
    row = {"symbol": "A", "first_missing": DAY, "last_missing": DAY, "missing_minutes": 1}
    row |= {"kind": "lost", "reason": ""}
    frame = pl.DataFrame([row]).with_columns(
        pl.col("first_missing", "last_missing").cast(pl.Datetime("ms", "UTC"))
    )
    with pytest.raises(
        BadData, match="column kind is not allowed in .*kind='lost'; use one of not_listed, delisted, venue"
    ):
        lake.write(KLINE_GAPS, DAY, frame.cast({"missing_minutes": pl.Int64}))


def test_only_the_first_offending_rows_are_shown(lake: Lake, klines):
    rows = klines(DAY, ["A"], minutes=60).with_columns(close=pl.lit(-1.0))
    with pytest.raises(BadData) as caught:
        lake.write(KLINES, DAY, rows)
    assert str(caught.value).count("close=-1.0") == 3
    assert "and 57 more" in str(caught.value)
