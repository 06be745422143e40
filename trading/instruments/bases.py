"""What kind of thing a base asset is, as far as the universe cares."""

from __future__ import annotations

from collections.abc import Collection

from trading.instruments.settings import UniverseSettings
from trading.model.instrument import Instrument

_SUFFIXES = ("UP", "DOWN", "BULL", "BEAR")
#: Every leveraged token that Binance had was on a coin with a longer name than this; JUP and SUP
#: are coins of their own, whatever J and S are.
_SHORTEST_UNDERLYING = 3


def kind_of(instrument: Instrument, coins: Collection[str], settings: UniverseSettings) -> str | None:
    """Why a base asset is left out: stable, fiat, wrapped or leveraged; None for a coin.

    Names are compared whole. A leveraged token is named after an underlying that exists.

    Parameters
    ----------
    coins
        Every base asset of the market.
    """
    base = instrument.underlying or instrument.base
    for kind in ("stable", "fiat", "wrapped", "leveraged"):
        if base in getattr(settings, kind):
            return kind
    return "leveraged" if _is_named_leveraged(base, coins) else None


def _is_named_leveraged(base: str, coins: Collection[str]) -> bool:
    return any(
        len(underlying) >= _SHORTEST_UNDERLYING and underlying in coins
        for suffix in _SUFFIXES
        if (underlying := base.removesuffix(suffix)) != base
    )
