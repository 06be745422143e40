"""Listen keys: what lets a client hear an account without a signature, for an hour at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from apps.sandbox.errors import ApiError
from trading.model.series import Market

_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ListenKey:
    """A key and what it opens."""

    text: str
    account: str
    market: Market
    ends_at: float


class ListenKeys:
    """The keys in force; real time counts, whatever the exchange's clock shows.

    Parameters
    ----------
    seconds
        Source of real time, in seconds.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._keys: dict[str, ListenKey] = {}
        self._made = 0

    def create(self, account: str, market: Market) -> str:
        """A key for an account: the one in force, for another hour, or a new one."""
        for key in self._keys.values():
            if (key.account, key.market) == (account, market) and self.opens(key.text) is not None:
                return self.keep(account, market, key.text)
        self._made += 1
        text = hashlib.blake2b(f"{account}/{market}/{self._made}".encode(), digest_size=32).hexdigest()
        self._keys[text] = ListenKey(text, account, market, self._seconds() + _HOUR_SECONDS)
        return text

    def keep(self, account: str, market: Market, text: str | None) -> str:
        """Keep a key for another hour; without its text, the account's own."""
        key = self._owned(account, market, text)
        self._keys[key.text] = replace(key, ends_at=self._seconds() + _HOUR_SECONDS)
        return key.text

    def end(self, account: str, market: Market, text: str | None) -> None:
        """Close a key."""
        del self._keys[self._owned(account, market, text).text]

    def opens(self, text: str) -> ListenKey | None:
        """What a key opens now; None when it is unknown or its time is over."""
        key = self._keys.get(text)
        return key if key is not None and key.ends_at > self._seconds() else None

    def _owned(self, account: str, market: Market, text: str | None) -> ListenKey:
        for key in self._keys.values():
            mine = (key.account, key.market) == (account, market)
            if mine and text in (None, key.text) and self.opens(key.text) is not None:
                return key
        raise ApiError(400, -1125, "This listenKey does not exist.")
