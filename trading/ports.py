"""The ports: what Tidemill needs from the world, as protocols that adapters implement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from trading.model.instrument import Instrument
from trading.model.order import Fill, Order, OrderState


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

    def instruments(self) -> list[Instrument]:
        """Every instrument that the source knows, with filters."""
        ...

    def klines(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        Returns
        -------
        polars.DataFrame
            In the schema of the ``klines`` dataset, sorted by symbol and open time. A symbol or
            minute that the source lacks is absent, never filled. Unclosed bars are dropped.
        """
        ...


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue says of an order: its state and all fills so far."""

    client_order_id: str
    state: OrderState
    fills: tuple[Fill, ...]
    reason: str = ""


class Venue(Protocol):
    """A place that executes orders. The client order id makes `submit` idempotent at the venue."""

    name: str

    def submit(self, order: Order) -> OrderReport:
        """Send an order. Raises `UnknownOutcome` when the effect cannot be told."""
        ...

    def lookup(self, client_order_id: str) -> OrderReport | None:
        """What the venue knows of an order; None proves that it never arrived."""
        ...

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order; a terminal order stays as it is."""
        ...


class Notifier(Protocol):
    """A channel that alerts go out on."""

    name: str

    def send(self, title: str, body: str, severity: str) -> str:
        """Deliver one message and return the channel's receipt. Raises `TradingError` on failure."""
        ...
