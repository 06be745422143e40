"""Signals at the last close are the back-test's own conditions."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tests.trading.factory.conftest import START, bars_frame, market, panel_of
from trading.errors import BadData
from trading.factory.backtest import backtest
from trading.factory.conditions import conditions
from trading.factory.generate import generate
from trading.factory.genome import FAMILIES, BollingerReversion, RsiReversal
from trading.factory.panel import build_panel
from trading.factory.signals import signals

EXITS = {"take_profit_fraction": 0.02, "stop_loss_fraction": 0.01, "time_exit_hours": 24}


def _one_of_each_family(seed):
    found = {genome.family: genome for genome in generate(seed, 60)}
    assert found.keys() == FAMILIES.keys()
    return list(found.values())


def test_replaying_signals_hour_by_hour_gives_the_backtests_entries(walk):
    """At each hour only what had closed is given; entries follow from signals and open positions."""
    genomes = _one_of_each_family("replay")
    whole = panel_of(walk, 300)
    results = [backtest(g, whole, fee_bps=10, slippage_bps=3) for g in genomes]
    replayed = [set() for _ in genomes]
    for hour in range(100, 300):
        known = panel_of(walk.filter(pl.col("close_time") <= START + timedelta(hours=hour)), hour)
        for genome, result, found in zip(genomes, results, replayed, strict=True):
            for symbol in signals(genome, known)[0]:
                row = whole.symbols.index(symbol)
                mine = result.trade_symbol == row
                spans = zip(result.trade_entry[mine], result.trade_exit[mine], strict=True)
                busy = any(entry < hour and hour - 1 < exit_ for entry, exit_ in spans)
                if not busy and not np.isnan(whole.close[row, hour]):
                    found.add((row, hour))
    entries_seen = 0
    for result, found in zip(results, replayed, strict=True):
        traded = {
            (int(s), int(e)) for s, e in zip(result.trade_symbol, result.trade_entry, strict=True) if e >= 100
        }
        assert traded <= found
        still_open = found - traded  # an entry whose trade had not closed by the end is not in the log
        assert all(hour > 300 - 74 for _, hour in still_open)
        assert len({row for row, _ in still_open}) <= len(whole.symbols)
        entries_seen += len(traded)
    assert entries_seen > 20


def test_future_bars_never_change_a_past_condition(walk):
    whole = panel_of(walk, 300)
    for hour in (60, 151, 230):
        cut = panel_of(walk.filter(pl.col("close_time") <= START + timedelta(hours=hour)), hour)
        rows = [whole.symbols.index(symbol) for symbol in cut.symbols]
        for genome in generate("conditions", 40):
            for early, late in zip(conditions(genome, cut), conditions(genome, whole), strict=True):
                assert (early == late[rows, :hour]).all(), genome.json


def test_a_hole_never_trades(walk):
    panel = panel_of(walk, 300)
    missing = np.isnan(panel.close)
    after = np.zeros_like(missing)
    after[:, 1:] = missing[:, :-1]
    for genome in generate("holes", 40):
        entries, exits = conditions(genome, panel)
        assert not (entries & missing).any()
        assert not (exits & missing).any()
        assert not (entries & after).any()  # a crossing needs the hour before


def test_the_rsi_rule_by_hand():
    # Falling, then one strong hour up: RSI 7 climbs back above 30 exactly there.
    closes = [100 - h for h in range(20)] + [90.0]
    rows = [(h, c, c + 1, c - 1, c, 1) for h, c in enumerate(closes)]
    panel = panel_of(bars_frame("A", rows), 21)
    genome = RsiReversal(rsi_length=7, oversold=30, overbought=70, **EXITS)
    assert signals(genome, panel) == (("A",), ())
    assert not conditions(genome, panel)[0][0, :20].any()


def test_the_band_rule_by_hand():
    # 14 closes at 100, one at 90 (3.74 deviations below), then 99: back above the lower band.
    closes = [100.0] * 20 + [90.0, 99.0]
    rows = [(h, c, c + 1, c - 1, c, 1) for h, c in enumerate(closes)]
    panel = panel_of(bars_frame("A", rows), 22)
    genome = BollingerReversion(band_length=15, band_width=2.0, **EXITS)
    entries, exits = conditions(genome, panel)
    assert np.flatnonzero(entries[0]).tolist() == [21]
    # With no spread the score is unknown: neither a signal to enter nor one to exit.
    assert not exits[0, :20].any()


def test_too_little_history_gives_no_signal():
    panel = panel_of(market(2, 5, seed=1), 5)
    for genome in generate("short", 40):
        assert signals(genome, panel) == ((), ())


def test_a_symbol_without_the_last_hour_is_in_neither_list():
    closes = [100 - h for h in range(20)] + [90.0]
    rows = [(h, c, c + 1, c - 1, c, 1) for h, c in enumerate(closes)]
    bars = pl.concat(
        [bars_frame("A", rows), bars_frame("B", [(h, *r) for h, *r in rows] + [(21, 90, 91, 89, 90, 1)])]
    )
    genome = RsiReversal(rsi_length=7, oversold=30, overbought=70, **EXITS)
    assert signals(genome, panel_of(bars, 22)) == ((), ())


def test_a_bad_panel_is_refused():
    bars = market(1, 30, seed=1)
    end = START + timedelta(hours=30)
    with pytest.raises(BadData, match="none between"):
        build_panel(bars, end, end + timedelta(hours=5))
    with pytest.raises(BadData, match="not on the hour"):
        build_panel(bars.with_columns(pl.col("open_time") + timedelta(minutes=5)), START, end)
    with pytest.raises(BadData, match="repeated"):
        build_panel(pl.concat([bars, bars.head(1)]), START, end)
    with pytest.raises(BadData, match="open is not a positive number"):
        build_panel(bars.with_columns(open=pl.lit(0.0)), START, end)
