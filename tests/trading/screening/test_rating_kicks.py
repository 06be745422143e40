"""Rating kicks: the weight of each label, when the kicker is off, and what passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from trading.screening.kicks import KickSettings, rating_kicks
from warehouse.datasets.screening import RATING_KICKS

NOON = datetime(2024, 6, 30, 12, tzinfo=UTC)
STAMP = pl.Datetime("ms", "UTC")


@pytest.fixture(scope="module")
def kicked() -> Callable[..., dict]:
    def of(
        label: str | None,
        score: float | None = 0.9,
        condition: str | None = "bullish",
        *,
        passed: bool = True,
        rated: bool = True,
    ) -> dict:
        bar = {
            "symbol": ["AUSDT"],
            "open_time": pl.Series([NOON], dtype=STAMP),
            "close_time": pl.Series([NOON], dtype=STAMP),
        }
        forks = pl.DataFrame({**bar, "score": pl.Series([score], dtype=pl.Float64), "passed": [passed]})
        ratings = pl.DataFrame({**bar, "label": pl.Series([label], dtype=pl.String)})
        btc = pl.DataFrame({"open_time": bar["open_time"], "condition": [condition]})
        kicks = rating_kicks(
            ratings if rated else ratings.clear(),
            forks,
            btc if condition is not None else btc.clear(),
            KickSettings(),
        )
        assert kicks.schema == pl.Schema(RATING_KICKS.schema)
        return kicks.row(0, named=True)

    return of


@pytest.mark.parametrize(
    ("label", "kick"),
    [
        ("strong_buy", 0.5),
        ("buy", 0.25),
        ("neutral", 0.0),
        ("sell", -0.2),
        ("strong_sell", -0.3),
        (None, 0.0),
    ],
)
def test_kick_of_each_label(kicked: Callable[..., dict], label: str | None, kick: float) -> None:
    row = kicked(label)
    assert row["kick"] == kick
    assert row["adjusted"] == pytest.approx(0.9 + kick)
    assert row["active"] is True
    assert row["passed"] is (0.9 + kick >= 0.73)


def test_a_symbol_without_a_rating_is_not_kicked(kicked: Callable[..., dict]) -> None:
    row = kicked("buy", rated=False)
    assert (row["label"], row["kick"], row["passed"]) == (None, 0.0, True)


@pytest.mark.parametrize("condition", ["neutral", "bearish", "unknown", None])
def test_the_kicker_is_off_unless_btc_is_bullish(kicked: Callable[..., dict], condition: str | None) -> None:
    row = kicked("strong_buy", condition=condition)
    assert (row["active"], row["kick"], row["adjusted"], row["passed"]) == (False, 0.0, 0.9, False)


def test_the_pass_mark_is_inclusive(kicked: Callable[..., dict]) -> None:
    assert kicked("sell", score=0.93)["passed"] is True  # 0.93 - 0.20 is 0.73 on paper
    assert kicked("sell", score=0.9299)["passed"] is False


def test_a_kick_never_makes_a_candidate(kicked: Callable[..., dict]) -> None:
    row = kicked("strong_buy", score=0.6, passed=False)
    assert row["adjusted"] == pytest.approx(1.1)
    assert row["passed"] is False


def test_a_missing_score_is_never_adjusted(kicked: Callable[..., dict]) -> None:
    row = kicked("strong_buy", score=None, passed=False)
    assert (row["score"], row["adjusted"], row["passed"]) == (None, None, False)
