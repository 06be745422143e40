"""Every payment that was due and every count is there, or stands in a hole with its kind."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.bars.futures_certificate import SeriesFacts, certify_series
from trading.bars.futures_gaps import find_funding_gaps, find_open_interest_gaps, payments_due
from trading.bars.gaps import expected_minutes
from trading.model.days import start_ms
from trading.model.interval import DAY_MS, MINUTE_MS
from warehouse.datasets.certificates import KLINE_REPAIRS, KLINE_SOURCES
from warehouse.datasets.futures_certificates import FUTURES_CERTIFICATES
from warehouse.lake.validation import validated

DAY = date(2026, 1, 3)
START = start_ms(DAY)
END = START + DAY_MS
HOUR = 60 * MINUTE_MS
STEP = 5 * MINUTE_MS
_STAMP = pl.Datetime("ms", "UTC")


def contracts(**interval_hours: int | None) -> pl.DataFrame:
    rows = [(symbol, None, None, hours) for symbol, hours in interval_hours.items()]
    schema = {"symbol": pl.String, "listed_at": _STAMP, "delisted_at": _STAMP, "interval_hours": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def funding(*payments: tuple[float, int | None], symbol: str = "BTCUSDT") -> pl.DataFrame:
    """Payments as hours of the day and what each says of its interval, stamped some milliseconds late."""
    rows = [(symbol, START + int(hour * HOUR) + 7, hours, "archive") for hour, hours in payments]
    schema = {"symbol": pl.String, "funding_time": _STAMP, "interval_hours": pl.Int64, "source": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def hours_missing(rows: pl.DataFrame, closed_ms: int = END, **known: int | None) -> list[float]:
    members = contracts(**known)
    gaps = find_funding_gaps(payments_due(rows, members, DAY, closed_ms), members)
    assert (gaps["missing_minutes"] == 1).all()
    return [(ms - START) / HOUR for ms in gaps["first_missing"].dt.epoch("ms")]


@pytest.mark.parametrize(
    ("payments", "master", "missing"),
    [
        (((0, 8), (8, 8), (16, 8)), 8, []),
        (((0, 8), (16, 16)), 8, [8]),  # the source derived an interval that hides the hole
        (((0, None), (16, None)), 8, [8]),
        (((8, 8), (16, 8)), 8, [0]),
        (((0, 8), (8, 8)), 8, [16]),
        ((), 8, [0, 8, 16]),
        (((0, 8), (8, 8), (12, 4), (16, 4), (20, 4)), 8, []),  # the interval shrank at noon
        (((0, 8), (8, 8), (12, 4), (20, 4)), 8, [16]),
        (tuple((hour, 1) for hour in range(24)), 1, []),
        (tuple((hour, 1) for hour in range(24) if hour not in (5, 6)), None, [5, 6]),
        ((), None, []),  # nobody can tell
    ],
)
def test_a_payment_that_was_due_and_is_not_there_is_missing(payments, master, missing) -> None:
    assert hours_missing(funding(*payments), BTCUSDT=master) == missing


def test_what_is_due_after_the_close_is_not_missing() -> None:
    assert hours_missing(funding((0, 8)), closed_ms=START + 8 * HOUR, BTCUSDT=8) == []
    assert hours_missing(funding((0, 8)), closed_ms=START + 8 * HOUR + MINUTE_MS, BTCUSDT=8) == [8]


@given(interval=st.sampled_from([1, 2, 4, 8]), data=st.data())
def test_exactly_the_payments_that_are_taken_away_are_missing(interval: int, data: st.DataObject) -> None:
    slots = list(range(0, 24, interval))
    taken = data.draw(st.sets(st.sampled_from(slots)))
    rows = funding(*((hour, interval) for hour in slots if hour not in taken))
    assert hours_missing(rows, BTCUSDT=interval) == sorted(taken)


def test_before_the_listing_nothing_is_held_against_a_contract() -> None:
    listed = pl.lit(START + 9 * HOUR).cast(_STAMP).alias("listed_at")
    members = contracts(BTCUSDT=8).with_columns(listed)
    gaps = find_funding_gaps(payments_due(funding(), members, DAY, END), members)
    assert gaps["kind"].to_list() == ["not_listed", "not_listed", "source_defect"]


def interest(symbol: str, counts: list[int]) -> pl.DataFrame:
    times = [START + count * STEP for count in counts]
    return pl.DataFrame(
        {"symbol": symbol, "time": times, "source": "archive"}, schema_overrides={"time": _STAMP}
    )


@given(taken=st.sets(st.integers(0, 287)))
def test_exactly_the_counts_that_are_taken_away_are_missing(taken: set[int]) -> None:
    both = [interest("AAAUSDT", list(range(288))), interest("BBBUSDT", sorted(set(range(288)) - taken))]
    members = contracts(AAAUSDT=8, BBBUSDT=8)
    gaps = find_open_interest_gaps(pl.concat(both), members, DAY, END)
    assert int(gaps["missing_minutes"].sum()) == len(taken)
    found = {
        (first + step * STEP - START) // STEP
        for first, length in zip(gaps["first_missing"].dt.epoch("ms"), gaps["missing_minutes"], strict=True)
        for step in range(length)
    }
    assert found == taken
    assert expected_minutes(members, DAY, END, STEP)["expected"].to_list() == [288, 288]


def certificate(rows: pl.DataFrame, expected: int | None, gaps: pl.DataFrame) -> dict[str, object]:
    facts = SeriesFacts(
        name="funding_rates",
        rows=rows,
        expected=pl.DataFrame(
            {"symbol": ["BTCUSDT"], "expected": [expected]}, schema_overrides={"expected": pl.Int64}
        ),
        gaps=gaps,
        repairs=pl.DataFrame(schema=KLINE_REPAIRS.schema),
        revisions=pl.DataFrame(schema={"symbol": pl.String, "time": pl.Datetime("ms", "UTC")}),
        files=pl.DataFrame(
            [("BTCUSDT", "a.zip", "0" * 64, 10, "archive")], schema=KLINE_SOURCES.schema, orient="row"
        ),
        sha256="1" * 64,
    )
    made = certify_series(facts, missing_fraction=0.02)
    return validated(FUTURES_CERTIFICATES, DAY, made).row(0, named=True)


@pytest.mark.parametrize(
    ("payments", "master", "reason"),
    [
        (((0, 8), (8, 8), (16, 8)), 8, ""),
        (((0, 8), (16, 8)), 8, "1 of 3 rows are missing that must exist"),
        ((), 8, "it has no rows"),
        ((), None, "nobody can tell what was due: its funding interval is not known"),
    ],
)
def test_a_certificate_tells_why_it_is_refused(payments, master, reason) -> None:
    rows, members = funding(*payments), contracts(BTCUSDT=master)
    due = payments_due(rows, members, DAY, END)
    found = certificate(rows, due.height or None, find_funding_gaps(due, members))
    assert found["reason"] == reason
    assert found["status"] == ("refused" if reason else "certified")
    assert found["observed"] == len(payments)
    assert found["files"] == 1
