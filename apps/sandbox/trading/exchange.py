"""The trading side of the exchange: its accounts, and the one way in which they change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.sandbox.backing import Backings
from apps.sandbox.settings import SandboxSettings
from apps.sandbox.trading.account import OrderTaker
from apps.sandbox.trading.endpoints import Endpoint, Values
from apps.sandbox.trading.errors import PartlyRefused
from apps.sandbox.trading.journal import Entry, Journal
from apps.sandbox.trading.keys import PaperKeys, paper_keys
from apps.sandbox.trading.prices import BarPrices
from apps.sandbox.trading.settings import TradingFaults
from apps.sandbox.trading.spot.account import SpotAccount
from apps.sandbox.trading.spot.api import SpotTrading
from apps.sandbox.trading.usdm import account_api, orders_api
from apps.sandbox.trading.usdm.build import create_futures_account
from trading.errors import FixConfiguration
from trading.model.series import Market
from trading.ports import Clock

#: Hears what happened to an account: its name, the market, and the events, in order.
Listener = Callable[[str, Market, list[object]], None]


class PaperExchange:
    """Accounts of both markets, brought up to the clock before every request.

    Parameters
    ----------
    clock
        The exchange's time.

    Raises
    ------
    FixConfiguration
        If two accounts share a name, or the journal belongs to another sandbox.
    """

    def __init__(self, backings: Backings, clock: Clock, settings: SandboxSettings) -> None:
        trading = settings.trading
        if len(set(trading.accounts)) != len(trading.accounts):
            raise FixConfiguration(
                f"sandbox.trading.accounts names {', '.join(trading.accounts)}; give each account its own name"
            )
        self.clock = clock
        self.keys: tuple[PaperKeys, ...] = tuple(
            paper_keys(settings.market.seed, name) for name in trading.accounts
        )
        path = Path(trading.journal) if trading.journal else None
        self._journal = Journal(path, _fingerprint(settings))
        began_ms = self._journal.begin(clock.now_ms())
        self._accounts: dict[tuple[str, Market], OrderTaker] = {}
        for name in trading.accounts:
            self._accounts[name, Market.SPOT] = _spot_account(name, backings, settings, began_ms)
            if backings.futures is not None:
                futures = create_futures_account(name, backings.futures, trading, began_ms)
                self._accounts[name, Market.USDM] = futures
        self.endpoints: list[Endpoint] = SpotTrading(withdrawals=trading.withdrawals_allowed).endpoints()
        if backings.futures is not None:
            self.endpoints += [*orders_api.endpoints(), *account_api.endpoints()]
        self._listeners: list[Listener] = []
        self._restore()

    @property
    def reached_ms(self) -> int:
        """The latest moment that an account has lived to."""
        return max((account.now_ms for account in self._accounts.values()), default=0)

    @property
    def markets(self) -> tuple[Market, ...]:
        """Markets that the accounts can trade in."""
        return tuple(market for market in Market if any(key[1] is market for key in self._accounts))

    def account(self, name: str, market: Market) -> OrderTaker:
        """An account as it stands; `advance` it first."""
        return self._accounts[name, market]

    def listen(self, listener: Listener) -> None:
        """Have everything that happens from now on told."""
        self._listeners.append(listener)

    def advance(self, name: str, market: Market) -> None:
        """Bring an account up to the clock."""
        account = self._accounts[name, market]
        account.advance(self.clock.now_ms())
        self._tell(name, market, account)

    def perform(self, endpoint: Endpoint, name: str, values: Values) -> Any:
        """Carry a request out, and have it on the disk before its answer is known.

        Raises
        ------
        ApiError
            When the request is refused.
        """
        account = self._accounts[name, endpoint.market]
        account.advance(self.clock.now_ms())
        entry = Entry(account.now_ms, name, endpoint.name, dict(values))
        try:
            return self._carry_out(endpoint, account, entry)
        finally:
            self._tell(name, endpoint.market, account)

    def _carry_out(self, endpoint: Endpoint, account: OrderTaker, entry: Entry) -> Any:
        try:
            content = endpoint.action(account, entry.values)
        except PartlyRefused:
            self._journal.write(entry)
            raise
        if endpoint.changes:
            self._journal.write(entry)
        return content

    def _restore(self) -> None:
        by_name = {endpoint.name: endpoint for endpoint in self.endpoints}
        for entry in self._journal.entries():
            endpoint = by_name[entry.endpoint]
            account = self._accounts[entry.account, endpoint.market]
            account.advance(entry.at_ms)
            with suppress(PartlyRefused):  # it was refused in part the first time, too
                endpoint.action(account, entry.values)
            account.events.clear()

    def _tell(self, name: str, market: Market, account: OrderTaker) -> None:
        happened, account.events = account.events, []
        if happened:
            for listener in self._listeners:
                listener(name, market, happened)


def _spot_account(name: str, backings: Backings, settings: SandboxSettings, now_ms: int) -> SpotAccount:
    trading = settings.trading
    return SpotAccount(
        name,
        {deposit.asset: deposit.amount for deposit in trading.spot_deposits},
        prices=BarPrices(backings.spot),
        instruments={item.symbol: item for item in backings.spot.instruments()},
        maker_bps=trading.spot_maker_bps,
        taker_bps=trading.spot_taker_bps,
        participation=trading.participation_fraction,
        now_ms=now_ms,
    )


def _fingerprint(settings: SandboxSettings) -> str:
    terms = replace(settings.trading, journal="", faults=TradingFaults(), orders_per_ten_seconds=0)
    world = (settings.backing, settings.market, settings.replay_folder, settings.odd_symbols, terms)
    return hashlib.blake2b(repr(world).encode(), digest_size=16).hexdigest()
