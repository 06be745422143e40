"""Every missing minute has one kind, the first that applies, and a reason; quiet minutes are data."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.gaps import GAP_KINDS, GapEvidence, expected_minutes, find_gaps
from trading.instruments.calendar import Maintenance
from trading.model.days import start_ms
from trading.model.interval import DAY_MS, MINUTE_MS
from warehouse.datasets.certificates import KLINE_GAPS

DAY = date(2026, 1, 3)
START = start_ms(DAY)
END = START + 20 * MINUTE_MS
_STAMP = pl.Datetime("ms", "UTC")


def klines(minutes: dict[str, list[int]], volume: dict[tuple[str, int], float] | None = None) -> pl.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "open_time": START + minute * MINUTE_MS,
            "volume": (volume or {}).get((symbol, minute), 1.0),
        }
        for symbol, present in minutes.items()
        for minute in present
    ]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "open_time": _STAMP, "volume": pl.Float64})


def listed(**spans: tuple[int | None, int | None]) -> pl.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "listed_at": None if first is None else START + first * MINUTE_MS,
            "delisted_at": None if last is None else START + last * MINUTE_MS,
        }
        for symbol, (first, last) in spans.items()
    ]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "listed_at": _STAMP, "delisted_at": _STAMP})


def asked(symbol: str, first: int, last: int, source: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [symbol],
            "first_missing": [START + first * MINUTE_MS],
            "last_missing": [START + last * MINUTE_MS],
            "asked": [source],
        }
    ).cast({"first_missing": _STAMP, "last_missing": _STAMP})


def runs(gaps: pl.DataFrame) -> list[tuple[str, int, int, str]]:
    assert gaps.schema == KLINE_GAPS.schema
    first = (gaps["first_missing"].dt.epoch("ms") - START) // MINUTE_MS
    return list(zip(gaps["symbol"], first, gaps["missing_minutes"], gaps["kind"], strict=True))


ALL = list(range(20))


def without(*gone: int) -> list[int]:
    return [minute for minute in ALL if minute not in gone]


def test_each_kind_is_told_by_its_evidence():
    present = {
        "AAA": without(5, 6, 10, 15, 16, 17, 18, 19),
        "BBB": without(0, 1, 2, 5, 6, 10, 15, 16, 17, 18, 19),
        "CCC": without(8, 10, 12, 13, 14, 15, 16, 17, 18, 19),
        "DDD": without(3, 10, 15, 16, 17, 18, 19),
    }
    quiet = {("DDD", 2): 0.0, ("DDD", 4): 0.0}
    evidence = GapEvidence(
        fetched_before_ms=START + 18 * MINUTE_MS,
        maintenance=[Maintenance("binance", START + 15 * MINUTE_MS, START + 17 * MINUTE_MS, "upgrade")],
        asked=asked("AAA", 5, 6, "binance"),
    )
    found = find_gaps(
        klines(present, quiet),
        listed(AAA=(None, None), BBB=(3, None), CCC=(0, 12), DDD=(0, None)),
        DAY,
        END,
        evidence,
    )
    common = [
        (10, 1, "venue_outage"),
        (15, 2, "venue_maintenance"),
        (17, 1, "venue_outage"),
        (18, 2, "our_outage"),
    ]
    assert runs(found) == [
        *[("AAA", *run) for run in [(5, 2, "no_trades"), *common]],
        *[("BBB", *run) for run in [(0, 3, "not_listed"), (5, 2, "source_defect"), *common]],
        *[("CCC", *run) for run in [(8, 1, "source_defect"), (10, 1, "venue_outage"), (12, 8, "delisted")]],
        *[("DDD", *run) for run in [(3, 1, "no_trades"), *common]],
    ]
    reasons = dict(zip(zip(found["symbol"], found["kind"], strict=True), found["reason"], strict=True))
    assert reasons["AAA", "no_trades"] == "asked binance: no bar there either"
    assert reasons["AAA", "venue_maintenance"] == "upgrade"
    assert reasons["DDD", "no_trades"] == "the bars around it are empty"
    assert reasons["CCC", "venue_outage"] == "none of 4 symbols has it; the cause is unknown"


def test_a_minute_without_trades_is_data():
    rows = klines({"AAA": ALL}, {("AAA", minute): 0.0 for minute in ALL})
    assert find_gaps(rows, listed(AAA=(None, None)), DAY, END).is_empty()


def test_a_lone_symbol_is_no_venue():
    found = find_gaps(klines({"AAA": without(7)}), listed(AAA=(None, None)), DAY, END)
    assert runs(found) == [("AAA", 7, 1, "source_defect")]


def test_a_symbol_without_any_bar_is_missing_whole():
    rows = klines({"AAA": ALL})
    found = find_gaps(rows, listed(AAA=(None, None), BBB=(None, None)), DAY, END)
    assert runs(found) == [("BBB", 0, 20, "source_defect")]


def test_two_sources_that_agree_are_both_named():
    both = pl.concat([asked("AAA", 7, 7, "binance"), asked("AAA", 7, 7, "archive")])
    found = find_gaps(
        klines({"AAA": without(7), "BBB": ALL}),
        listed(AAA=(None, None), BBB=(None, None)),
        DAY,
        END,
        GapEvidence(asked=both),
    )
    assert found["reason"].to_list() == ["asked archive, binance: no bar there either"]


spans = st.tuples(st.none() | st.integers(-5, 25), st.none() | st.integers(-5, 25))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["AAA", "BBB", "CCC"]), st.tuples(spans, st.sets(st.integers(0, 19))), min_size=1
    ),
    st.none() | st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 19), st.integers(1, 5)), max_size=2),
)
def test_missing_minutes_are_covered_exactly_once(world, fetched, closures):
    universe = listed(**{symbol: span for symbol, (span, _) in world.items()})
    present = {symbol: sorted(minutes) for symbol, (_, minutes) in world.items()}
    evidence = GapEvidence(
        fetched_before_ms=None if fetched is None else START + fetched * MINUTE_MS,
        maintenance=[
            Maintenance("binance", START + first * MINUTE_MS, START + (first + length) * MINUTE_MS, "closed")
            for first, length in closures
        ],
    )
    found = find_gaps(klines(present), universe, DAY, END, evidence)
    covered = [
        (symbol, minute)
        for symbol, first, length, _ in runs(found)
        for minute in range(first, first + length)
    ]
    assert sorted(covered) == sorted(
        (s, m) for s, minutes in present.items() for m in ALL if m not in minutes
    )
    assert set(found["kind"]) <= set(GAP_KINDS)
    for symbol, first, length, kind in runs(found):
        listing, delisting = world[symbol][0]
        for minute in range(first, first + length):
            before = listing is not None and minute < listing
            assert (kind == "not_listed") == before
            assert (kind == "delisted") == (not before and delisting is not None and minute >= delisting)


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ((None, None), 1440),
        ((0, None), 1440),
        ((60, None), 1380),
        ((None, 60), 60),
        ((60, 120), 60),
        ((1500, None), 0),
        ((None, -1), 0),
    ],
)
def test_expected_minutes_lie_between_listing_and_delisting(span, minutes):
    assert expected_minutes(listed(AAA=span), DAY, START + DAY_MS)["expected"].to_list() == [minutes]
