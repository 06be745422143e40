from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from trading.bars.filters import derive_instrument, split_symbol
from trading.bars.gaps import find_gaps
from trading.bars.quality import (
    CheckOutcome,
    QualitySettings,
    check_duplicates,
    check_klines,
    check_ohlc_order,
    check_range,
    check_staleness,
)
from trading.model.interval import DAY_MS, MINUTE_MS
from warehouse.datasets.market import INSTRUMENTS, KLINE_GAPS, KLINES

DAY = date(2026, 1, 5)
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
END = START + DAY_MS


def klines(minutes: dict[str, list[int]], price: float = 100.0) -> pl.DataFrame:
    rows = [(symbol, START + minute * MINUTE_MS) for symbol, some in minutes.items() for minute in some]
    return pl.DataFrame(
        {
            "symbol": [row[0] for row in rows],
            "open_time": [row[1] for row in rows],
            **{name: [price] * len(rows) for name in ("open", "high", "low", "close")},
            "volume": [1.0] * len(rows),
            "quote_volume": [price] * len(rows),
            "trades": [3] * len(rows),
            "taker_buy_base": [0.5] * len(rows),
            "taker_buy_quote": [50.0] * len(rows),
            "source": ["sandbox"] * len(rows),
        }
    ).cast(KLINES.schema)  # type: ignore[arg-type]


def instruments(listed_ms: dict[str, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": list(listed_ms),
            **{name: ["1"] * len(listed_ms) for name in list(INSTRUMENTS.schema)[1:8]},
            "listed_at": list(listed_ms.values()),
            "status": ["TRADING"] * len(listed_ms),
        },
        schema_overrides={"listed_at": pl.Int64},
    ).cast(INSTRUMENTS.schema)  # type: ignore[arg-type]


def all_but(*holes: range) -> list[int]:
    return [minute for minute in range(1440) if not any(minute in hole for hole in holes)]


def outcomes(
    rows: pl.DataFrame, universe: pl.DataFrame, closed: int = END, settings: QualitySettings | None = None
) -> dict[str, CheckOutcome]:
    gaps = find_gaps(rows, universe, DAY, closed)
    found = check_klines(rows, gaps, universe, DAY, closed, settings or QualitySettings())
    return {outcome.name: outcome for outcome in found}


def test_gaps_tell_whose_silence_it_was() -> None:
    silence = range(600, 610)
    rows = klines({"A": all_but(silence, range(100, 103)), "B": all_but(silence, range(60))})
    universe = instruments({"A": None, "B": START + 60 * MINUTE_MS})
    gaps = find_gaps(rows, universe, DAY, END)
    assert gaps.schema == KLINE_GAPS.schema
    assert gaps.select("symbol", "missing_minutes", "kind").rows() == [
        ("A", 3, "symbol"),
        ("A", 10, "venue"),
        ("B", 60, "not_listed"),
        ("B", 10, "venue"),
    ]
    last = gaps.row(0, named=True)["last_missing"]
    assert last.timestamp() * 1000 == START + 102 * MINUTE_MS


def test_the_open_day_expects_only_closed_minutes() -> None:
    rows = klines({"A": list(range(90))})
    universe = instruments({"A": None})
    closed = START + 90 * MINUTE_MS + 30_000
    assert find_gaps(rows, universe, DAY, closed).is_empty()
    assert find_gaps(rows, universe, DAY, START - 1).is_empty()
    assert all(outcome.passed for outcome in outcomes(rows, universe, closed).values())


def test_a_venue_outage_warns_and_a_symbol_hole_over_the_tolerance_blocks() -> None:
    universe = instruments({"A": None, "B": None})
    outage = outcomes(klines({"A": all_but(range(60)), "B": all_but(range(60))}), universe)
    assert (outage["venue_gaps"].passed, outage["venue_gaps"].severity) == (False, "warn")
    assert outage["symbol_gaps"].passed
    hole = outcomes(klines({"A": all_but(range(60)), "B": all_but()}), universe)["symbol_gaps"]
    assert (hole.passed, hole.severity) == (False, "block")
    assert hole.value == pytest.approx(60 / 1440)
    assert hole.rows["symbol"].to_list() == ["A"]
    tolerant = QualitySettings(symbol_gap_fraction=0.05)
    assert outcomes(klines({"A": all_but(range(60)), "B": all_but()}), universe, settings=tolerant)[
        "symbol_gaps"
    ].passed


def test_an_absent_symbol_fails_the_row_count_unless_it_is_not_listed_yet() -> None:
    rows = klines({"A": all_but()})
    assert not outcomes(rows, instruments({"A": None, "B": None}))["row_count"].passed
    assert outcomes(rows, instruments({"A": None, "B": END}))["row_count"].passed
    stranger = outcomes(rows, instruments({"B": END}))["row_count"]
    assert not stranger.passed


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("high", 99.0, check_ohlc_order),
        ("low", 101.0, check_ohlc_order),
        ("close", 0.0, check_range),
        ("close", float("nan"), check_range),
        ("open", float("inf"), check_range),
        ("volume", -1.0, check_range),
        ("volume", None, check_range),
        ("quote_volume", float("nan"), check_range),
        ("trades", -1, check_range),
    ],
)
def test_impossible_numbers_block(column: str, value: float | None, check: object) -> None:
    good = klines({"A": [0, 1, 2]})
    assert check(good).passed  # type: ignore[operator]
    at = pl.col("open_time") == good["open_time"][1]
    bad = good.with_columns(
        pl.when(at).then(pl.lit(value, good.schema[column])).otherwise(pl.col(column)).alias(column)
    )
    outcome = check(bad)  # type: ignore[operator]
    assert (outcome.passed, outcome.severity, outcome.rows.height) == (False, "block", 1)


def test_missing_optional_columns_are_not_out_of_range() -> None:
    rows = klines({"A": [0]}).with_columns(
        pl.lit(None, pl.Float64).alias("quote_volume"), pl.lit(None, pl.Int64).alias("trades")
    )
    assert check_range(rows).passed


def test_a_real_crash_is_kept_with_a_warning() -> None:
    rows = pl.concat([klines({"A": [0, 1]}), klines({"A": [2]}, price=40.0)])
    jumps = outcomes(rows, instruments({"A": None}), START + 3 * MINUTE_MS)["jumps"]
    assert (jumps.passed, jumps.severity) == (False, "warn")
    assert jumps.value == pytest.approx(0.6)


def test_duplicates_block() -> None:
    rows = klines({"A": [0, 1, 1], "B": [1]})
    assert check_duplicates(rows).value == 1.0
    assert not check_duplicates(rows).passed


def test_staleness_is_the_age_of_the_newest_kline() -> None:
    rows = klines({"A": [0, 1], "B": [30]})
    limits = QualitySettings(staleness_minutes=10)
    fresh = check_staleness(rows, START + 41 * MINUTE_MS, limits)
    assert (fresh.passed, fresh.value, fresh.rows["symbol"].to_list()) == (True, 10.0, ["A"])
    assert not check_staleness(rows, START + 41 * MINUTE_MS + 1, limits).passed
    nothing = check_staleness(rows.clear(), START, limits)
    assert (nothing.passed, nothing.value) == (False, None)


def test_filters_derive_from_the_finest_steps_seen() -> None:
    rows = klines({"PEPEUSDT": [0, 1]}, price=0.0000123).with_columns(volume=pl.Series([1000.0, 12.5]))
    found = derive_instrument("PEPEUSDT", rows)
    assert (str(found.tick_size), str(found.lot_step)) == ("1E-7", "0.1")
    assert (found.base, found.quote, found.listed_at_ms) == ("PEPE", "USDT", START)
    assert split_symbol("ABC") == ("ABC", "")
