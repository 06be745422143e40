"""The daily run over real candles, replayed through the exchange's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from apps.cli.story import known, tell
from pipelines.outcome import DailyOutcome
from pipelines.runs import run_daily
from resources.platform import Platform
from tests.instance import HISTORY, Home, at, configuration, make_home, rows
from trading.ledger.chain import Anchor
from trading.model.days import end_ms, start_ms
from trading.model.decision import Outcome
from warehouse.datasets.market import KLINES
from warehouse.datasets.research import AUDIT_ANCHORS
from warehouse.ledger import audit
from warehouse.ledger.digest import content_digest

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
TODAY = date(2025, 6, 3)
DAYS = [TODAY - timedelta(days=offset) for offset in range(HISTORY, 0, -1)]
BAR_MS = at("00:15", TODAY)
PRICES = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def candles(shared: Path) -> pl.DataFrame:
    folder = shared / "data" / "binance" / "usdm" / "1m"
    frame = pl.read_parquet([*folder.rglob("*.parquet")], hive_partitioning=False)
    return frame.filter(pl.col("symbol").is_in(SYMBOLS)).sort("symbol", "open_time")


@pytest.fixture(scope="module")
def daily(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Home, Platform, DailyOutcome]]:
    sandbox = {
        "exchange": {
            "backing": "replay",
            "replay_folder": str(shared / "data" / "binance" / "usdm" / "1m"),
            "clock": {"start": f"{TODAY}T00:20:00", "speed": 0.0},
        }
    }
    universe = {"symbols": list(SYMBOLS)}
    home = make_home(
        tmp_path_factory.mktemp("real") / "home", configuration({"sandbox": sandbox}, universe=universe)
    )
    with home.entered() as platform:
        yield home, platform, run_daily(None, lambda what, done, total: None)


Daily = tuple[Home, Platform, DailyOutcome]


def between(candles: pl.DataFrame, first_ms: int, last_ms: int) -> pl.DataFrame:
    opened = pl.col("open_time").dt.epoch("ms")
    return candles.filter(opened >= first_ms, opened < last_ms)


def test_the_run_ends_in_a_decision(daily: Daily) -> None:
    _, _, outcome = daily
    assert outcome.succeeded, outcome.runs
    assert outcome.traded
    assert (outcome.day, outcome.bar_close_ms) == (TODAY - timedelta(days=1), BAR_MS)
    assert [check for check in outcome.checks if check.blocking and not check.passed] == []


def test_the_lake_holds_the_rows_of_the_files(daily: Daily, candles: pl.DataFrame) -> None:
    _, platform, _ = daily
    assert platform.lake.days(KLINES) == [*DAYS, TODAY]
    for day in DAYS:
        stored = platform.lake.read(KLINES, day)
        expected = between(candles, start_ms(day), end_ms(day))
        assert expected.height == len(SYMBOLS) * 1440
        assert stored.select("symbol", *PRICES).equals(expected.select("symbol", *PRICES))
        assert stored["open_time"].dt.epoch("ms").equals(expected["open_time"].dt.epoch("ms"))
        mean_price = (stored["open"] + stored["high"] + stored["low"] + stored["close"]) / 4
        off = (stored["quote_volume"] - stored["volume"] * mean_price).abs()
        assert off.max() < 1e-6
        assert stored.select("trades", "taker_buy_base", "taker_buy_quote").null_count().row(0) == (
            stored.height,
            stored.height,
            stored.height,
        )
    today = platform.lake.read(KLINES, TODAY)
    assert today.height == len(SYMBOLS) * 20, "the open day holds the minutes that have closed"


def test_every_symbol_is_decided_and_half_of_them_bought(daily: Daily) -> None:
    _, platform, outcome = daily
    decisions = rows(platform.ledger, "select symbol, outcome from decisions where action = 'enter'")
    assert sorted(row["symbol"] for row in decisions) == list(SYMBOLS)
    fired = {row["symbol"] for row in decisions if row["outcome"] == "fired"}
    orders = rows(platform.ledger, "select symbol, side, state, tick_id from orders")
    assert {row["symbol"] for row in orders} == fired
    assert len(orders) == 2
    assert {(row["side"], row["state"], row["tick_id"]) for row in orders} == {
        ("buy", "filled", outcome.tick_id)
    }


def test_fills_and_books_agree_with_the_market(daily: Daily, candles: pl.DataFrame) -> None:
    _, platform, _ = daily
    fills = rows(platform.ledger, "select * from fills")
    spent = sum((_cost(fill, candles) for fill in fills), Decimal(0))
    (equity,) = rows(platform.ledger, "select cash, positions_value, equity from equity")
    assert equity["cash"] == 10_000 - spent
    closes = between(candles, BAR_MS - 60_000, BAR_MS)
    close_of = dict(closes.select("symbol", "close").iter_rows())
    held = sum((f["quantity"] * Decimal(repr(close_of[f["symbol"]])) for f in fills), Decimal(0))
    assert equity["positions_value"] == held
    assert equity["equity"] == equity["cash"] + held


def _cost(fill: dict[str, Any], candles: pl.DataFrame) -> Decimal:
    assert BAR_MS <= fill["filled_at_ms"] < at("00:20", TODAY), "a fill never uses a bar before the decision"
    minute = between(candles, fill["filled_at_ms"], fill["filled_at_ms"] + 60_000)
    opened = minute.filter(pl.col("symbol") == fill["symbol"])["open"][0]
    assert opened < fill["price"] < opened * 1.005, "a buy pays more than the open: spread and slippage"
    assert fill["fee"] == pytest.approx(fill["price"] * fill["quantity"] / 1000, rel=Decimal("1e-6"))
    return fill["price"] * fill["quantity"] + fill["fee"]


def test_every_candidate_traded_or_not_has_a_complete_explanation(
    daily: Daily, candles: pl.DataFrame
) -> None:
    _, platform, _ = daily
    closes = between(candles, BAR_MS - 60_000, BAR_MS)
    close_of = dict(closes.select("symbol", "close").iter_rows())
    for row in rows(platform.ledger, "select decision_id, symbol from decisions"):
        story = tell(platform, row["decision_id"])
        evidence, symbol = story.evidence, row["symbol"]
        assert evidence is not None
        assert evidence.view is not None
        assert [(bar.interval, bar.close, bar.as_read) for bar in evidence.bars] == [
            ("15m", close_of[symbol], True)
        ]
        assert [(item.status, item.observed) for item in evidence.certificates] == [
            ("certified", 1440),
            ("certified", 20),
        ]
        assert [rating.interval for rating in evidence.ratings] == ["15m", "1h", "4h", "1d"]
        for rating in evidence.ratings:
            assert rating.rating == known(evidence.view.ratings[rating.interval])
            assert len(rating.components) == 26
            assert rating.as_read
        fired = story.decision.outcome is Outcome.FIRED
        assert (story.verdict is not None) == fired == (not story.would_have_traded)
        assert bool(story.orders) == fired
        assert story.audit_records


def test_the_audit_chain_holds_and_agrees_with_its_anchors(daily: Daily) -> None:
    _, platform, _ = daily
    anchors = [
        Anchor(row["sequence"], row["hash"])
        for row in platform.lake.read(AUDIT_ANCHORS, TODAY).iter_rows(named=True)
    ]
    report = audit.verify(platform.ledger, anchors)
    assert report.intact
    assert report.anchors == len(anchors) == 1
    assert report.records >= 10


def test_the_whole_run_again_changes_neither_ledger_nor_lake(daily: Daily) -> None:
    home, platform, first = daily
    ledger, lake = content_digest(platform.ledger), lake_bytes(home)
    again = run_daily(None, lambda what, done, total: None)
    assert again.succeeded
    assert again.tick_id == first.tick_id
    assert content_digest(platform.ledger) == ledger
    assert lake_bytes(home) == lake


def lake_bytes(home: Home) -> dict[str, bytes]:
    lake = home.root / "var" / "lake"
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*.parquet")}
