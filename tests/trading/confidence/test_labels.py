"""Labels by hand, and none before its horizon is over."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from trading.confidence.labels import forward_labels
from trading.confidence.settings import ConfidenceSettings

SETTINGS = ConfidenceSettings(horizon_bars=3, target_atr=1.0, stop_atr=1.0, round_trip_cost_bps=100.0)
# ATR fraction 1 %, costs 1 %: from an entry at 100 the target is 102 and the stop is 99.
FLAT = (100.0, 100.5, 99.5)


def _label(start, path, hours_missing=(), atr=0.01):
    """Label of the bar 0-1 h whose following bars are ``path`` (open, high, low)."""
    stamp = pl.Datetime("ms", "UTC")
    rows = pl.DataFrame(
        {
            "symbol": ["A"],
            "open_time": [start],
            "close_time": [start + timedelta(hours=1)],
            "atr_fraction": [atr],
        },
        schema_overrides={"open_time": stamp, "close_time": stamp, "atr_fraction": pl.Float64},
    )
    kept = [(h + 1, bar) for h, bar in enumerate(path) if h not in hours_missing]
    bars = pl.DataFrame(
        [("A", start + timedelta(hours=h), *bar) for h, bar in kept],
        schema={
            "symbol": pl.String,
            "open_time": stamp,
            "open": pl.Float64,
            "high": pl.Float64,
            "low": pl.Float64,
        },
        orient="row",
    )
    return forward_labels(rows, bars, SETTINGS).row(0, named=True)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ([FLAT, FLAT, (100, 102.0, 99.5)], 1),  # reached in the last bar, exactly
        ([FLAT, FLAT, (100, 101.99, 99.5)], 0),  # a cent short
        ([FLAT, (100, 103, 98.9), FLAT], 0),  # both in one bar: the stop counts first
        ([(100, 100.5, 99.0), (100, 103, 99.5), FLAT], 0),  # stopped before the target
        ([(100, 102, 99.5), (100, 100.5, 90), FLAT], 1),  # target before the stop
        ([FLAT, FLAT, FLAT, (100, 110, 99.5)], 0),  # after the horizon
        ([(110, 111, 109.5), FLAT, FLAT], 0),  # the entry is the next OPEN (110), not the close
    ],
)
def test_labels_by_hand(start, path, label):
    row = _label(start, [*path, FLAT])
    assert row["label"] == label
    assert row["label_end"] == start + timedelta(hours=4)


def test_an_unfinished_horizon_has_no_label_even_when_the_target_was_hit(start):
    assert _label(start, [(100, 105, 99.5), FLAT])["label"] is None


def test_a_hole_in_the_horizon_or_an_unknown_atr_has_no_label(start):
    path = [FLAT, FLAT, FLAT, FLAT]
    assert _label(start, path)["label"] == 0
    for hole in (0, 1, 2):
        assert _label(start, path, hours_missing=(hole,))["label"] is None
    assert _label(start, path, atr=None)["label"] is None


def test_more_bars_only_finish_labels_and_never_change_one(world, start):
    from trading.confidence.features import feature_rows

    rows = feature_rows(**world, btc_symbol="BTCUSDT")
    moment = start + timedelta(hours=200)
    settings = ConfidenceSettings()
    whole = forward_labels(rows, world["bars_1h"], settings)
    cut = forward_labels(
        rows.filter(pl.col("close_time") <= moment),
        world["bars_1h"].filter(pl.col("close_time") <= moment),
        settings,
    )
    both = cut.join(whole, on=["symbol", "open_time"], suffix="_whole")
    known = both.filter(pl.col("label").is_not_null())
    assert known.height > 300
    assert (known["label"] == known["label_whole"]).all()
    assert (known["label_end"] <= moment).all()
    assert both.filter(pl.col("label_end") > moment)["label"].null_count() == 24
    assert 0.1 < whole["label"].mean() < 0.6
