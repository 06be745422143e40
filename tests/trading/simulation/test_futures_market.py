from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.quality import check_duplicates, check_ohlc_order
from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from trading.simulation.contracts import CHANGING, HOURLY
from trading.simulation.funding import HOUR_MS, funding_rate, next_settlement, settlements
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.moments import midnight_ms
from trading.simulation.premium import PREMIUM
from trading.simulation.settings import MarketSettings, Outage

ORIGIN = date(2025, 12, 1)
CALM = {"venue_outage_probability": 0.0, "symbol_outage_probability": 0.0, "late_listing_days": 0}
SETTINGS = MarketSettings(
    symbols=("BTCUSDT", "XRPUSDT", CHANGING, HOURLY, "PEPEUSDT", "VIBUSDT"),
    origin=ORIGIN.isoformat(),
    horizon_days=400,
    **CALM,
)
DERIVED = [series for series in Series if series is not Series.SPOT]


def fresh(settings_: MarketSettings = SETTINGS) -> FuturesMarket:
    return FuturesMarket(Market(settings_))


@pytest.fixture(scope="module")
def futures() -> FuturesMarket:
    return fresh()


@settings(max_examples=15, deadline=None)
@given(
    asked=st.lists(st.tuples(st.sampled_from(("BTCUSDT", "1000PEPEUSDT")), st.integers(0, 399)), max_size=4),
    symbol=st.sampled_from(("BTCUSDT", "1000PEPEUSDT", HOURLY)),
    number=st.integers(0, 399),
    series=st.sampled_from(DERIVED),
)
def test_an_answer_does_not_depend_on_earlier_questions(
    asked: list[tuple[str, int]], symbol: str, number: int, series: Series
) -> None:
    used, day = fresh(), ORIGIN + timedelta(days=number)
    for name, other in asked:
        used.minutes(name, ORIGIN + timedelta(days=other), series)
        used.funding(name, ORIGIN + timedelta(days=other))
    assert used.minutes(symbol, day, series).equals(fresh().minutes(symbol, day, series))
    assert used.funding(symbol, day).equals(fresh().funding(symbol, day))
    assert used.positions(symbol, day).equals(fresh().positions(symbol, day))


def test_another_process_gives_the_same_bytes(futures: FuturesMarket) -> None:
    code = (
        "from datetime import date; from trading.simulation.market import Market; "
        "from trading.simulation.futures import FuturesMarket; "
        "from trading.simulation.settings import MarketSettings; "
        "f = FuturesMarket(Market(MarketSettings())); d = date(2026, 1, 5); "
        "print(f.minutes('SOLUSDT', d).hash_rows(seed=1).sum(), f.positions('SOLUSDT', d).hash_rows(seed=1).sum())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mine, day = fresh(MarketSettings()), date(2026, 1, 5)
    sums = [mine.minutes("SOLUSDT", day), mine.positions("SOLUSDT", day)]
    assert [int(text) for text in other.stdout.split()] == [rows.hash_rows(seed=1).sum() for rows in sums]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000PEPEUSDT", "VIBUSDT"])
@pytest.mark.parametrize("series", DERIVED)
def test_days_join_and_bars_are_sound(futures: FuturesMarket, symbol: str, series: Series) -> None:
    name = symbol if symbol in futures.contracts else f"1000{symbol}"
    days = [futures.minutes(name, ORIGIN + timedelta(days=number), series) for number in range(8)]
    assert [day.height for day in days] == [1440] * 8
    rows = pl.concat(days)
    assert check_duplicates(rows).passed
    if series is not Series.PREMIUM:
        assert check_ohlc_order(rows).passed
    assert rows.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    assert rows.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
    # A thin coin's last trade may lie minutes before midnight, in the spot market as in its futures.
    if "VIB" not in name:
        assert rows["open"].to_list()[1:] == rows["close"].to_list()[:-1]


def test_the_index_is_spot_the_mark_adds_the_premium_and_trades_are_close(futures: FuturesMarket) -> None:
    day = ORIGIN + timedelta(days=30)
    spot = futures.market.minutes("PEPEUSDT", day)
    traded, mark, index, premium = (futures.minutes("1000PEPEUSDT", day, series) for series in DERIVED)
    assert np.allclose(index["close"], spot["close"] * 1000.0, rtol=1e-12)
    assert np.allclose(index["high"], spot["high"] * 1000.0, rtol=1e-12)
    assert np.allclose(mark["close"], index["close"] * (1.0 + premium["close"]), rtol=1e-6)
    tick = float(futures.contracts["1000PEPEUSDT"].listing.tick_size)
    assert (traded["close"] - mark["close"]).abs().max() < 0.0003 * mark["close"].max() + tick
    ticks = traded["close"].to_numpy() / tick
    assert np.abs(ticks - np.rint(ticks)).max() < 1e-4


def test_premiums_are_small_bounded_of_both_signs_and_follow_the_trend(futures: FuturesMarket) -> None:
    market = futures.market
    paths = futures.premiums("BTCUSDT", market.origin_ms, market.end_ms).reshape(-1, 1440)
    assert np.abs(paths).max() <= PREMIUM.bound
    assert 0.00005 < paths.std() < 0.002
    assert 0.2 < (paths > 0.0).mean() < 0.9
    moves = np.diff(market.log_levels("BTCUSDT"))
    assert np.corrcoef(moves[:-1], paths[1:, 0])[0, 1] > 0.1


def test_an_extreme_premium_is_cut_at_the_bound() -> None:
    from dataclasses import replace

    from trading.simulation.reverting import anchors, within_day

    wild = replace(PREMIUM, daily_deviation=0.02, fast_deviation=0.02)
    random = np.random.default_rng(1)
    slow = anchors(random, wild, 50)
    path = within_day(random, wild, slow[0], slow[1], 1440)
    assert (np.abs(slow).max(), np.abs(path).max()) == (PREMIUM.bound, PREMIUM.bound)
    assert (path[0], path[-1]) == (slow[0], slow[1])


def test_futures_volume_follows_spots_but_is_its_own(futures: FuturesMarket) -> None:
    days = [ORIGIN + timedelta(days=number) for number in range(10)]
    spot = pl.concat([futures.market.minutes("BTCUSDT", day) for day in days])["quote_volume"].log()
    own = pl.concat([futures.minutes("BTCUSDT", day) for day in days])["quote_volume"].log()
    assert 0.4 < np.corrcoef(spot, own)[0, 1] < 0.95


def test_funding_is_binances_rule_at_hand_made_premiums() -> None:
    # I = 0.01 %: within 0.05 % of it the rate is I, beyond it the premium less 0.05 %.
    assert funding_rate(np.full(480, 0.0003), 8) == 0.0001
    assert funding_rate(np.full(480, 0.0010), 8) == 0.0005
    assert funding_rate(np.full(480, -0.0010), 8) == -0.0005
    assert funding_rate(np.full(240, 0.0010), 4) == 0.00025
    assert funding_rate(np.full(60, 0.0), 1) == 0.0000125
    # Later minutes weigh more: (1*0 + 2*0.003) / 3 = 0.002.
    assert funding_rate(np.array([0.0, 0.003]), 8) == 0.0015


def test_rates_come_from_the_premiums_before_each_payment(futures: FuturesMarket) -> None:
    day = ORIGIN + timedelta(days=20)
    rows = futures.funding("BTCUSDT", day)
    assert rows["interval_hours"].to_list() == [8, 8, 8]
    closes = pl.concat(
        [futures.minutes("BTCUSDT", day + timedelta(days=shift), Series.PREMIUM) for shift in (-1, 0)]
    )
    for at, rate, hours in rows.iter_rows():
        window = closes.filter(pl.col("open_time").is_between(at - timedelta(hours=hours), at, closed="left"))
        assert window.height == 480
        assert rate == pytest.approx(funding_rate(window["close"].to_numpy(), hours), abs=2e-8)


def test_intervals_are_eight_four_and_one_hour_and_one_contract_changes(futures: FuturesMarket) -> None:
    assert futures.contracts["XRPUSDT"].intervals == ((0, 4),)
    assert futures.funding(HOURLY, ORIGIN + timedelta(days=3)).height == 24
    (_, (changed_ms, _)) = futures.contracts[CHANGING].intervals
    day = ORIGIN + timedelta(days=(changed_ms - futures.market.origin_ms) // DAY_MS)
    before, after = (
        futures.funding(CHANGING, day - timedelta(days=1)),
        futures.funding(CHANGING, day),
    )
    assert before["interval_hours"].to_list() == [8, 8, 8]
    assert after["interval_hours"].to_list() == [8, 4, 4, 4, 4, 4]
    assert next_settlement(futures.contracts[CHANGING], changed_ms) == changed_ms + 4 * HOUR_MS
    assert fresh(MarketSettings(seed=7)).contracts[CHANGING].intervals[1][0] != changed_ms


def test_open_interest_is_positive_moves_slowly_and_joins(futures: FuturesMarket) -> None:
    rows = pl.concat([futures.positions("BTCUSDT", ORIGIN + timedelta(days=number)) for number in range(20)])
    assert rows.height == 20 * 288
    assert rows["time"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=5)]
    assert (rows["open_interest"] > 0.0).all()
    assert rows["open_interest"].pct_change().abs().max() < 0.1
    marks = futures.minutes("BTCUSDT", ORIGIN, Series.MARK)["open"][::5]
    assert np.allclose(rows["open_interest_value"][:288] / rows["open_interest"][:288], marks, rtol=1e-6)
    assert all((rows[name] > 0.0).all() for name in rows.columns if name.endswith("ratio"))


def test_cheap_coins_trade_in_thousands(futures: FuturesMarket) -> None:
    found = futures.contracts["1000PEPEUSDT"].instrument(0)
    assert (found.base, found.underlying, found.multiplier) == ("1000PEPE", "PEPE", 1000)
    assert futures.contracts["BTCUSDT"].multiplier == 1
    assert [name for name in fresh(MarketSettings()).contracts if name.startswith("1000")] == ["1000XLMUSDT"]


def test_some_contracts_are_listed_after_their_pair_and_paid_only_from_then_on() -> None:
    futures = fresh(MarketSettings(count=30))
    late = [
        contract
        for contract in futures.contracts.values()
        if contract.listed_at_ms > futures.market.listed_at_ms(contract.spot.symbol)
    ]
    assert 4 <= len(late) <= 8
    contract = late[0]
    day = futures.market.origin + timedelta(days=(contract.listed_at_ms - futures.market.origin_ms) // DAY_MS)
    rows = futures.minutes(contract.symbol, day)
    assert futures.minutes(contract.symbol, day - timedelta(days=1)).is_empty()
    assert rows["open_time"].dt.epoch("ms")[0] >= contract.listed_at_ms
    assert futures.positions(contract.symbol, day)["time"].dt.epoch("ms").min() >= contract.listed_at_ms  # type: ignore[operator]
    for at_ms, _ in settlements(contract, midnight_ms(day)):
        assert at_ms > contract.listed_at_ms


def test_each_market_has_its_own_outages() -> None:
    settings_ = MarketSettings(
        symbols=("BTCUSDT", "ETHUSDT"),
        outages=(Outage("2026-01-05T03:00", 17), Outage("2026-01-05T05:00", 9, "ETHUSDT", market="usdm")),
        **CALM,
    )
    futures, day = fresh(settings_), date(2026, 1, 5)
    assert futures.market.minutes("ETHUSDT", day).height == 1440 - 17
    assert futures.minutes("BTCUSDT", day).height == 1440
    rows = futures.minutes("ETHUSDT", day, Series.MARK)
    missing = set(range(1440)) - set(((rows["open_time"].dt.epoch("ms") // MINUTE_MS) % 1440).to_list())
    assert missing == set(range(300, 309))


def test_wrong_questions_are_named(futures: FuturesMarket) -> None:
    with pytest.raises(FixConfiguration, match="contract 'PEPEUSDT' is not simulated; there are BTCUSDT"):
        futures.minutes("PEPEUSDT", ORIGIN)
    with pytest.raises(FixConfiguration, match="no futures series"):
        futures.minutes("BTCUSDT", ORIGIN, Series.SPOT)
    assert futures.minutes("BTCUSDT", ORIGIN - timedelta(days=1)).is_empty()
    assert futures.funding("BTCUSDT", ORIGIN + timedelta(days=400)).is_empty()
    assert futures.positions("BTCUSDT", ORIGIN - timedelta(days=1)).is_empty()
