"""A client that nobody here wrote trades on the sandbox as it would at the venue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from paper_client import KEYS, NOW, SETTINGS

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")


@pytest.fixture
def sandbox() -> Iterator[EmbeddedSandbox]:
    # The clock runs, because ccxt stamps its requests by its own.
    with EmbeddedSandbox(replace(SETTINGS, clock=ClockSettings(start=NOW, speed=1.0))) as running:
        yield running


def client(sandbox: EmbeddedSandbox, kind: str, *, ed25519: bool = False) -> Any:
    import ccxt

    key, secret = KEYS.api_key, KEYS.secret
    if ed25519:
        key, secret = KEYS.ed25519_api_key, KEYS.ed25519_private_key
    made = getattr(ccxt, kind)({"apiKey": key, "secret": secret, "enableRateLimit": False})
    for name, address in made.urls["api"].items():
        if isinstance(address, str):
            made.urls["api"][name] = sandbox.base_url + "/" + address.split("/", 3)[3]
    made.options |= {"fetchCurrencies": False, "recvWindow": 60_000, "fetchMargins": False}
    made.options["fetchMarkets"] = {"types": ["spot"] if kind == "binance" else ["linear"]}
    made.has["fetchCurrencies"] = False
    made.session.trust_env = False
    made.load_time_difference()
    made.load_markets()
    return made


def wait(sandbox: EmbeddedSandbox, made: Any, minutes: int) -> None:
    sandbox.clock.set(sandbox.clock.now_ms() + minutes * 60_000)
    made.load_time_difference()


@pytest.mark.parametrize("ed25519", [False, True])
def test_ccxt_trades_spot(sandbox: EmbeddedSandbox, ed25519: bool) -> None:
    import ccxt

    made = client(sandbox, "binance", ed25519=ed25519)
    assert made.fetch_balance()["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0}

    bought = made.create_market_buy_order("BTC/USDT", 0.05)
    assert (bought["status"], bought["filled"]) == ("closed", 0.05)
    last = made.fetch_ticker("BTC/USDT")["last"]
    limit = made.create_limit_sell_order("BTC/USDT", 0.01, round(last * 1.2, 1))
    stop = made.create_order(
        "BTC/USDT", "market", "sell", 0.02, None, {"stopLossPrice": round(last * 0.7, 1)}
    )
    assert {item["id"] for item in made.fetch_open_orders("BTC/USDT")} == {limit["id"], stop["id"]}
    held = made.fetch_balance()
    assert held["BTC"]["used"] == pytest.approx(0.03)
    assert held["BTC"]["free"] == pytest.approx(0.05 * 0.999 - 0.03)

    assert made.cancel_order(limit["id"], "BTC/USDT")["status"] == "canceled"
    assert made.fetch_order(limit["id"], "BTC/USDT")["status"] == "canceled"
    made.cancel_all_orders("BTC/USDT")
    assert made.fetch_open_orders("BTC/USDT") == []
    with pytest.raises(ccxt.OrderNotFound):
        made.cancel_order(limit["id"], "BTC/USDT")
    with pytest.raises(ccxt.InsufficientFunds):
        made.create_limit_buy_order("BTC/USDT", 1, round(last * 0.9, 1))
    (trade,) = made.fetch_my_trades("BTC/USDT")
    assert (trade["order"], trade["amount"], trade["fee"]["currency"]) == (bought["id"], 0.05, "BTC")

    # A limit order just below the market is filled when the market comes to it.
    near = made.create_limit_buy_order("BTC/USDT", 0.001, round(last * 0.999, 1))
    wait(sandbox, made, 24 * 60)
    assert made.fetch_order(near["id"], "BTC/USDT")["status"] == "closed"
    assert made.fetch_trading_fee("BTC/USDT")["taker"] == 0.001


def test_ccxt_trades_futures(sandbox: EmbeddedSandbox) -> None:
    import ccxt

    made, symbol = client(sandbox, "binanceusdm"), "BTC/USDT:USDT"
    assert made.fetch_balance()["USDT"]["total"] == 10_000.0
    assert made.set_leverage(10, symbol)["leverage"] == 10
    bought = made.create_market_buy_order(symbol, 0.5)
    assert (bought["status"], bought["filled"]) == ("closed", 0.5)
    (position,) = made.fetch_positions([symbol])
    assert (position["side"], position["contracts"]) == ("long", 0.5)
    assert position["entryPrice"] == pytest.approx(bought["average"])

    last = position["markPrice"]
    stop = made.create_order(
        symbol,
        "market",
        "sell",
        0.5,
        None,
        {"stopLossPrice": round(last * 0.8, 1), "reduceOnly": True},
    )
    assert made.fetch_open_orders(symbol, params={"trigger": True})[0]["id"] == stop["id"]
    assert made.fetch_order(stop["id"], symbol, params={"trigger": True})["status"] == "open"
    made.cancel_order(stop["id"], symbol, params={"trigger": True})
    assert made.fetch_open_orders(symbol, params={"trigger": True}) == []

    limit = made.create_limit_sell_order(symbol, 0.1, round(last * 1.2, 1), {"reduceOnly": True})
    assert [item["id"] for item in made.fetch_open_orders(symbol)] == [limit["id"]]
    assert made.cancel_order(limit["id"], symbol)["status"] == "canceled"

    wait(sandbox, made, 9 * 60)
    assert len(made.fetch_funding_history(symbol)) == 1
    assert made.fetch_leverage_tiers([symbol])[symbol][0]["maxLeverage"] == 100
    sold = made.create_market_sell_order(symbol, 0.5, {"reduceOnly": True})
    trades = made.fetch_my_trades(symbol)
    assert [item["order"] for item in trades] == [bought["id"], sold["id"]]
    assert made.fetch_positions([symbol]) == []
    made.set_margin_mode("isolated", symbol)
    made.set_position_mode(True)
    assert made.fetch_position_mode()["hedged"] is True
    short = made.create_market_sell_order(symbol, 0.1, {"positionSide": "SHORT"})
    (position,) = made.fetch_positions([symbol])
    assert (position["side"], position["marginMode"], position["hedged"]) == ("short", "isolated", True)
    assert position["initialMargin"] == pytest.approx(0.1 * short["average"] / 10, rel=0.01)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        made.create_market_buy_order(symbol, 50, {"positionSide": "LONG"})
