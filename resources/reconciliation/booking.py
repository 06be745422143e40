"""Booking what a comparison found, in one transaction that a second time changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trading.errors import BadData, HaltTrading
from trading.execution.reports import events_of
from trading.ledger.accounting import sequence_key
from trading.model.order import Fill
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity, shown
from trading.reconciliation.compare import Findings
from trading.reconciliation.opening import Opening
from trading.reconciliation.state import ForeignFill
from warehouse.ledger import cash, fills, order_history, orders
from warehouse.ledger.backend import Transaction
from warehouse.ledger.fills import Owner


class RefusedFillError(Exception):
    """A fill that the books cannot take: what was written with it must roll back."""

    def __init__(self, fill: Fill, cause: HaltTrading | BadData) -> None:
        super().__init__(str(cause))
        self.fill = fill

    @property
    def broken(self) -> Break:
        """The break that it is."""
        return Break(
            BreakKind.FILL_REFUSED,
            self.fill.venue_fill_id,
            self.fill.symbol,
            BreakSeverity.BLOCKS,
            str(self),
            f"{self.fill.side} {shown(self.fill.quantity)} {self.fill.symbol} at {shown(self.fill.price)}",
        )


@dataclass(frozen=True, slots=True)
class Booked:
    """How much of what was found was new."""

    fills: int = 0
    adopted: int = 0
    moves: int = 0


def book_findings(
    tx: Transaction, findings: Findings, at_ms: int, currency: str, *, without: Collection[str] = ()
) -> Booked:
    """Book fills in the order in which they happened, then states, then movements of cash.

    Parameters
    ----------
    without
        Ids of fills that the books have refused.

    Raises
    ------
    RefusedFillError
        If the books cannot take a fill; the transaction must roll back.
    """
    ours = [(fill, None) for report in findings.reports for fill in report.fills]
    found: list[tuple[Fill, ForeignFill | None]] = [*ours, *((item.fill, item) for item in findings.foreign)]
    booked = adopted = 0
    for fill, foreign in sorted(found, key=lambda item: sequence_key(item[0])):
        if fill.venue_fill_id in without:
            continue
        try:
            if foreign is not None:
                adopted += adopt(tx, foreign, at_ms, currency)
            else:
                order = orders.require(tx, fill.client_order_id)
                booked += fills.record(tx, fill, order, at_ms, currency=currency)
        except (HaltTrading, BadData) as error:
            raise RefusedFillError(fill, error) from error
    for report in findings.reports:
        order = orders.require(tx, report.client_order_id)
        for event in events_of(order_history.life(tx, order), report):
            orders.append(tx, order, event, at_ms)
    moved = sum(cash.post_once(tx, move) for move in findings.moves)
    return Booked(booked, adopted, moved)


def book_opening(tx: Transaction, found: Opening, at_ms: int, currency: str) -> None:
    """Book what an account held when it was first seen."""
    for deposit in found.deposits:
        cash.post_once(tx, deposit)
    for position in found.positions:
        adopt(tx, position, at_ms, currency, told=True)


def adopt(tx: Transaction, found: ForeignFill, at_ms: int, currency: str, *, told: bool = False) -> bool:
    """Book a foreign fill on the desk that such fills belong to; returns whether it was new."""
    return fills.adopt(
        tx,
        found.fill,
        Owner(found.desk, "", shorts=True),
        cause=found.cause,
        venue_order_id=found.venue_order_id,
        at_ms=at_ms,
        currency=currency,
        told=told,
    )
