"""What is looked at, and what is not: resting orders cost a venue and a ledger nothing while nothing happens."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from protected_desk import RULES, Desk

from resources.execution import protecting, protection, sender
from trading.execution.lifecycle import Event, EventKind
from trading.model.decision import Action
from trading.model.order import OrderState
from trading.ports import OrderReport, Venue
from warehouse.ledger import orders
from warehouse.ledger.backend import Ledger

D = Decimal


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


class Asked:
    """A venue that notes which orders it is asked about."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name
        self.absence_proven_after_ms = inner.absence_proven_after_ms
        self.looked_up: list[str] = []

    def lookup(self, client_order_id: str) -> OrderReport | None:
        self.looked_up.append(client_order_id)
        return self.inner.lookup(client_order_id)

    def cancel(self, client_order_id: str) -> OrderReport:
        return self.inner.cancel(client_order_id)


def _settle(desk: Desk, asked: Venue) -> sender.Settled:
    listed = desk.venue.open_orders
    return sender.settle(desk.ledger, asked, desk.market.now_ms(), listed=listed)


def test_an_order_that_rests_as_booked_is_not_asked_about(desk: Desk) -> None:
    desk.enter(stop_price=90.0)
    asked = Asked(desk.venue)
    assert _settle(desk, asked) == sender.Settled()
    assert asked.looked_up == []


def test_one_that_is_listed_no_more_is_looked_up_and_its_fill_booked(desk: Desk) -> None:
    desk.enter(stop_price=90.0)
    desk.market.add(5, 100.0, 101.0, 85.0)
    asked = Asked(desk.venue)
    assert _settle(desk, asked).new_fills == 1
    assert len(asked.looked_up) == 1


def test_one_that_is_to_be_cancelled_is_looked_up(desk: Desk) -> None:
    desk.enter(stop_price=90.0)
    [stop] = desk.live()
    with desk.ledger.transaction() as tx:
        wish = Event(EventKind.REQUEST_CANCEL, "the test wants it")
        orders.append(tx, orders.require(tx, stop.client_order_id), wish, desk.market.now_ms())
    asked = Asked(desk.venue)
    assert _settle(desk, asked).cancelled == 1
    assert asked.looked_up == [stop.client_order_id]


def test_a_venue_that_lists_a_fill_that_is_not_booked_is_asked(desk: Desk) -> None:
    desk.enter(stop_price=90.0)
    desk.market.volume = 4.0
    desk.market.add(5, 100.0, 101.0, 85.0)
    [listed] = desk.venue.open_orders()
    assert listed.executed == 4
    asked = Asked(desk.venue)
    assert _settle(desk, asked).new_fills == 1
    assert asked.looked_up == [listed.client_order_id]


@pytest.fixture
def looks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    """A platform around the desk, and the symbols of each look at its protection."""
    seen: list[Any] = []

    def noted(*arguments: Any, symbols: Any, **options: Any) -> protection.Protected:
        seen.append(symbols)
        return protection.protect(*arguments, symbols=symbols, **options)

    monkeypatch.setattr(protecting, "protect", noted)
    monkeypatch.setattr(protecting, "rules_of", lambda _: RULES)
    monkeypatch.setattr(protecting, "raise_alert", lambda *_, **__: None)
    platform = SimpleNamespace(
        ledger=desk.ledger, clock=desk.market, venue=lambda: desk.venue, protection=None
    )
    return platform, seen


def test_holdings_are_looked_at_when_something_happened_and_once_an_hour(
    desk: Desk, looks: tuple[Any, list[Any]]
) -> None:
    platform, seen = looks
    desk.enter(stop_price=90.0)
    assert protecting.protect_platform(platform) == protection.Protected()
    assert seen == [None]
    protecting.protect_platform(platform)
    assert seen == [None], "nothing has happened since"

    desk.intend("more", Action.ENTER, D(5), stop_price=91.0)
    desk.send("more")
    desk.market.add(int(desk.market.minute), 100.0, 101.0, 99.0)
    desk.settle()
    assert protecting.protect_platform(platform).placed == 1
    assert seen[1:] == [{"AAAUSDT"}]
    assert protecting.protect_platform(platform) == protection.Protected()
    assert seen[1:] == [{"AAAUSDT"}, {"AAAUSDT"}], "what was placed is looked at once more"
    protecting.protect_platform(platform)
    assert len(seen) == 3

    desk.market.minute += 61
    protecting.protect_platform(platform)
    assert seen[3:] == [None]


def test_a_holding_without_its_stop_is_looked_at_every_time(
    desk: Desk, looks: tuple[Any, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, seen = looks
    desk.enter(stop_price=90.0)
    monkeypatch.setattr(protecting, "rules_of", lambda _: RULES)
    [stop] = desk.live()
    desk.venue.cancel(stop.client_order_id)
    desk.settle()
    monkeypatch.setattr(protecting, "rules_of", lambda _: type(RULES)(RULES.key, {}, RULES.both_legs))
    for _ in range(3):
        assert [bare.quantity for bare in protecting.protect_platform(platform).bare] == [D(10)]
    assert seen == [None, {"AAAUSDT"}, {"AAAUSDT"}]
    monkeypatch.setattr(protecting, "rules_of", lambda _: RULES)
    assert protecting.protect_platform(platform).placed == 1
    assert [order.state for order in desk.live()] == [OrderState.OPEN]
