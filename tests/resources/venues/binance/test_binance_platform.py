"""The platform opens the venue that the settings name, and finds orders in its ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from binance_exchange import KEY, SECRET, Exchange

from resources.platform import Platform
from resources.settings import load_settings
from resources.venues.binance.spot.orders import SpotVenue
from resources.venues.paper.resource import PaperVenue
from tests.conftest import ROOT
from trading.errors import BadData, FixConfiguration


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMILL_SOURCE", raising=False)
    monkeypatch.setenv("TIDEMILL_BINANCE_KEY", KEY)
    monkeypatch.setenv("TIDEMILL_BINANCE_SECRET", SECRET)
    monkeypatch.delenv("TIDEMILL_BINANCE_PRIVATE_KEY_FILE", raising=False)
    return tmp_path


def _platform(home: Path, text: str) -> Platform:
    file = home / "tidemill.yaml"
    file.write_text(text)
    return Platform(load_settings(file))


def test_paper_is_where_orders_go_by_default(home: Path) -> None:
    platform = _platform(home, "history_days: 1\n")
    assert isinstance(platform.venue(), PaperVenue)
    platform.ledger.close()


def test_a_configured_venue_is_opened_once_and_asks_the_ledger(home: Path, exchange: Exchange) -> None:
    exchange.pages["GET /sapi/v1/account/apiRestrictions"] = {
        "enableReading": True,
        "enableWithdrawals": False,
        "enableSpotAndMarginTrading": True,
        "enableFutures": False,
    }
    text = f"venue:\n  kind: binance_spot\n  binance:\n    base_url: {exchange.base_url}\n"
    platform = _platform(home, text)
    venue = platform.venue()
    assert isinstance(venue, SpotVenue)
    assert platform.venue() is venue
    assert (home / "var/binance_weights.json").exists()
    with pytest.raises(BadData, match="not in the ledger"):
        venue.lookup("tm-unknown")
    platform.binance.close()
    platform.ledger.close()


def test_a_market_that_is_not_the_one_traded_is_refused(home: Path) -> None:
    platform = _platform(home, "market_data:\n  source: sandbox\nvenue:\n  kind: binance_spot\n")
    with pytest.raises(FixConfiguration, match="decided on another market"):
        platform.venue()


@pytest.mark.slow
def test_who_trades_on_paper_loads_neither_signing_nor_streams() -> None:
    code = (
        "import sys, resources.platform;"
        "print([name for name in sys.modules if name.startswith('resources.venues.binance')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(["resources.venues.binance", "resources.venues.binance.settings"])
