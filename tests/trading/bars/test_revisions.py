"""Known-at: corrections keep what they replaced, and a read as of a moment sees what was believed then."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from trading.bars.revisions import as_known, merge, remembered
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import KLINE_REVISIONS
from warehouse.datasets.market import KLINES

START = 1_767_225_600_000
END = START + 5 * MINUTE_MS


def rows(values: dict[tuple[str, int], float], source: str = "binance") -> pl.DataFrame:
    """Klines of minutes since midnight, with one number as every price and amount."""
    columns = {
        name: list(values.values()) for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    opened = [START + minute * MINUTE_MS for _, minute in values]
    return pl.DataFrame(
        {
            "symbol": [symbol for symbol, _ in values],
            "open_time": opened,
            **columns,
            "trades": [None] * len(values),
            "taker_buy_base": [None] * len(values),
            "taker_buy_quote": [None] * len(values),
            "source": [source] * len(values),
            "known_at": [moment + MINUTE_MS for moment in opened],
        },
        schema=KLINES.schema,
    ).sort(KLINES.key)


def test_an_unchanged_value_keeps_its_time_and_takes_the_new_source():
    stored = rows({("A", 0): 1.0})
    merged = merge(
        stored,
        rows({("A", 0): 1.0}, "archive"),
        stored_before_ms=END,
        fetched_at_ms=END * 2,
        partition_sha256="x",
    )
    assert merged.replaced.is_empty()
    assert merged.rows.equals(rows({("A", 0): 1.0}, "archive"))


def test_a_correction_is_known_from_its_fetch_and_what_it_replaced_stays_readable():
    stored, fetched = rows({("A", 0): 1.0, ("A", 1): 2.0}), END + 7
    merged = merge(
        stored,
        rows({("A", 0): 1.5, ("A", 1): 2.0}, "archive"),
        stored_before_ms=END,
        fetched_at_ms=fetched,
        partition_sha256="old",
    )
    assert merged.replaced.schema == KLINE_REVISIONS.schema
    assert merged.replaced.select("open", "partition_sha256", "replaced_by").rows() == [
        (1.0, "old", "archive")
    ]
    before = as_known(merged.rows, merged.replaced, fetched - 1)
    assert before["open"].to_list() == [1.0, 2.0]
    assert as_known(merged.rows, merged.replaced, fetched)["open"].to_list() == [1.5, 2.0]
    assert as_known(merged.rows, merged.replaced, START + MINUTE_MS)["open"].to_list() == [1.0]


def test_a_minute_that_comes_late_is_known_late_and_one_that_had_not_closed_is_not():
    stored = rows({("A", 0): 1.0})
    fresh = rows({("A", 0): 1.0, ("A", 1): 2.0, ("A", 2): 3.0})
    merged = merge(
        stored, fresh, stored_before_ms=START + 2 * MINUTE_MS, fetched_at_ms=END, partition_sha256="x"
    )
    assert merged.late == 1
    assert (merged.rows["known_at"].dt.epoch("ms") - START).to_list() == [
        MINUTE_MS,
        END - START,
        3 * MINUTE_MS,
    ]


def test_a_row_that_the_source_lost_stays():
    stored = rows({("A", 0): 1.0, ("A", 1): 2.0})
    merged = merge(
        stored, rows({("A", 0): 1.0}), stored_before_ms=END, fetched_at_ms=END, partition_sha256="x"
    )
    assert merged.rows.equals(stored)


worlds = st.lists(
    st.dictionaries(st.tuples(st.sampled_from("AB"), st.integers(0, 4)), st.sampled_from([1.0, 2.0, 3.0])),
    min_size=1,
    max_size=5,
)


@given(worlds)
def test_every_moment_reads_as_a_diary_of_the_fetches_would(fetches):
    """The oracle is a dictionary that is updated fetch by fetch and copied each time."""
    klines = pl.DataFrame(schema=KLINES.schema)
    revisions = pl.DataFrame(schema=KLINE_REVISIONS.schema)
    diary: dict[tuple[str, int], float] = {}
    pages = []
    for number, fetched in enumerate(fetches):
        moment = END + number * 1_000
        if number == 0:
            klines = rows(fetched)
        else:
            merged = merge(
                klines,
                rows(fetched),
                stored_before_ms=END,
                fetched_at_ms=moment,
                partition_sha256=str(number),
            )
            klines, revisions = merged.rows, remembered(revisions, merged.replaced)
        diary |= fetched
        pages.append((moment, dict(diary)))
    for moment, page in pages:
        known = as_known(klines, revisions, moment)
        minutes = ((known["open_time"].dt.epoch("ms") - START) // MINUTE_MS).to_list()
        assert dict(zip(zip(known["symbol"], minutes, strict=True), known["open"], strict=True)) == page


@given(worlds)
def test_fetching_the_same_again_changes_nothing(fetches):
    klines = rows(fetches[0])
    again = merge(klines, klines, stored_before_ms=END, fetched_at_ms=END * 2, partition_sha256="x")
    assert again.rows.equals(klines)
    assert again.replaced.is_empty()
    assert again.late == 0


def test_a_run_killed_before_the_klines_were_stored_leaves_one_span():
    stored, fresh = rows({("A", 0): 1.0}), rows({("A", 0): 2.0})
    first = merge(stored, fresh, stored_before_ms=END, fetched_at_ms=END, partition_sha256="x")
    second = merge(stored, fresh, stored_before_ms=END, fetched_at_ms=END + 5, partition_sha256="x")
    spans = remembered(first.replaced, second.replaced)
    assert spans["known_until"].dt.epoch("ms").to_list() == [END + 5]
