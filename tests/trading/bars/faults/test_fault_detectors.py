"""Each detector says what is wrong, of whom and why, and leaves what markets really do alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.faults.finding import FaultKind, Finding
from trading.bars.faults.judgement import Context, judge

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
STAMP = pl.Datetime("ms", "UTC")
CONTEXT = Context(HOUR_MS)


def walk(symbol: str = "A", bars: int = 120, seed: int = 1, price: float = 100.0) -> pl.DataFrame:
    """A market that never shuts: each bar opens where the one before closed."""
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0, 0.005, bars)))
    opened = np.concatenate([[price], close[:-1]])
    volume = random.lognormal(3, 1, bars)
    high = np.maximum(opened, close) * (1 + random.uniform(0.0005, 0.004, bars))
    low = np.minimum(opened, close) * (1 - random.uniform(0.0005, 0.004, bars))
    return pl.DataFrame(
        {
            "symbol": [symbol] * bars,
            "open_time": START_MS + HOUR_MS * np.arange(bars),
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "quote_volume": volume * (high + low) / 2,
            "taker_buy_base": volume / 2,
            "taker_buy_quote": volume / 2 * (high + low) / 2,
        }
    ).with_columns(pl.col("open_time").cast(STAMP))


def at(row: int, **values: float | pl.Expr) -> list[pl.Expr]:
    here = pl.int_range(pl.len()) == row
    return [pl.when(here).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items()]


def blocked(findings: list[Finding]) -> dict[FaultKind, int]:
    return {found.kind: found.count for found in findings if found.severity == "block"}


def shift_ms(milliseconds: int) -> pl.Expr:
    return (pl.col("open_time").to_physical() + milliseconds).cast(STAMP).alias("open_time")


def test_a_market_without_faults_has_no_findings() -> None:
    frame = pl.concat([walk("A"), walk("B", seed=2, price=3.0)])
    end = START_MS + 120 * HOUR_MS
    assert judge(frame, Context(HOUR_MS, as_of_ms=end, window_ms=(START_MS, end))) == []


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random: object) -> None:
    bars = pl.concat([walk("A").with_columns(at(50, volume=-1.0)), walk("B", seed=2).gather_every(2)])
    order = list(range(bars.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    told = [(found.kind, found.symbol, found.count, found.severity) for found in judge(bars, CONTEXT)]
    mixed = [(found.kind, found.symbol, found.count, found.severity) for found in judge(bars[order], CONTEXT)]
    assert sorted(told) == sorted(mixed)
    assert told


def test_missing_bars_are_counted_and_block_beyond_the_tolerance() -> None:
    bars = walk()
    few = judge(pl.concat([bars.head(50), bars.slice(52)]), CONTEXT)
    assert [(found.kind, found.severity, found.count) for found in few] == [(FaultKind.GAP, "warn", 2)]
    assert few[0].rows.row(0, named=True) == {
        "symbol": "A",
        "first_missing": datetime(2024, 1, 3, 2, tzinfo=UTC),
        "next_present": datetime(2024, 1, 3, 4, tzinfo=UTC),
        "missing_bars": 2,
    }
    assert blocked(judge(pl.concat([bars.head(50), bars.slice(60)]), CONTEXT)) == {FaultKind.GAP: 10}


def test_silence_of_all_symbols_and_a_late_start_never_block() -> None:
    both = pl.concat([walk("A"), walk("B", seed=2)])
    silent = both.filter(~pl.col("open_time").dt.hour().is_between(4, 9))
    found = judge(silent, CONTEXT)
    assert {(one.kind, one.severity, one.count) for one in found} == {(FaultKind.GAP, "warn", 30)}
    late = pl.concat([walk("A"), walk("B", seed=2).slice(60)])
    window = Context(HOUR_MS, window_ms=(START_MS, START_MS + 120 * HOUR_MS))
    assert [(one.symbol, one.severity, one.count) for one in judge(late, window)] == [("B", "warn", 60)]


def test_zero_volume_bars_are_data() -> None:
    quiet = at(60, volume=0.0, quote_volume=0.0, taker_buy_base=0.0, taker_buy_quote=0.0)
    assert judge(walk().with_columns(quiet), CONTEXT) == []


@pytest.mark.parametrize(
    ("changes", "kind", "count"),
    [
        (at(60, high=pl.col("low"), low=pl.col("high")), FaultKind.HIGH_BELOW_LOW, 1),
        (at(60, volume=-pl.col("volume")), FaultKind.NEGATIVE_VOLUME, 1),
        (at(60, close=0.0), FaultKind.IMPOSSIBLE_NUMBER, 1),
        (at(60, close=float("nan")), FaultKind.IMPOSSIBLE_NUMBER, 1),
        (at(60, volume=float("inf")), FaultKind.IMPOSSIBLE_NUMBER, 1),
        ([pl.col("low").alias("high"), pl.col("high").alias("low")], FaultKind.SWAPPED_COLUMNS, 120),
        ([pl.col("volume").alias("close"), pl.col("close").alias("volume")], FaultKind.SWAPPED_COLUMNS, None),
        ([pl.col("close").alias("open"), pl.col("open").alias("close")], FaultKind.SWAPPED_COLUMNS, None),
        (
            [pl.col("quote_volume").alias("volume"), pl.col("volume").alias("quote_volume")],
            FaultKind.SWAPPED_COLUMNS,
            120,
        ),
        ([pl.col("volume").alias("taker_buy_base"), pl.col("taker_buy_base").alias("volume")], FaultKind.SWAPPED_COLUMNS, 120),
        ([shift_ms(60_000)], FaultKind.OFF_GRID, 120),
        ([(pl.col("open_time").to_physical() * 1000).cast(STAMP).alias("open_time")], FaultKind.UNIT_SWITCH, 120),
        ([(pl.col("open_time").to_physical() // 1000).cast(STAMP).alias("open_time")], FaultKind.UNIT_SWITCH, 120),
    ],
)  # fmt: skip
def test_impossible_bars_block(changes: list[pl.Expr], kind: FaultKind, count: int | None) -> None:
    found = blocked(judge(walk().with_columns(changes), CONTEXT))
    assert kind in found
    assert count is None or found[kind] == count


def test_a_high_swapped_with_a_volume_is_told_by_a_volume_that_is_a_price() -> None:
    plain = walk().select("symbol", "open_time", "open", "high", "low", "close", pl.col("volume") * 1e6)
    swapped = plain.with_columns(high="volume", volume="high")
    assert judge(plain, CONTEXT) == []
    assert blocked(judge(swapped, CONTEXT))[FaultKind.SWAPPED_COLUMNS] == 120


def test_duplicates_count_the_rows_too_many() -> None:
    bars = walk()
    found = blocked(judge(pl.concat([bars, bars.slice(10, 4)]), CONTEXT))
    assert found == {FaultKind.DUPLICATE: 4}


def test_a_bar_that_ends_after_the_fetch_is_unclosed() -> None:
    end = START_MS + 120 * HOUR_MS
    assert blocked(judge(walk(), Context(HOUR_MS, as_of_ms=end - 1))) == {FaultKind.UNCLOSED_BAR: 1}
    assert judge(walk(), Context(HOUR_MS, as_of_ms=end)) == []


@pytest.mark.parametrize("names", [("open", "high", "low", "close"), ("close", "high"), ("open", "high")])
def test_a_misprint_that_the_price_comes_back_from_is_a_spike(names: tuple[str, ...]) -> None:
    plain = walk().select("symbol", "open_time", "open", "high", "low", "close", "volume")
    spiked = plain.with_columns(at(60, **{name: pl.col(name) * 1.2 for name in names}))
    found = [one for one in judge(spiked, CONTEXT) if one.severity == "block"]
    assert {one.kind for one in found} == {FaultKind.SPIKE}
    assert "misprint" in found[0].reason


def test_a_price_that_stays_away_is_another_coin_s() -> None:
    alone = pl.concat([walk().head(60), walk("A", seed=2, price=7.0).slice(60)])
    assert blocked(judge(alone, CONTEXT)) == {FaultKind.WRONG_SYMBOL: 1}
    beside = pl.concat([walk("A"), walk("A").slice(40, 5).with_columns(symbol=pl.lit("B"))])
    found = judge(beside, CONTEXT)
    assert {(one.symbol, one.kind, one.count) for one in found if one.severity == "block"} == {
        ("A", FaultKind.WRONG_SYMBOL, 5),
        ("B", FaultKind.WRONG_SYMBOL, 5),
    }


def test_the_bars_before_judge_the_first_bar() -> None:
    later = walk("A", 240).slice(120)
    assert judge(later, Context(HOUR_MS, previous=walk("A", 240).head(120))) == []
    stranger = walk("A", 120, seed=2, price=7.0)
    assert FaultKind.WRONG_SYMBOL in blocked(judge(later, Context(HOUR_MS, previous=stranger)))


def test_a_market_that_opens_elsewhere_after_a_halt_warns() -> None:
    before, prices = walk().head(60), ("open", "high", "low", "close")
    amounts = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
    silent = (
        walk()
        .slice(60, 4)
        .with_columns(
            *(pl.lit(before["close"][-1]).alias(name) for name in prices),
            *(pl.lit(0.0).alias(name) for name in amounts),
        )
    )
    lower = [pl.col(name) * 0.8 for name in (*prices, "quote_volume", "taker_buy_quote")]
    halted = pl.concat([before, silent, walk().slice(64).with_columns(lower)])
    assert [(one.kind, one.severity) for one in judge(halted, CONTEXT)] == [(FaultKind.PRICE_BREAK, "warn")]


def test_a_bar_stored_before_it_closed_warns() -> None:
    early = walk().with_columns(at(60, close=pl.col("open") * 1.02, high=pl.col("open") * 1.02))
    early = early.drop("quote_volume", "taker_buy_base", "taker_buy_quote").with_columns(
        at(60, low=pl.col("open"))
    )
    found = judge(early, CONTEXT)
    assert [(one.kind, one.severity) for one in found] == [(FaultKind.PRICE_BREAK, "warn")]


def test_a_wick_without_the_volume_of_a_crash_warns_and_a_crash_does_not() -> None:
    wick = walk().drop("quote_volume", "taker_buy_base", "taker_buy_quote")
    printed = wick.with_columns(at(60, low=pl.col("low") * 0.5))
    assert [(one.kind, one.severity) for one in judge(printed, CONTEXT)] == [(FaultKind.SPIKE, "warn")]
    assert judge(printed.with_columns(at(60, volume=pl.col("volume") * 1000)), CONTEXT) == []


def test_repeats_are_told_from_chance() -> None:
    bars = walk()
    same = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
    order = np.arange(120)
    order[61:64] = 60
    assert blocked(judge(bars[order].with_columns(bars["open_time"]), CONTEXT))[FaultKind.STALE_REPEAT] == 3
    order = np.arange(120)
    order[90:100] = np.arange(30, 40)
    assert blocked(judge(bars[order].with_columns(bars["open_time"]), CONTEXT))[FaultKind.STALE_REPEAT] == 10
    level = bars.with_columns(at(90, **{name: bars[name][30] for name in same}))
    found = [one for one in judge(level, CONTEXT) if one.kind is FaultKind.STALE_REPEAT]
    assert [(one.severity, one.count) for one in found] == [("warn", 1)]


def test_a_premium_may_be_negative_and_has_no_volume() -> None:
    prices = ("open", "high", "low", "close")
    premium = walk().select("symbol", "open_time", *(pl.col(name) / 100 - 1 for name in prices))
    assert judge(premium, Context(HOUR_MS, signed=True)) == []
    assert FaultKind.IMPOSSIBLE_NUMBER in blocked(judge(premium, CONTEXT))
    mark = walk().select("symbol", "open_time", *prices)
    assert judge(mark, CONTEXT) == []


@pytest.mark.parametrize("folder", ["binance/spot/1h", "binance/usdm/mark_1h"])
def test_no_real_file_is_blocked_and_the_outage_of_2023_03_24_is_one_missing_bar(
    shared: Path, folder: str
) -> None:
    for path in sorted((shared / "data" / folder).glob("src=*/*.parquet")):
        bars = pl.read_parquet(path, hive_partitioning=False)
        found = judge(bars, CONTEXT)
        assert blocked(found) == {}, path.name
        holes = [(one.count, str(one.rows["first_missing"][0])) for one in found]
        assert holes == ([(1, "2023-03-24 13:00:00+00:00")] if "spot" in folder else []), path.name


def test_the_real_crash_of_2025_10_10_is_not_even_a_warning(shared: Path) -> None:
    folder = shared / "data" / "binance" / "usdm" / "1h"
    bars = pl.concat(
        pl.read_parquet(path, hive_partitioning=False) for path in sorted(folder.glob("src=*/*.parquet"))
    )
    days = bars.filter(
        pl.col("open_time").is_between(datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 10, 20, tzinfo=UTC))
    )
    assert float((days["high"] / days["low"]).max() or 0) > math.e  # type: ignore[arg-type]
    assert judge(days, CONTEXT) == []  # fmt: skip
