from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.quality import check_duplicates, check_ohlc_order, check_range
from trading.errors import FixConfiguration
from trading.model.interval import MINUTE_MS
from trading.simulation.catalogue import CATALOGUE
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings, Outage

ORIGIN = date(2025, 12, 1)
SETTINGS = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT", "VIBUSDT"), origin=ORIGIN.isoformat(), horizon_days=400
)
ALL = range(400)


def days(market: Market, symbol: str, count: int) -> pl.DataFrame:
    return pl.concat([market.minutes(symbol, ORIGIN + timedelta(days=day)) for day in range(count)])


@pytest.fixture(scope="module")
def btc() -> pl.DataFrame:
    return days(Market(SETTINGS), "BTCUSDT", 120)


@settings(max_examples=15, deadline=None)
@given(
    asked=st.lists(st.tuples(st.sampled_from(SETTINGS.symbols), st.integers(0, 399)), max_size=6),
    symbol=st.sampled_from(SETTINGS.symbols),
    day=st.integers(0, 399),
)
def test_an_answer_does_not_depend_on_earlier_questions(
    asked: list[tuple[str, int]], symbol: str, day: int
) -> None:
    used = Market(SETTINGS)
    for name, number in asked:
        used.minutes(name, ORIGIN + timedelta(days=number))
    wanted = ORIGIN + timedelta(days=day)
    assert used.minutes(symbol, wanted).equals(Market(SETTINGS).minutes(symbol, wanted))


def test_other_symbols_do_not_change_a_symbol() -> None:
    alone = Market(MarketSettings(symbols=("ETHUSDT",)))
    among = Market(MarketSettings(count=30))
    assert alone.minutes("ETHUSDT", date(2026, 1, 5)).equals(among.minutes("ETHUSDT", date(2026, 1, 5)))


def test_another_process_gives_the_same_bytes() -> None:
    code = (
        "from datetime import date; from trading.simulation.market import Market; "
        "from trading.simulation.settings import MarketSettings; "
        "f = Market(MarketSettings()).minutes('SOLUSDT', date(2026, 1, 5)); "
        "print(f.hash_rows(seed=1).sum())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mine = Market(MarketSettings()).minutes("SOLUSDT", date(2026, 1, 5))
    assert int(other.stdout) == mine.hash_rows(seed=1).sum()


def test_another_seed_is_another_market() -> None:
    one, two = (Market(MarketSettings(seed=seed)).minutes("BTCUSDT", date(2026, 1, 5)) for seed in (1, 2))
    assert not one.equals(two)


def test_days_join(btc: pl.DataFrame) -> None:
    per_day = btc.group_by(pl.col("open_time").dt.date(), maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("close").last(),
        first=pl.col("open_time").min().dt.time(),
        last=pl.col("open_time").max().dt.time(),
    )
    joined = per_day.with_columns(before=pl.col("close").shift(), before_last=pl.col("last").shift()).slice(1)
    whole = joined.filter((pl.col("first") == pl.time(0, 0)) & (pl.col("before_last") == pl.time(23, 59)))
    assert whole.height > 100
    assert whole.filter(pl.col("open") != pl.col("before")).is_empty()


@pytest.mark.parametrize("symbol", SETTINGS.symbols)
def test_klines_are_sound_and_on_the_grid(symbol: str) -> None:
    market = Market(SETTINGS)
    rows = days(market, symbol, 20)
    for check in (check_duplicates, check_ohlc_order, check_range):
        assert check(rows).passed
    found = next(item for item in market.instruments() if item.symbol == symbol)
    for column, step in (("close", found.tick_size), ("volume", found.lot_step)):
        steps = rows[column].to_numpy() / float(step)
        assert np.abs(steps - np.rint(steps)).max() < 1e-4
    assert (rows["taker_buy_base"] <= rows["volume"]).all()
    value = rows["volume"] * (rows["open"] + rows["high"] + rows["low"] + rows["close"]) / 4
    assert np.allclose(value, rows["quote_volume"], rtol=1e-9)


def test_only_thin_pairs_have_silent_minutes_and_their_price_stays() -> None:
    market = Market(SETTINGS)
    thin = days(market, "VIBUSDT", 10).filter(pl.col("trades") == 0)
    assert thin.height > 100
    assert (thin["volume"] == 0).all()
    assert (thin["high"] == thin["low"]).all()
    assert days(market, "BTCUSDT", 10).filter(pl.col("trades") == 0).is_empty()


def test_returns_are_fat_tailed_and_volatility_clusters(btc: pl.DataFrame) -> None:
    returns = np.diff(np.log(btc["close"].to_numpy()))
    kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2
    assert kurtosis > 5.0
    size = np.abs(returns[: len(returns) // 60 * 60].reshape(-1, 60)).sum(axis=1)
    daily_shift = np.corrcoef(size[24:], size[:-24])[0, 1]
    assert daily_shift > 0.3
    hours = btc.group_by(pl.col("open_time").dt.hour()).agg(pl.col("volume").mean()).sort("open_time")
    assert hours["volume"][14] > 1.5 * hours["volume"][3]


def test_pairs_move_with_the_market(btc: pl.DataFrame) -> None:
    eth = days(Market(SETTINGS), "ETHUSDT", 120)
    both = btc.select("open_time", b="close").join(eth.select("open_time", e="close"), on="open_time")
    moves = np.diff(np.log(both.select("b", "e").to_numpy()), axis=0)
    assert 0.5 < np.corrcoef(moves.T)[0, 1] < 0.98


def recovery_after_falls(reversal: float) -> float:
    """Mean move in the three hours after a fall of two deviations in three hours, in deviations."""
    market = Market(MarketSettings(symbols=("BTCUSDT",), reversal=reversal, horizon_days=200))
    hourly = []
    for day in range(200):
        rows = market.minutes("BTCUSDT", date(2024, 6, 1) + timedelta(days=day))
        if rows.height == 1440:
            ends = np.append(rows["open"][0], rows["close"].to_numpy()[59::60])
            hourly.append(np.diff(np.log(ends)))
    moves = np.convolve(np.concatenate(hourly), np.ones(3), "valid")
    falls = np.flatnonzero(moves[:-3] < -2.0 * moves.std())
    return float(moves[falls + 3].mean() / moves.std())


def test_sharp_falls_recover_as_far_as_the_settings_say() -> None:
    # The same draws with and without the pull: the difference is the structure.
    assert 0.05 < recovery_after_falls(1.0) - recovery_after_falls(0.0) < 0.4


def test_outages_and_listings_leave_minutes_out() -> None:
    settings_ = MarketSettings(
        symbols=("BTCUSDT", "ETHUSDT"),
        listings=("ETHUSDT=2026-01-04T10:30",),
        outages=(Outage("2026-01-05T03:00", 17), Outage("2026-01-05T23:50", 20, "BTCUSDT")),
        venue_outage_probability=0.0,
        symbol_outage_probability=0.0,
    )
    market = Market(settings_)
    assert market.minutes("BTCUSDT", date(2026, 1, 5)).height == 1440 - 17 - 10
    assert market.minutes("BTCUSDT", date(2026, 1, 6)).height == 1440 - 10
    assert market.minutes("ETHUSDT", date(2026, 1, 5)).height == 1440 - 17
    assert market.minutes("ETHUSDT", date(2026, 1, 3)).is_empty()
    first = market.minutes("ETHUSDT", date(2026, 1, 4))
    assert first.height == 1440 - 630
    assert first["open_time"].dt.epoch("ms")[0] == market.listed_at_ms("ETHUSDT")
    assert market.listed_at_ms("ETHUSDT") % MINUTE_MS == 0


def test_random_outages_happen_to_all_at_once() -> None:
    market = Market(
        MarketSettings(
            symbols=("BTCUSDT", "ETHUSDT"), venue_outage_probability=1.0, symbol_outage_probability=0
        )
    )
    one, two = (market.minutes(symbol, date(2026, 1, 5)) for symbol in market.symbols)
    assert one.height < 1440
    assert one["open_time"].equals(two["open_time"])


def test_outside_its_history_there_is_nothing() -> None:
    market = Market(SETTINGS)
    assert market.minutes("BTCUSDT", ORIGIN - timedelta(days=1)).is_empty()
    assert market.minutes("BTCUSDT", ORIGIN + timedelta(days=400)).is_empty()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (MarketSettings(symbols=("BTCUSD",)), "nearest is BTCUSDT"),
        (MarketSettings(count=1000), "count is 1000"),
        (MarketSettings(origin="soon"), "origin is 'soon'"),
        (MarketSettings(outages=(Outage("later", 3),)), "outages has 'later'"),
    ],
)
def test_wrong_settings_are_named(wrong: MarketSettings, message: str) -> None:
    with pytest.raises(FixConfiguration, match=message):
        Market(wrong)


def test_the_catalogue_has_enough_pairs() -> None:
    assert len(CATALOGUE) >= 60
    assert len(Market(MarketSettings()).symbols) == 20
