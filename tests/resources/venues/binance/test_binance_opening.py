"""Settings that must agree before a real order can be sent, keys that may do too much, and what is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from binance_exchange import Exchange, refusal
from pydantic import TypeAdapter, ValidationError

from resources.instruments.signed import Credentials
from resources.settings import load_settings
from resources.venues.binance.opening import open_binance
from resources.venues.binance.permissions import require_trading_key
from resources.venues.binance.settings import (
    ACCEPTANCE,
    BinanceVenueSettings,
    VenueSettings,
    addresses,
    require_same_market,
)
from resources.venues.binance.stream.user_stream import UserStream
from resources.venues.binance.transport import Api
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.series import Market

_RIGHTS = "GET /sapi/v1/account/apiRestrictions"
_LIVE = VenueSettings(kind="binance_spot", testnet=False, live_trading=ACCEPTANCE)


def test_paper_is_the_default_and_the_testnet_the_default_of_a_venue() -> None:
    assert VenueSettings().kind == "paper"
    assert VenueSettings(kind="binance_spot").testnet
    where = addresses(VenueSettings(kind="binance_usdm"))
    assert "binance.com" not in f"{where.rest_url}{where.websocket_url}{where.wallet_url}"
    with pytest.raises(FixConfiguration, match="kind is paper"):
        addresses(VenueSettings())


def test_real_orders_need_two_settings_that_agree() -> None:
    assert addresses(_LIVE).rest_url == "https://api.binance.com"
    assert addresses(replace(_LIVE, kind="binance_usdm")).rest_url == "https://fapi.binance.com"
    with pytest.raises(FixConfiguration, match="real orders need"):
        addresses(replace(_LIVE, live_trading=""))
    with pytest.raises(FixConfiguration, match="testnet is true"):
        addresses(replace(_LIVE, testnet=True))


@pytest.mark.parametrize("word", ["yes", "true", "I-accept-real-orders", "i-accept-real-orders "])
def test_only_the_exact_words_are_accepted(word: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(VenueSettings).validate_python({"testnet": False, "live_trading": word})


@pytest.mark.parametrize(
    ("testnet", "url"),
    [
        (True, "https://api.binance.com"),
        (True, "https://fapi.binance.com"),
        (True, "https://testnet.binance.vision.evil.example"),
        (True, "http://testnet.binance.vision"),
        (False, "http://api.binance.com"),
        (False, "https://testnet.binance.vision"),
        (False, "https://demo-api.binance.com"),
        (False, "https://evilbinance.com"),
        (False, "http://127.0.0.1:9"),
        (False, "https://api.binance.com.evil.example"),
    ],
)
def test_an_address_of_another_exchange_is_refused(testnet: bool, url: str) -> None:
    given = replace(_LIVE, testnet=testnet, live_trading="" if testnet else ACCEPTANCE)
    with pytest.raises(FixConfiguration, match="base_url"):
        addresses(replace(given, binance=BinanceVenueSettings(base_url=url)))


@pytest.mark.parametrize(
    ("source", "fits"), [("binance", True), ("archive", True), ("sandbox", False), ("files", False)]
)
def test_decisions_are_made_on_the_market_that_is_traded(source: str, fits: bool) -> None:
    settings = VenueSettings(kind="binance_spot")
    if fits:
        require_same_market(settings, source)
    else:
        with pytest.raises(FixConfiguration, match=f"source is {source}"):
            require_same_market(settings, source)
    local = replace(settings, binance=BinanceVenueSettings(base_url="http://127.0.0.1:8090"))
    require_same_market(local, "sandbox")


def test_the_configuration_file_reads_the_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tidemill.yaml"
    file.write_text("venue:\n  kind: binance_usdm\n  binance:\n    position_mode: hedge\n    leverage: 5\n")
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    settings = load_settings(file)
    assert (settings.venue.kind, settings.venue.binance.leverage) == ("binance_usdm", 5)
    assert settings.located_venue.binance.weight_file == str(tmp_path / "var/binance_weights.json")
    file.write_text("venue:\n  binance:\n    leverage: 200\n")
    with pytest.raises(FixConfiguration, match="leverage"):
        load_settings(file)


def _rights(**changed: bool) -> dict[str, Any]:
    """The documented example, with a key that may read and trade."""
    return {
        "ipRestrict": True,
        "createTime": 1623840271000,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableSpotAndMarginTrading": True,
        "enableFutures": True,
        "enableMargin": False,
        **changed,
    }


@pytest.mark.parametrize("market", [Market.SPOT, Market.USDM])
def test_a_key_that_may_withdraw_is_refused(exchange: Exchange, spot_api: Api, market: Market) -> None:
    exchange.pages[_RIGHTS] = _rights()
    require_trading_key(spot_api, market, testnet=False)
    exchange.pages[_RIGHTS] = _rights(enableWithdrawals=True)
    with pytest.raises(FixConfiguration, match="may withdraw"):
        require_trading_key(spot_api, market, testnet=False)


def test_a_key_that_cannot_trade_the_market_is_refused(exchange: Exchange, spot_api: Api) -> None:
    exchange.pages[_RIGHTS] = _rights(enableFutures=False)
    require_trading_key(spot_api, Market.SPOT, testnet=False)
    with pytest.raises(FixConfiguration, match="enableFutures"):
        require_trading_key(spot_api, Market.USDM, testnet=False)
    exchange.pages[_RIGHTS] = _rights(enableReading=False)
    with pytest.raises(FixConfiguration, match="enableReading"):
        require_trading_key(spot_api, Market.SPOT, testnet=False)


def test_a_key_of_which_nothing_is_known_is_not_used(exchange: Exchange, spot_api: Api) -> None:
    with pytest.raises(FixConfiguration, match="does not say"):
        require_trading_key(spot_api, Market.SPOT, testnet=False)  # 404
    require_trading_key(spot_api, Market.SPOT, testnet=True)
    exchange.pages[_RIGHTS] = refusal(-1000, "unknown", 500)
    for testnet in (True, False):
        with pytest.raises(RetryLater):
            require_trading_key(spot_api, Market.SPOT, testnet=testnet)
    rights = _rights()
    del rights["enableWithdrawals"]
    exchange.pages[_RIGHTS] = rights
    with pytest.raises(BadData, match="enableWithdrawals"):
        require_trading_key(spot_api, Market.SPOT, testnet=False)
    exchange.pages[_RIGHTS] = _rights(enableWithdrawals=True)
    with pytest.raises(FixConfiguration, match="may withdraw"):
        require_trading_key(spot_api, Market.SPOT, testnet=True)


def _settings(exchange: Exchange, kind: Any) -> VenueSettings:
    url = exchange.base_url
    binance = BinanceVenueSettings(base_url=url, futures_base_url=url, leverage=2)
    return VenueSettings(kind=kind, binance=binance)


def test_opening_spot_and_futures(exchange: Exchange, credentials: Credentials) -> None:
    exchange.pages[_RIGHTS] = _rights()
    exchange.pages["GET /fapi/v1/positionSide/dual"] = {"dualSidePosition": False}
    spot = open_binance(_settings(exchange, "binance_spot"), {}.get, signer=credentials)
    futures = open_binance(_settings(exchange, "binance_usdm"), {}.get, signer=credentials)
    assert (spot.venue.name, spot.account.name, spot.terms) == ("binance_spot", "binance_spot", None)
    assert (futures.venue.name, futures.account.derivatives) == ("binance_usdm", True)
    assert isinstance(spot.stream(), UserStream)
    spot.close()
    futures.close()


def test_opening_asks_before_it_hands_out(exchange: Exchange, credentials: Credentials) -> None:
    exchange.pages[_RIGHTS] = _rights(enableWithdrawals=True)
    with pytest.raises(FixConfiguration, match="may withdraw"):
        open_binance(_settings(exchange, "binance_spot"), {}.get, signer=credentials)
    exchange.pages["GET /fapi/v1/positionSide/dual"] = {"dualSidePosition": True}
    with pytest.raises(FixConfiguration, match="hedge"):
        open_binance(_settings(exchange, "binance_usdm"), {}.get, signer=credentials)


def test_opening_without_a_key_says_which_variable(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TIDEMILL_BINANCE_KEY", "TIDEMILL_BINANCE_SECRET", "TIDEMILL_BINANCE_PRIVATE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FixConfiguration, match="TIDEMILL_BINANCE_KEY is not set"):
        open_binance(_settings(exchange, "binance_spot"), {}.get)
