"""The pandera contract and the lake's own validation accept and refuse the same frames."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading.errors import BadData
from warehouse.contracts import pandera_schema
from warehouse.datasets.catalogue import ALL
from warehouse.lake.validation import validated
from warehouse.schema import TIMESTAMP, Column, Dataset

DAY = date(2025, 3, 1)
START = datetime(2025, 3, 1, tzinfo=UTC)

SAMPLE = Dataset(
    name="sample",
    description="Every kind of column",
    columns=(
        Column("symbol", pl.String, "", "Key"),
        Column("open_time", TIMESTAMP, "UTC", "Key and time"),
        Column("price", pl.Float64, "quote", "Bounded, never null", False, 0.0),
        Column("rating", pl.Float64, "", "Bounded both ways, may be null", True, -1.0, 1.0),
        Column("votes", pl.Int8, "", "Whole number", True, -1, 1),
        Column("label", pl.String, "", "One of two", True, allowed=("buy", "sell")),
        Column("passed", pl.Boolean, "", "Flag"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
)

ROW = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["A", "B", "C", "D", None]) | st.sampled_from("EFGH"),
        "open_time": st.sampled_from([0, 1, 2, 1439, 5, 6, 7, 8, 9]).map(
            lambda m: START + timedelta(minutes=m)
        )
        | st.sampled_from([START - timedelta(milliseconds=1), START + timedelta(days=1), None, START]),
        "price": st.floats(0, 100) | st.sampled_from([0.0, 1.0, -0.1, math.nan, math.inf, None]),
        "rating": st.floats(-1, 1) | st.none() | st.sampled_from([1.0000001, -math.inf, math.nan, 0.5]),
        "votes": st.sampled_from([-1, 0, 1, None, 2]),
        "label": st.sampled_from(["buy", "sell", None, "hold"]),
        "passed": st.sampled_from([True, False, True, False, None]),
    }
)
GOOD = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from("ABCD"),
        "open_time": st.integers(0, 1439).map(lambda minute: START + timedelta(minutes=minute)),
        "price": st.floats(0, 1e300),
        "rating": st.none() | st.floats(-1, 1),
        "votes": st.none() | st.integers(-1, 1),
        "label": st.sampled_from(["buy", "sell", None]),
        "passed": st.booleans(),
    }
)


def verdicts(frame: pl.DataFrame) -> tuple[bool, bool]:
    result = []
    for check in (lambda: validated(SAMPLE, DAY, frame), lambda: CONTRACT.validate(frame)):
        try:
            check()
        except BadData:
            result.append(False)
        else:
            result.append(True)
    return result[0], result[1]


CONTRACT = pandera_schema(SAMPLE, DAY)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.lists(GOOD, max_size=5), st.lists(ROW, max_size=1))
def test_both_say_the_same(good, doubtful):
    native, pandera = verdicts(pl.DataFrame([*good, *doubtful], schema=SAMPLE.schema))
    assert native == pandera


@QUICK
@given(st.lists(GOOD, max_size=5, unique_by=lambda row: (row["symbol"], row["open_time"])))
def test_both_accept_what_is_right(rows):
    assert verdicts(pl.DataFrame(rows, schema=SAMPLE.schema)) == (True, True)


GOOD_ROW = {
    "symbol": "A", "open_time": START, "price": 1.0, "rating": 0.5, "votes": 1, "label": "buy", "passed": True
}  # fmt: skip
BREACHES = [
    {"price": math.nan}, {"rating": math.nan}, {"rating": math.inf}, {"price": None}, {"price": -1e-9},
    {"rating": 1.01}, {"votes": 2}, {"label": "hold"}, {"passed": None}, {"symbol": None},
    {"open_time": START + timedelta(days=1)}, {"open_time": START - timedelta(milliseconds=1)},
]  # fmt: skip


@pytest.mark.parametrize("breach", BREACHES, ids=str)
def test_both_refuse_each_breach(breach):
    good = pl.DataFrame([GOOD_ROW], schema=SAMPLE.schema)
    assert verdicts(good) == (True, True)
    assert verdicts(pl.DataFrame([GOOD_ROW | breach], schema=SAMPLE.schema)) == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("label"),
        lambda frame: frame.with_columns(extra=1),
        lambda frame: frame.cast({"votes": pl.Int64}),
        lambda frame: frame.with_columns(pl.col("open_time").dt.cast_time_unit("us")),
        lambda frame: frame.with_columns(pl.col("open_time").dt.replace_time_zone(None)),
        lambda frame: pl.concat([frame, frame]),
    ],
    ids=["missing", "extra", "dtype", "unit", "zone", "duplicate"],
)
def test_both_refuse_another_shape(change):
    frame = pl.DataFrame([GOOD_ROW], schema=SAMPLE.schema)
    assert verdicts(change(frame)) == (False, False)
    assert verdicts(frame.select(reversed(frame.columns))) == (True, True)


def test_a_lazy_frame_is_checked_by_value():
    """pandera itself lets a LazyFrame's values pass; the contract must not."""
    bad = pl.LazyFrame([GOOD_ROW | {"rating": 7.0}], schema=SAMPLE.schema)
    with pytest.raises(BadData, match="sample: contract broken: rating: .*7.0"):
        CONTRACT.validate(bad)
    good = pl.LazyFrame([GOOD_ROW], schema=SAMPLE.schema)
    assert CONTRACT.validate(good).height == 1


@pytest.mark.parametrize("dataset", ALL, ids=lambda dataset: dataset.name)
def test_every_dataset_has_a_contract_that_accepts_no_rows(dataset):
    empty = pl.DataFrame(schema=dataset.schema)
    assert pandera_schema(dataset).validate(empty).height == 0
    assert validated(dataset, DAY, empty).height == 0
