"""The frame cache: versions, order of eviction, and the size it promises."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from warehouse.lake.cache import FrameCache


def frame(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series([1.0] * rows, dtype=pl.Float64)})


def test_another_version_is_a_miss():
    cache = FrameCache(1_000)
    cache.put("a", (1,), frame(3))
    assert cache.get("a", (1,)) is not None
    assert cache.get("a", (2,)) is None
    cache.put("a", (2,), frame(4))
    assert cache.get("a", (1,)) is None
    assert cache.size_bytes == 32


def test_the_longest_unused_goes_first():
    cache = FrameCache(160)
    cache.put("a", (1,), frame(10))
    cache.put("b", (1,), frame(10))
    cache.get("a", (1,))
    cache.put("c", (1,), frame(10))
    assert cache.get("b", (1,)) is None
    assert cache.get("a", (1,)) is not None


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 40))))
def test_the_size_is_kept(puts):
    cache = FrameCache(200)
    latest = {}
    for key, rows in puts:
        cache.put(key, (rows,), frame(rows))
        latest[key] = rows
        kept = [rows for key, rows in latest.items() if cache.get(key, (rows,)) is not None]
        assert cache.size_bytes == 8 * sum(kept) <= 200
