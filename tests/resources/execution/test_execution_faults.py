"""Orders happen exactly once, whatever fails: seeded schedules of faults on real ledgers.

A failing schedule names its seed; `World(seed, ledger).run()` replays it exactly. The long suite raises the
number of schedules by ``TIDEMILL_FAULT_SCHEDULES`` and ``TIDEMILL_FAULT_SCHEDULES_POSTGRES``.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg
import pytest
from fault_account import FaultyAccount
from fault_world import Accepted, FaultyVenue, UnexpectedError, World, violations, wipe
from open_duckdb import OpenDuckDB

from tests.postgres_server import postgres_url
from trading.errors import UnknownOutcome
from trading.model.account import CashMove, VenueFill
from trading.model.order import Order, OrderState
from trading.ports import OrderReport
from warehouse.ledger.backend import Ledger, open_ledger
from warehouse.ledger.digest import content_digest

__all__ = ["postgres_url"]

CHUNKS = 10
SCHEDULES = int(os.environ.get("TIDEMILL_FAULT_SCHEDULES", "500"))
POSTGRES_SCHEDULES = int(os.environ.get("TIDEMILL_FAULT_SCHEDULES_POSTGRES", "50"))
#: Faults that a few dozen schedules must have met, or they prove nothing.
EXPECTED = {
    "submit: lost",
    "submit: answer_lost",
    "submit: delayed",
    "lookup: lost",
    "ledger: busy",
    "clock: forward",
    "clock: back",
    "killed before commit",
    "killed after commit",
    "cancel everything",
    "others: manual",
    "others: forced",
    "others: funding",
    "account: lost",
    "killed before a look at the account",
    "set off: stop",
    "moved by hand",
}


@pytest.fixture(scope="module")
def duckdb_ledger() -> Iterator[Ledger]:
    ledger = OpenDuckDB()
    ledger.migrate()
    yield ledger
    ledger.forget()


@pytest.fixture(scope="module")
def postgres_ledger(postgres_url: str) -> Iterator[Ledger]:
    schema = f"faults_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    ledger = open_ledger(f"{postgres_url}?options=-csearch_path%3D{schema}")
    ledger.migrate()
    yield ledger
    ledger.close()


def run(ledger: Ledger, seeds: range) -> Counter[str]:
    happened: Counter[str] = Counter()
    for seed in seeds:
        wipe(ledger)
        world = World(seed, ledger)
        world.run()
        assert violations(world) == [], f"seed {seed}:\n" + "\n".join(world.trace)
        happened += world.happened
    return happened


def test_a_few_schedules_on_duckdb(duckdb_ledger: Ledger) -> None:
    run(duckdb_ledger, range(8))


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_schedules_on_duckdb(duckdb_ledger: Ledger, chunk: int) -> None:
    size = -(-SCHEDULES // CHUNKS)
    assert run(duckdb_ledger, range(1_000 + chunk * size, 1_000 + (chunk + 1) * size)).keys() >= EXPECTED


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_schedules_on_postgres(postgres_ledger: Ledger) -> None:
    seeds = range(500_000, 500_000 + POSTGRES_SCHEDULES)
    assert run(postgres_ledger, seeds).keys() >= EXPECTED


def test_a_seed_replays_exactly(duckdb_ledger: Ledger) -> None:
    seen = set()
    for _ in range(2):
        wipe(duckdb_ledger)
        world = World(7, duckdb_ledger)
        world.run()
        seen.add((tuple(world.trace), content_digest(duckdb_ledger)))
    assert len(seen) == 1


class Understated(FaultyVenue):
    """A venue that claims to show at once what it has accepted."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.absence_proven_after_ms = 0


class SendsAgain(FaultyVenue):
    """An adapter that tries again when the answer is lost, as public ones do."""

    def submit(self, order: Order) -> OrderReport:
        try:
            return super().submit(order)
        except UnknownOutcome:
            return super().submit(order)


class RenumbersFills(FaultyVenue):
    """An adapter that makes up the ids of fills instead of passing on the venue's."""

    def shown(self, found: Accepted) -> OrderReport:
        report = super().shown(found)
        named = [
            replace(fill, venue_fill_id=f"{fill.venue_fill_id}-{self.world.random.random()}")
            for fill in report.fills
        ]
        return replace(report, fills=tuple(named))


class ClaimsCancels(FaultyVenue):
    """An adapter that takes a cancel for done once it has been asked for."""

    def cancel(self, client_order_id: str) -> OrderReport:
        return OrderReport(client_order_id, OrderState.CANCELLED, ())


@pytest.mark.parametrize("venue", [Understated, SendsAgain, RenumbersFills, ClaimsCancels])
def test_the_simulator_finds_what_breaks_the_promise(duckdb_ledger: Ledger, venue: type[FaultyVenue]) -> None:
    """A check that cannot fail proves nothing: known mistakes, each found within a few schedules."""
    for seed in range(40):
        wipe(duckdb_ledger)
        world = World(seed, duckdb_ledger)
        world.venue = venue(world)
        try:
            world.run()
        except UnexpectedError:
            return
        if violations(world):
            return
    raise AssertionError(f"no schedule noticed that {venue.__name__} breaks its promise")


class ForgetsProtection(World):
    """A program that protects nothing."""

    def protect(self) -> None:
        pass


class TakesWhatRestsForGone(World):
    """A program that protects an entry anew whenever it looks."""

    def protect(self) -> None:
        with self.real.transaction() as tx:
            tx.execute("update orders set state = 'cancelled' where role = 'stop' and state = 'open'")
        super().protect()


@pytest.mark.parametrize("world_type", [ForgetsProtection, TakesWhatRestsForGone])
def test_the_simulator_finds_what_is_not_covered_or_twice(
    duckdb_ledger: Ledger, world_type: type[World]
) -> None:
    for seed in range(40):
        wipe(duckdb_ledger)
        world = world_type(seed, duckdb_ledger)
        try:
            world.run()
        except UnexpectedError:
            continue
        found = violations(world)
        if found:
            assert any("at the venue" in each for each in found), found
            return
    raise AssertionError(f"no schedule noticed what {world_type.__name__} does")


class HidesOthers(FaultyAccount):
    """An adapter that lists only the fills of our orders."""

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        others = {fill.venue_fill_id for fill in self.others}
        return [fill for fill in super().fills(symbols, since_ms) if fill.venue_fill_id not in others]


class NumbersByPage(FaultyAccount):
    """An adapter that lists fills under other ids than it reports them under."""

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        found = super().fills(symbols, since_ms)
        return [replace(fill, venue_fill_id=f"page-{fill.venue_fill_id}") for fill in found]


class ForgetsFunding(FaultyAccount):
    """An adapter that knows of no movements of cash."""

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        return []


@pytest.mark.parametrize("account", [HidesOthers, NumbersByPage, ForgetsFunding])
def test_the_simulator_finds_what_reconciliation_must_not_miss(
    duckdb_ledger: Ledger, account: type[FaultyAccount]
) -> None:
    """None of it may end in silence: a blocking break stands, or trading stops."""
    for seed in range(40):
        wipe(duckdb_ledger)
        world = World(seed, duckdb_ledger)
        honest = world.account
        world.account = account(world, honest.name, honest.derivatives, honest.nameless)
        try:
            world.run()
        except UnexpectedError:
            return
        found = violations(world)
        if found:
            assert any("break: " in each for each in found), found
            return
    raise AssertionError(f"no schedule noticed what {account.__name__} does")
