"""The nightly suite finds what is wrong with a day, says why, and leaves nothing but its pages."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from suite_lake import SYMBOLS, klines, write_day

from resources.warehouse_suite.suite import KEPT_DAYS, run_suite
from resources.warehouse_suite.tables import TABLES
from trading.errors import BadData
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_CERTIFICATES
from warehouse.datasets.market import KLINES
from warehouse.datasets.research import ML_CONFIDENCE
from warehouse.datasets.screening import FORK_SCORES, INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake, open_lake

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2026, 1, 12)
TODAY = DAY + timedelta(days=1)


def failures(lake: Lake, folder: Path, day: date = DAY) -> set[tuple[str, str]]:
    result = run_suite(lake, day, folder, today=TODAY)
    assert result.index.is_file()
    return {(outcome.table, outcome.about) for outcome in result.failed}


def test_an_ordinary_day_meets_every_expectation(lake, tmp_path, monkeypatch):
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    result = run_suite(lake, DAY, tmp_path / "docs", today=TODAY)
    assert result.failed == ()
    assert result.left_out == ()
    assert {outcome.table for outcome in result.outcomes} == {
        "stored_tables",
        "counts_across_tables",
        *(table.name for table in TABLES),
    }
    assert list(elsewhere.iterdir()) == [], "Great Expectations made no project folder"
    assert [path.name for path in (tmp_path / "docs").iterdir()] == [DAY.isoformat()]
    pages = list(result.index.parent.rglob("validations/**/*.html"))
    assert len(pages) == len(TABLES) + 2
    assert all(table.name in result.index.read_text() for table in TABLES)


def test_a_shrunken_day_is_named_with_its_limits(lake, tmp_path):
    write_day(lake, DAY, klines(DAY, SYMBOLS[:2]))
    result = run_suite(lake, DAY, tmp_path, today=TODAY)
    rows = next(item for item in result.failed if (item.table, item.about) == ("klines", "rows"))
    assert rows.observed == "2880"
    least, most = (int(limit) for limit in rows.limits.split(" to "))
    assert 2880 < least < 4320 < most
    assert rows.expectation == "expect_table_row_count_to_be_between"
    failed = {(item.table, item.about) for item in result.failed}
    assert {("klines", "traded value"), ("bars_1h", "rows"), ("kline_certificates", "rows")} <= failed
    assert {("universe", "symbols that are followed"), ("ml_confidence", "rows")} <= failed


def every_nth(count: int) -> pl.Expr:
    return pl.int_range(pl.len()) % count == 0


def test_spoiled_columns_are_named_and_nothing_else(lake, tmp_path):
    spoiled = klines(DAY).with_columns(
        close=pl.when(every_nth(2)).then(pl.col("close") * 1.01).otherwise(pl.col("close")),
        volume=pl.when(every_nth(3)).then(0.0).otherwise(pl.col("volume")),
        trades=pl.lit(None, pl.Int64),
    )
    lake.write(KLINES, DAY, spoiled)
    rated = lake.read(SCREENER_RATINGS, DAY, Interval.H1)
    rated = rated.with_columns(rating=pl.lit(0.9), vote_rsi=pl.when(every_nth(2)).then(pl.col("vote_rsi")))
    lake.write(SCREENER_RATINGS, DAY, rated, Interval.H1)
    assert failures(lake, tmp_path) == {
        ("klines", "returns from minute to minute"),
        ("klines", "share of minutes without trades"),
        ("klines", "share of rows with trades"),
        ("screener_ratings_1h", "mean rating"),
        ("screener_ratings_1h", "share of rows with vote_rsi"),
    }


def test_counts_that_disagree_are_named_by_pair(lake, tmp_path):
    certified = lake.read(KLINE_CERTIFICATES, DAY)
    lake.write(KLINE_CERTIFICATES, DAY, certified.with_columns(observed=pl.col("observed") - 1))
    indicators = lake.read(INDICATORS, DAY, Interval.H1)
    lake.write(INDICATORS, DAY, indicators.filter(pl.int_range(pl.len()) > 0), Interval.H1)
    assert failures(lake, tmp_path) == {
        ("counts_across_tables", "klines = certified_klines, symbol by symbol"),
        ("counts_across_tables", "bars_1h = indicator_rows_1h, symbol by symbol"),
        ("counts_across_tables", "indicator_rows_1h = rating_rows_1h, symbol by symbol"),
    }


def test_a_symbol_that_one_table_lacks_is_a_difference(lake, tmp_path):
    certified = lake.read(KLINE_CERTIFICATES, DAY)
    lake.write(KLINE_CERTIFICATES, DAY, certified.filter(pl.col("symbol") != SYMBOLS[0]))
    found = failures(lake, tmp_path)
    assert ("counts_across_tables", "klines = certified_klines, symbol by symbol") in found


def test_a_stale_day_is_named(lake, tmp_path):
    write_day(lake, DAY, klines(DAY, minutes=1440 - 70))
    found = failures(lake, tmp_path)
    assert ("klines", "minutes from the newest row to the day's end") in found
    assert ("bars_1h", "minutes from the newest row to the day's end") in found


def test_a_missing_table_is_named_and_the_others_are_judged(lake, tmp_path):
    Path(lake.store.uri(f"fork_scores/date={DAY}/data.parquet")).unlink()
    result = run_suite(lake, DAY, tmp_path, today=TODAY)
    (only,) = result.failed
    assert (only.table, only.about) == ("stored_tables", "every table has a partition of the day")
    assert only.observed == "1 of 10 rows differ"
    assert result.left_out == (f"fork_scores: nothing is stored of {DAY}",)
    assert lake.info(FORK_SCORES, DAY) is None


def test_a_table_without_rows_is_judged_by_its_rows(lake, tmp_path):
    lake.write(ML_CONFIDENCE, DAY, pl.DataFrame(schema=ML_CONFIDENCE.schema))
    assert failures(lake, tmp_path) == {("ml_confidence", "rows")}


def test_the_first_week_has_no_bands_and_says_so(lake, tmp_path):
    day = date(2026, 1, 7)
    result = run_suite(lake, day, tmp_path, today=TODAY)
    assert result.succeeded
    assert set(result.left_out) == {
        f"{table.name}: no bands, 6 earlier day(s) are stored and 7 are needed" for table in TABLES
    }
    kinds = {outcome.expectation for outcome in result.outcomes}
    assert kinds == {
        "expect_column_values_to_not_be_null",
        "expect_column_pair_values_to_be_equal",
        "expect_column_min_to_be_between",
    }
    assert run_suite(lake, day + timedelta(days=1), tmp_path, today=TODAY).left_out == ()


def test_a_column_that_was_always_empty_has_no_band(lake, tmp_path):
    for offset in range(12):
        day = DAY - timedelta(days=offset)
        lake.write(KLINES, day, klines(day).with_columns(quote_volume=pl.lit(None, pl.Float64)))
    result = run_suite(lake, DAY, tmp_path, today=TODAY)
    assert "klines: no band for traded value: known on fewer than 7 earlier days" in result.left_out
    assert "klines" not in {outcome.table for outcome in result.failed}


def test_an_empty_lake_is_told(tmp_path):
    result = run_suite(open_lake(str(tmp_path / "none")), DAY, tmp_path / "docs", today=TODAY)
    (only,) = result.failed
    assert only.observed == "10 of 10 rows differ"
    assert len(result.left_out) == len(TABLES)


def test_an_open_day_is_refused(lake, tmp_path):
    with pytest.raises(BadData, match="day 2026-01-12 has not closed: judge 2026-01-11 or an earlier one"):
        run_suite(lake, DAY, tmp_path, today=DAY)
    assert not (tmp_path / "docs").exists()


def test_a_day_judged_again_replaces_its_pages_and_old_days_go(lake, tmp_path):
    for offset in range(KEPT_DAYS + 3):
        (tmp_path / (date(2025, 1, 1) + timedelta(days=offset)).isoformat()).mkdir()
    first = run_suite(lake, DAY, tmp_path, today=TODAY)
    (first.index.parent / "left over").write_text("of the first run")
    again = run_suite(lake, DAY, tmp_path, today=TODAY)
    assert again.index == first.index
    assert not (first.index.parent / "left over").exists()
    names = sorted(path.name for path in tmp_path.iterdir() if path.name != "lake")
    assert len(names) == KEPT_DAYS
    assert names[-1] == DAY.isoformat()
    assert names[0] == "2025-01-05"


def test_a_failure_leaves_the_pages_of_before(lake, tmp_path):
    first = run_suite(lake, DAY, tmp_path / "docs", today=TODAY)
    Path(lake.store.uri(f"klines/date={DAY}/data.parquet")).write_bytes(b"not parquet")
    with pytest.raises(BadData, match="not readable Parquet"):
        run_suite(open_lake(lake.store.uri("")), DAY, tmp_path / "docs", today=TODAY)
    assert first.index.is_file()
    assert [path.name for path in (tmp_path / "docs").iterdir()] == [DAY.isoformat()]


def test_great_expectations_is_imported_only_when_it_works():
    """It takes seconds and hundreds of mebibytes, which a code location must not pay."""
    code = (
        "import sys, assets.warehouse_suite, resources.warehouse_suite.suite\n"
        "assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
