"""The pairs that a universe must leave out, delistings, and the second venue."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS
from trading.simulation.calendar import DELISTED_LATER, NEVER_TRADED
from trading.simulation.catalogue import ODD
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.second_venue import BASIS, SecondVenue
from trading.simulation.settings import MarketSettings, Outage

SETTINGS = MarketSettings(count=5, venue_outage_probability=0.0, symbol_outage_probability=0.0)
DAY = date(2025, 3, 4)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(SETTINGS, odd_symbols=True)


def test_odd_pairs_come_only_on_request_and_change_nothing_else(market: Market) -> None:
    plain = Market(SETTINGS)
    assert market.symbols == (*plain.symbols, *ODD)
    assert market.minutes("BTCUSDT", DAY).equals(plain.minutes("BTCUSDT", DAY))


def test_odd_pairs_behave_as_their_kind(market: Market) -> None:
    days = [DAY + timedelta(days=40 * number) for number in range(8)]

    def closes(symbol: str) -> np.ndarray:
        return pl.concat([market.minutes(symbol, day) for day in days])["close"].to_numpy()

    assert np.abs(closes("USDCUSDT") - 1.0).max() < 0.01
    assert np.abs(closes("EURUSDT") / 1.08 - 1.0).max() < 0.2
    assert np.allclose(closes("WBTCUSDT"), closes("BTCUSDT"), rtol=0.001)
    moves = {name: np.diff(np.log(closes(name))) for name in ("BTCUPUSDT", "BTCUSDT")}
    assert moves["BTCUPUSDT"].std() > 2.0 * moves["BTCUSDT"].std()


def test_a_delisted_coin_ends_with_its_future(market: Market) -> None:
    futures = FuturesMarket(market)
    found = next(item for item in market.instruments() if item.symbol == DELISTED_LATER)
    assert found.delisted_at_ms is not None
    last = market.origin + timedelta(days=(found.delisted_at_ms - market.origin_ms) // DAY_MS)
    for rows in (market.minutes(DELISTED_LATER, last), futures.minutes(DELISTED_LATER, last)):
        assert rows["open_time"].dt.epoch("ms").max() < found.delisted_at_ms  # type: ignore[operator]
    after = last + timedelta(days=1)
    assert market.minutes(DELISTED_LATER, last - timedelta(days=1)).height == 1440
    assert market.minutes(DELISTED_LATER, after).is_empty()
    assert futures.minutes(DELISTED_LATER, after).is_empty()
    assert futures.funding(DELISTED_LATER, after).is_empty()
    assert futures.positions(DELISTED_LATER, after).is_empty()
    other = Market(MarketSettings(seed=3), odd_symbols=True).calendar.delisted_ms(DELISTED_LATER)
    assert other != found.delisted_at_ms


def test_a_pair_that_no_longer_trades_has_no_klines_and_no_future(market: Market) -> None:
    assert all(market.minutes(NEVER_TRADED, market.origin + timedelta(days=n)).is_empty() for n in (0, 9))
    assert NEVER_TRADED not in FuturesMarket(market).contracts


def test_a_delisting_can_be_set() -> None:
    market = Market(MarketSettings(symbols=("BTCUSDT",), delistings=("BTCUSDT=2026-01-02T10:00",)))
    rows = market.minutes("BTCUSDT", date(2026, 1, 2))
    assert rows["open_time"].max().strftime("%H:%M") <= "09:59"  # type: ignore[union-attr]
    assert market.minutes("BTCUSDT", date(2026, 1, 3)).is_empty()
    with pytest.raises(FixConfiguration, match="delistings has 'soon'"):
        Market(MarketSettings(delistings=("BTCUSDT=soon",)))


def test_the_second_venue_agrees_within_basis_points_and_has_its_own_volumes() -> None:
    settings = MarketSettings(
        outages=(Outage("2025-03-04T03:00", 30), Outage("2025-03-04T06:00", 20, market="coinbase")),
        venue_outage_probability=0.0,
        symbol_outage_probability=0.0,
    )
    market = Market(settings)
    venue = SecondVenue(market)
    assert tuple(venue.products) == ("BTC-USD", "ETH-USD")
    second, first = venue.minutes("BTC-USD", DAY), market.minutes("BTCUSDT", DAY)
    assert (second.height, first.height) == (1440 - 20, 1440 - 30)
    both = second.join(first, on="open_time", suffix="_first")
    difference = both["close"] / both["close_first"] - 1.0
    assert 0.0 < difference.abs().mean() < 0.0008
    assert difference.abs().max() <= BASIS.bound + 0.0001  # type: ignore[operator]
    assert both.filter(pl.col("volume") == pl.col("volume_first")).is_empty()
    assert second.equals(SecondVenue(Market(settings)).minutes("BTC-USD", DAY))
    with pytest.raises(FixConfiguration, match="product 'DOGE-USD' is not simulated"):
        venue.minutes("DOGE-USD", DAY)


def test_most_pairs_turn_over_enough_for_a_universe() -> None:
    market = Market(MarketSettings(late_listing_days=0, count=50))
    volumes = {symbol: market.minutes(symbol, DAY)["quote_volume"].sum() for symbol in market.symbols}
    assert sum(volume >= 3_000_000.0 for volume in volumes.values()) >= 45
