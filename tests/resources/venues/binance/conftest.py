"""An exchange on this machine, an API that talks to it, and orders for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from binance_exchange import KEY, SECRET, Exchange, running
from pydantic import SecretStr

from resources.instruments.signed import Credentials
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.transport import Api
from trading.model.order import Order, OrderState, Side
from trading.model.series import Market


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with running() as found:
        yield found


@pytest.fixture
def binance_settings() -> BinanceVenueSettings:
    return BinanceVenueSettings(timeout_seconds=0.3, backoff_seconds=0.0, leverage=3)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(SecretStr(KEY), SecretStr(SECRET))


@pytest.fixture
def spot_api(
    exchange: Exchange, binance_settings: BinanceVenueSettings, credentials: Credentials
) -> Iterator[Api]:
    api = Api(exchange.base_url, Market.SPOT, credentials, binance_settings)
    yield api
    api.close()


@pytest.fixture
def usdm_api(
    exchange: Exchange, binance_settings: BinanceVenueSettings, credentials: Credentials
) -> Iterator[Api]:
    api = Api(exchange.base_url, Market.USDM, credentials, binance_settings)
    yield api
    api.close()


@pytest.fixture
def payload(shared: Path) -> Any:
    """Reads a recorded payload of the shared fixtures by its name."""
    folder = shared / "fixtures" / "binance"

    def read(name: str) -> Any:
        return orjson.loads((folder / name).read_bytes())

    return read


@pytest.fixture
def spot_order(exchange: Exchange) -> Order:
    return Order(
        client_order_id="tm-0123456789abcdef0123456789abcdef",
        decision_id="d1",
        tick_id="t1",
        venue="binance_spot",
        desk="fork",
        strategy_id="",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.50000"),
        reference_price=Decimal(4000),
        state=OrderState.SENDING,
        created_at_ms=1,
        not_before_ms=1,
        sending_at_ms=exchange.now_ms(),
    )


@pytest.fixture
def usdm_order(spot_order: Order) -> Order:
    return replace(spot_order, venue="binance_usdm", market=Market.USDM)
