"""The ports: what Tidemill needs from the world, as protocols that adapters implement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

import polars as pl

from trading.model.account import CashMove, VenueBalance, VenueFill, VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.order import Fill, Order, OrderState, Side
from trading.model.series import Market, Series


class Clock(Protocol):
    """Where the time comes from: the system, a venue, or a test."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...


class MarketData(Protocol):
    """Market data of one source. Methods may block on the network and raise `TradingError` children."""

    name: str

    def now_ms(self) -> int:
        """The source's own idea of now (server time, or the end of a replay)."""
        ...

    def instruments(self, market: Market = Market.SPOT) -> list[Instrument]:
        """Every instrument of a market that the source knows, with filters, sorted by symbol."""
        ...

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each spot symbol's first kline; None where it has not traded yet."""
        ...

    def klines(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        Returns
        -------
        polars.DataFrame
            In the schema of the ``klines`` dataset (of ``price_klines`` for a computed series), sorted
            by symbol and open time. A symbol or minute that the source lacks is absent, never filled.
            Unclosed bars are dropped. ``known_at`` is the bar's close.

        Raises
        ------
        FixConfiguration
            If the source has no such series.
        """
        ...

    def prefetch(
        self,
        symbols: Sequence[str],
        start_ms: int,
        end_ms: int,
        series: Series = Series.SPOT,
        report: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Bring what `klines` will be asked for next close at hand; a source without files does nothing.

        ``report`` is called with a text, the files that are done and their number.
        """
        ...

    def evidence(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """What stands behind the klines of one UTC day, in the schema of the ``kline_sources`` dataset.

        One row per symbol and file; none for what came over an interface without checksums.
        """
        ...

    def daily_volumes(self, symbols: Sequence[str], first_day: date, last_day: date) -> pl.DataFrame:
        """Traded value of each closed UTC day: columns ``symbol``, ``day`` (Date), ``quote_volume``.

        A day without trades or before the listing is absent.
        """
        ...

    def funding_rates(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Funding of perpetuals with ``start_ms <= funding_time < end_ms``, as ``funding_rates`` rows."""
        ...

    def open_interest(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Open interest with ``start_ms <= time < end_ms``, as ``open_interest`` rows."""
        ...

    def funding_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """The files behind what `funding_rates` has read of a range, as ``kline_sources`` rows."""
        ...

    def open_interest_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """The files behind what `open_interest` has read of a range, as ``kline_sources`` rows."""
        ...


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue says of an order: its state and all fills so far.

    ``executed`` is the quantity that the venue counts as filled, for venues that list fills apart from
    orders: while fewer fills are known, the order is not taken for ended. None: the fills are all there is.
    """

    client_order_id: str
    state: OrderState
    fills: tuple[Fill, ...]
    reason: str = ""
    executed: Decimal | None = None


class Venue(Protocol):
    """A place that executes orders.

    Attributes
    ----------
    absence_proven_after_ms
        How long after *sending* was committed a None from `lookup` proves that the order never arrived
        and never will: the longest that the venue accepts the request (counted from
        ``Order.sending_at_ms``, which the adapter enforces) and the longest until `lookup` shows what was
        accepted. 0 where both see the same committed state.
    """

    name: str
    absence_proven_after_ms: int

    def submit(self, order: Order) -> OrderReport:
        """Send an order.

        Raises
        ------
        UnknownOutcome
            When the effect cannot be told: a timeout, a lost connection, a 5xx.
        RetryLater
            When the venue said that nothing happened, or the request was too old to be sent.
        """
        ...

    def lookup(self, client_order_id: str) -> OrderReport | None:
        """What the venue knows of an order; None only when it answered that it knows no such order."""
        ...

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order; a terminal order stays as it is."""
        ...


class Account(Protocol):
    """What reconciliation and the guard ask of a venue: the account as it stands there, ours or not.

    Methods raise `RetryLater` or `HaltTrading`; an empty answer means that the venue said there is nothing.

    Attributes
    ----------
    name
        The venue's, as in ``Order.venue``.
    derivatives
        Whether the account holds positions (else only balances).
    """

    name: str
    derivatives: bool

    def now_ms(self) -> int:
        """The venue's clock."""
        ...

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work, conditional ones included, of every symbol."""
        ...

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        """Every execution of the symbols from a moment on, oldest first."""
        ...

    def balances(self) -> list[VenueBalance]:
        """Every currency with anything in it."""
        ...

    def positions(self) -> list[VenuePosition]:
        """Every open derivative position; none on a spot account."""
        ...

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        """Movements of cash from a moment on, oldest first."""
        ...

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order, ours or not; one that has ended already is no error."""
        ...

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Send a market order that can only make a holding smaller. Raises `UnknownOutcome` in doubt."""
        ...

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Send a stop order that can only make a holding smaller. Raises `UnknownOutcome` in doubt."""
        ...

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time (0: never mind).

        Returns
        -------
        bool
            False where the venue offers no such timer.
        """
        ...


class Notifier(Protocol):
    """A channel that alerts go out on."""

    name: str

    def send(self, title: str, body: str, severity: str) -> str:
        """Deliver one message and return the channel's receipt. Raises `TradingError` on failure."""
        ...
