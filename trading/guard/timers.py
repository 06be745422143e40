"""Venue-side countdowns: where one may run without taking a stop along."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from trading.guard.exposure import Meaning, meaning
from trading.model.account import VenueOrder, VenuePosition


@dataclass(frozen=True, slots=True)
class Timers:
    """Symbols whose countdown is to be set anew, and those whose countdown is to be stopped."""

    run: tuple[str, ...]
    stop: tuple[str, ...]


def timers(
    orders: Iterable[VenueOrder],
    positions: Iterable[VenuePosition],
    running: Set[str] | None,
    *,
    derivatives: bool,
) -> Timers:
    """Decide which symbols get a countdown.

    A countdown cancels everything at work in its symbol, stops included. It runs only in symbols with
    entries, without a position and without an order that reduces.

    Parameters
    ----------
    running
        Symbols whose countdown was set before; None when that is not known, after a start.
    """
    held = tuple(position for position in positions if position.quantity)
    with_entries: set[str] = set()
    with_stops = {position.symbol for position in held}
    for order in orders:
        means = meaning(order, held, derivatives=derivatives)
        (with_entries if means is Meaning.ENTRY else with_stops).add(order.symbol)
    run = with_entries - with_stops
    # One without any order left has nothing to lose, but a stop may come there before it runs out.
    before = with_entries | with_stops if running is None else running
    return Timers(tuple(sorted(run)), tuple(sorted(before - run)))
