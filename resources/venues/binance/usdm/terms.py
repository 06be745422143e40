"""The terms that a futures account trades on: position mode, margin type and leverage, as they should be."""

from __future__ import annotations

import threading

from resources.venues.binance.errors import Meaning, Refused
from resources.venues.binance.reading import parsed
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.transport import Api, Parameters
from resources.venues.binance.usdm.schemas import CONFIGS, MODE, SymbolConfig
from trading.errors import FixConfiguration, RetryLater, UnknownOutcome

_CONFIG = "/fapi/v1/symbolConfig"
_MARGIN_WORDS = {"isolated": "ISOLATED", "cross": "CROSSED"}


class Terms:
    """Sets margin type and leverage of a contract before its first order, and believes only what it reads.

    Parameters
    ----------
    settings
        The mode, margin type and leverage that are wanted.
    """

    def __init__(self, api: Api, settings: BinanceVenueSettings) -> None:
        self._api = api
        self._settings = settings
        self._ready: set[str] = set()
        self._lock = threading.Lock()

    def require_mode(self) -> None:
        """Read the account's position mode.

        Raises
        ------
        FixConfiguration
            If it is not the configured one. It is not changed here: all positions would be concerned.
        """
        path = "/fapi/v1/positionSide/dual"
        hedge = parsed(MODE, self._api.read(path, {}, weight=30), path).dualSidePosition
        found = "hedge" if hedge else "one_way"
        if found != self._settings.position_mode:
            raise FixConfiguration(
                f"venue.binance.position_mode is {self._settings.position_mode} and the account is in {found} "
                "mode; change the setting, or the mode at Binance while no position is open"
            )

    def require(self, symbol: str) -> None:
        """See to it that a contract has the configured margin type and leverage.

        Raises
        ------
        FixConfiguration
            If the venue refuses them, or has others after they were set.
        RetryLater
            If it cannot be told. No order has been sent for that.
        """
        with self._lock:
            if symbol in self._ready:
                return
            before = self.read(symbol)
            self._change(before)
            after = self.read(symbol)
            if not self._as_wanted(after):
                raise FixConfiguration(
                    f"{symbol}: margin type {after.marginType} and leverage {after.leverage} after setting "
                    f"{self._settings.margin_type} and {self._settings.leverage}; set them at Binance"
                )
            self._ready.add(symbol)

    def forget(self, symbol: str) -> None:
        """Look again before the next order: somebody changed the contract's terms."""
        with self._lock:
            self._ready.discard(symbol)

    def read(self, symbol: str) -> SymbolConfig:
        """The terms of one contract. Raises `FixConfiguration` if the venue does not state them."""
        rows = parsed(CONFIGS, self._api.read(_CONFIG, {"symbol": symbol}, weight=5), _CONFIG)
        for row in rows:
            if row.symbol == symbol:
                return row
        raise FixConfiguration(f"{symbol}: Binance states no leverage for it; is it a USDT-M contract?")

    def read_all(self) -> dict[str, SymbolConfig]:
        """The terms of every contract."""
        rows = parsed(CONFIGS, self._api.read(_CONFIG, {}, weight=5), _CONFIG)
        return {row.symbol: row for row in rows}

    def _change(self, found: SymbolConfig) -> None:
        margin_type, leverage = _MARGIN_WORDS[self._settings.margin_type], self._settings.leverage
        if found.marginType != margin_type:
            self._set("/fapi/v1/marginType", {"symbol": found.symbol, "marginType": margin_type})
        if found.leverage != leverage:
            self._set("/fapi/v1/leverage", {"symbol": found.symbol, "leverage": leverage})

    def _set(self, path: str, parameters: Parameters) -> None:
        try:
            self._api.command("POST", path, parameters, weight=1)
        except UnknownOutcome as error:
            raise RetryLater(f"{parameters['symbol']}: {error}; no order was sent") from error
        except Refused as error:
            if error.meaning is not Meaning.UNCHANGED:
                raise FixConfiguration(
                    f"venue.binance: {parameters} was refused ({error}); change the setting, or close what stands "
                    "in the way at Binance"
                ) from error

    def _as_wanted(self, found: SymbolConfig) -> bool:
        wanted = (_MARGIN_WORDS[self._settings.margin_type], self._settings.leverage)
        return (found.marginType, found.leverage) == wanted
