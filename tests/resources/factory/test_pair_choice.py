"""The choice of pairs in a real lake, kept where a day's data fail."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resources.factory.selection import KEPT_DAYS, choose_pairs, pairs_of
from trading.factory.lifecycle.pairs import SCHEMA
from trading.factory.lifecycle.settings import PairSettings
from trading.model.interval import Interval
from warehouse.datasets.market import BARS
from warehouse.datasets.selection import PAIR_SELECTION
from warehouse.lake.lake import Lake, open_lake

FIRST = date(2026, 1, 1)
SETTINGS = PairSettings(pairs=2, momentum_days=5, volatility_days=10)
PAIRS = ("AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT")


def write_days(lake: Lake, days: range) -> None:
    rng = np.random.default_rng(3)
    moves = rng.normal(0, 0.002, (len(PAIRS), 24 * 60))
    closes = 100 * np.exp(np.cumsum(moves, axis=1))
    for number in days:
        rows = []
        for i, symbol in enumerate(PAIRS):
            for hour in range(24):
                opened = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(
                    days=number, hours=hour
                )
                close = float(closes[i, 24 * number + hour])
                row = dict.fromkeys(BARS.schema)
                row |= {"symbol": symbol, "open_time": opened, "close_time": opened + timedelta(hours=1)}
                row |= dict.fromkeys(("open", "high", "low", "close"), close)
                row |= {
                    "volume": 1.0,
                    "quote_volume": 1e5 if i < 3 else 10.0,
                    "minutes": 60,
                    "complete": True,
                }
                rows.append(row)
        frame = pl.DataFrame(rows, schema=dict(BARS.schema))
        lake.write(BARS, FIRST + timedelta(days=number), frame, Interval.H1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = open_lake(str(tmp_path_factory.mktemp("lake")))
    write_days(lake, range(15))
    return lake


def test_the_rows_are_the_dataset(lake: Lake) -> None:
    day = FIRST + timedelta(days=14)
    rows = choose_pairs(lake, day, SETTINGS)
    assert dict(SCHEMA) == dict(PAIR_SELECTION.schema)
    lake.write(PAIR_SELECTION, day, rows)
    assert len(pairs_of(lake, day)) == 2
    assert set(pairs_of(lake, day)) < set(PAIRS[:3])
    assert rows.filter(pl.col("symbol") == "DDDUSDT")["reason"].item() == "low_volume"
    chosen = rows.filter("selected")
    assert set(chosen["missing"]) == {"sentiment, technical, cap"}
    assert chosen["known_weight"].to_list() == pytest.approx([0.64 / 1.0] * 2)


def test_the_last_choice_is_kept_for_a_week_where_none_passes(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path))
    write_days(lake, range(10, 15))
    day = FIRST + timedelta(days=14)
    assert not choose_pairs(lake, day, SETTINGS)["selected"].any(), (
        "five days are too few, and nothing to keep"
    )
    write_days(lake, range(10))
    made = choose_pairs(lake, day, SETTINGS)
    lake.write(PAIR_SELECTION, day, made)
    best = pairs_of(lake, day)
    for later in range(1, KEPT_DAYS + 1):
        kept = choose_pairs(lake, day + timedelta(days=later), SETTINGS)
        lake.write(PAIR_SELECTION, day + timedelta(days=later), kept)
        assert pairs_of(lake, day + timedelta(days=later)) == best
        assert set(kept.filter("selected")["reason"]) == {"kept"}
        assert set(kept.filter("selected")["chosen_on"]) == {day}
    over = choose_pairs(lake, day + timedelta(days=KEPT_DAYS + 1), SETTINGS)
    assert not over["selected"].any(), "a choice older than a week is not traded on"


def test_a_day_whose_choice_failed_altogether_trades_on_the_newest_one(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path))
    write_days(lake, range(15))
    day = FIRST + timedelta(days=14)
    lake.write(PAIR_SELECTION, day, choose_pairs(lake, day, SETTINGS))
    assert len(pairs_of(lake, day)) == 2
    assert pairs_of(lake, day + timedelta(days=KEPT_DAYS)) == pairs_of(lake, day)
    assert pairs_of(lake, day + timedelta(days=KEPT_DAYS + 1)) == []
    assert pairs_of(lake, day - timedelta(days=1)) == []
