from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl
import pytest

from trading.bars.filters import derive_instrument, split_symbol
from trading.bars.quality import (
    CheckOutcome,
    QualitySettings,
    check_amounts,
    check_duplicates,
    check_klines,
    check_ohlc_order,
    check_range,
    check_staleness,
)
from trading.model.interval import DAY_MS, MINUTE_MS
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.market import KLINES

DAY = date(2026, 1, 5)
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
END = START + DAY_MS
STAMP = pl.Datetime("ms", "UTC")
#: Symbol, first missing minute, minutes, kind.
Gap = tuple[str, int, int, str]


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
            "taker_buy_quote": [0.5 * price] * len(rows),
            "source": ["sandbox"] * len(rows),
            "known_at": [row[1] + MINUTE_MS for row in rows],
        }
    ).cast(KLINES.schema)  # type: ignore[arg-type]


def instruments(listed_ms: dict[str, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": list(listed_ms),
            "listed_at": list(listed_ms.values()),
            "delisted_at": [None] * len(listed_ms),
        },
        schema={"symbol": pl.String, "listed_at": STAMP, "delisted_at": STAMP},
    )


def gaps_of(gaps: Sequence[Gap]) -> pl.DataFrame:
    rows = [
        (
            symbol,
            START + first * MINUTE_MS,
            START + (first + minutes - 1) * MINUTE_MS,
            minutes,
            kind,
            "for the test",
        )
        for symbol, first, minutes, kind in gaps
    ]
    return pl.DataFrame(rows, schema=KLINE_GAPS.schema, orient="row")


def all_but(*holes: range) -> list[int]:
    return [minute for minute in range(1440) if not any(minute in hole for hole in holes)]


def outcomes(
    rows: pl.DataFrame,
    universe: pl.DataFrame,
    closed: int = END,
    *,
    gaps: Sequence[Gap] = (),
    settings: QualitySettings | None = None,
    previous: pl.DataFrame | None = None,
) -> dict[str, CheckOutcome]:
    found = check_klines(rows, gaps_of(gaps), universe, DAY, closed, settings or QualitySettings(), previous)
    return {outcome.name: outcome for outcome in found}


def test_an_open_day_of_closed_minutes_passes_every_check() -> None:
    rows = klines({"A": list(range(90))})
    closed = START + 90 * MINUTE_MS + 30_000
    found = outcomes(rows, instruments({"A": None}), closed)
    assert [name for name, outcome in found.items() if not outcome.passed] == []
    assert {name: outcome.severity for name, outcome in found.items()} == {
        "symbol_gaps": "block",
        "venue_gaps": "warn",
        "duplicates": "block",
        "ohlc_order": "block",
        "range": "block",
        "amounts": "block",
        "continuity": "block",
        "breaks": "warn",
        "repeats": "block",
        "unclosed": "block",
        "jumps": "warn",
        "staleness": "block",
        "row_count": "block",
    }


def test_a_venue_outage_warns_and_a_symbol_hole_over_the_tolerance_blocks() -> None:
    universe = instruments({"A": None, "B": None})
    silent = klines({"A": all_but(range(60)), "B": all_but(range(60))})
    outage = outcomes(silent, universe, gaps=[("A", 0, 60, "venue_outage"), ("B", 0, 60, "venue_outage")])
    assert (outage["venue_gaps"].passed, outage["venue_gaps"].severity) == (False, "warn")
    assert outage["venue_gaps"].value == pytest.approx(60 / 1440)
    assert outage["symbol_gaps"].passed
    one = klines({"A": all_but(range(60)), "B": all_but()})
    hole = outcomes(one, universe, gaps=[("A", 0, 60, "source_defect")])["symbol_gaps"]
    assert (hole.passed, hole.severity) == (False, "block")
    assert hole.value == pytest.approx(60 / 1440)
    assert hole.rows["symbol"].to_list() == ["A"]
    tolerant = QualitySettings(symbol_gap_fraction=0.05)
    assert outcomes(one, universe, gaps=[("A", 0, 60, "source_defect")], settings=tolerant)[
        "symbol_gaps"
    ].passed


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("our_outage", True),
        ("source_defect", True),
        ("not_listed", False),
        ("delisted", False),
        ("venue_maintenance", False),
        ("venue_outage", False),
        ("no_trades", False),
    ],
)
def test_only_minutes_that_must_exist_count_against_a_symbol(kind: str, counts: bool) -> None:
    found = outcomes(klines({"A": all_but(range(60))}), instruments({"A": None}), gaps=[("A", 0, 60, kind)])
    assert found["symbol_gaps"].passed is not counts


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
    rows = klines({"A": [0, 1, 2]}).with_columns(low=pl.Series([100.0, 40.0, 100.0]))
    found = outcomes(rows, instruments({"A": None}), START + 3 * MINUTE_MS)
    jumps = found["jumps"]
    assert (jumps.passed, jumps.severity) == (False, "warn")
    assert jumps.value == pytest.approx(1.5)
    assert jumps.rows["open_time"].to_list() == [rows["open_time"][1]]
    assert [name for name, outcome in found.items() if not outcome.passed] == ["jumps"]


def test_the_day_before_tells_a_coin_s_rows_under_another_name() -> None:
    rows, before = klines({"A": list(range(1440))}), klines({"A": [0]}, price=3.0)
    yesterday = before.with_columns(pl.col("open_time") - pl.duration(minutes=1))
    universe = instruments({"A": None})
    assert outcomes(rows, universe)["continuity"].passed
    continuity = outcomes(rows, universe, previous=yesterday)["continuity"]
    assert (continuity.passed, continuity.value, continuity.limit) == (False, 1.0, 0.0)
    assert continuity.rows["open_time"].to_list() == [rows["open_time"][0]]
    assert "another coin" in continuity.description


def test_minutes_that_have_not_closed_or_lie_beyond_all_dates_are_unclosed() -> None:
    rows = klines({"A": list(range(1440))})
    late = outcomes(rows, instruments({"A": None}), START + 700 * MINUTE_MS + 59_999)["unclosed"]
    assert (late.passed, late.value, late.rows.height) == (False, 740.0, 20)
    micro = rows.with_columns((pl.col("open_time").to_physical() * 1000).cast(STAMP).alias("open_time"))
    unit = outcomes(micro, instruments({"A": None}))["unclosed"]
    assert (unit.passed, unit.value) == (False, 1440.0)
    assert "microseconds" in unit.description


def test_value_over_volume_must_be_a_price_of_the_bar() -> None:
    rows = klines({"A": [0, 1]})
    assert check_amounts(rows).passed
    assert not check_amounts(rows.with_columns(quote_volume=pl.col("volume"))).passed
    assert not check_amounts(rows.with_columns(taker_buy_base=pl.lit(1.5), taker_buy_quote=150.0)).passed
    nothing = rows.with_columns(pl.lit(None, pl.Float64).alias("quote_volume"))
    assert check_amounts(nothing).passed


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
