"""A venue, a network, clocks and a ledger that fail by a seed, and the program that must survive them.

One `World` is one schedule: everything that it does follows from its seed. The venue is the worst that
still keeps its documented promises: it forgets client order ids once an order is done (a second submit is a
second effect), shows what it accepted only after a delay, and reports fills late, twice and in any order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import nan
from typing import Any

from fault_account import CASH, FaultyAccount

from resources.execution import sender
from resources.execution.by_hand import Wish, cancel_by_hand, replace_by_hand
from resources.execution.cover import Rules
from resources.execution.protection import Protected, protect
from resources.reconciliation.reconcile import Scope, reconcile
from tests.trading_scenario import instrument
from trading.errors import BadData, RetryLater, TradingError, UnknownOutcome
from trading.execution.approval import sign_intents
from trading.execution.links import MOST_REFUSED, PROTECTIVE
from trading.execution.triggers import is_conditional
from trading.ledger import transfers
from trading.ledger.accounting import cost_basis
from trading.ledger.transfers import RESERVED, TransferKind, position_account
from trading.model.canonical import client_order_id
from trading.model.decision import Action, Check, Decision, Outcome, Verdict, VerdictKind
from trading.model.order import Fill, Order, OrderState, Side
from trading.model.series import Market
from trading.ports import OrderReport
from trading.reconciliation.breaks import BreakKind
from trading.reconciliation.state import FOREIGN_DESKS
from warehouse.ledger import audit, breaks, cash, fills, orders, portfolio
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.digest import tables

KEY = b"k" * 32
START_MS = 1_750_000_000_000
#: How long the venue takes an order for after *sending*, and how long it may hide what it took.
WINDOW_MS = 5_000
VISIBLE_MS = 3_000
SYMBOLS = ("AAAUSDT", "BBBUSDT")
INSTRUMENTS = {
    symbol: instrument(symbol, lot_step=Decimal(1), min_quantity=Decimal(1), min_notional=Decimal(0))
    for symbol in SYMBOLS
}


class Killed(BaseException):
    """The process is gone: nothing catches it, and nothing of it runs on."""


class UnexpectedError(Exception):
    """The platform stopped trading over faults that it should get over."""


@dataclass
class Accepted:
    """An order as the venue's matching engine knows it; ``effects`` counts how often it was taken."""

    order: Order
    accepted_at_ms: int
    fills: list[Fill] = field(default_factory=list)
    state: OrderState = OrderState.OPEN
    effects: int = 1
    #: Whether the market has met the price that the order waited for.
    set_off: bool = False

    @property
    def rest(self) -> Decimal:
        return self.order.quantity - sum((fill.quantity for fill in self.fills), Decimal(0))


@dataclass
class FaultyVenue:
    """Implements `trading.ports.Venue` over a network that loses requests and answers."""

    world: World
    name: str = "simulated"
    absence_proven_after_ms: int = WINDOW_MS + VISIBLE_MS
    book: dict[str, Accepted] = field(default_factory=dict)

    def submit(self, order: Order) -> OrderReport:
        world = self.world
        world.maybe_kill("before submit")
        fault = world.pick("submit", lost=2, answer_lost=3, busy=1, delayed=1, none=8)
        if fault == "lost":
            raise UnknownOutcome("connection lost")
        if fault == "busy":
            raise RetryLater("429: slow down")
        if fault == "delayed":  # it wanders about the network and may arrive after all
            world.in_flight.append(order)
            raise UnknownOutcome("timeout")
        report = self.accept(order)
        world.maybe_kill("after accept")
        if fault == "answer_lost" or report is None:
            raise UnknownOutcome("-1007: timeout waiting for a response from the backend")
        return self.shown(report)

    def accept(self, order: Order) -> Accepted | None:
        """Take an order at the venue itself; None when the request is too old."""
        assert order.sending_at_ms is not None
        if self.world.now_ms > order.sending_at_ms + WINDOW_MS:
            return None
        known = self.book.get(order.client_order_id)
        if known is not None and not known.state.terminal:
            return known  # a duplicate of an open order is refused
        if known is not None:
            known.effects += 1
            return known
        short = order.side is Side.SELL and order.quantity > self.world.account.free(order)
        rejected = self.world.random.random() < 0.1 or short
        state = OrderState.REJECTED if rejected else OrderState.OPEN
        self.book[order.client_order_id] = Accepted(order, self.world.now_ms, state=state)
        return self.book[order.client_order_id]

    def lookup(self, client_order_id: str) -> OrderReport | None:
        self.world.maybe_kill("before lookup")
        fault = self.world.pick("lookup", lost=1, none=6)
        if fault == "lost":
            raise RetryLater("connection lost")
        found = self.book.get(client_order_id)
        if found is None:
            return None
        young = self.world.now_ms < found.accepted_at_ms + VISIBLE_MS
        if young and self.world.random.random() < 0.5:
            return None  # the reading side lags behind the matching engine
        return self.shown(found)

    def cancel(self, client_order_id: str) -> OrderReport:
        found = self.book.get(client_order_id)
        if found is None:
            raise UnknownOutcome("unknown order")
        if not found.state.terminal and self.world.pick("cancel", lost=1, none=3) == "none":
            found.state = OrderState.CANCELLED
        if self.world.pick("answer", lost=1, none=3) == "lost":
            raise UnknownOutcome("timeout")
        return self.shown(found)

    def shown(self, found: Accepted) -> OrderReport:
        """A report with some of the fills, some twice, in any order; the executed quantity is the truth."""
        chance = self.world.random
        calm = self.world.calm
        seen = [fill for fill in found.fills if calm or chance.random() < 0.7]
        seen += [fill for fill in seen if chance.random() < 0.3]
        chance.shuffle(seen)
        executed = sum((fill.quantity for fill in found.fills), Decimal(0))
        return OrderReport(found.order.client_order_id, found.state, tuple(seen), "", executed)

    def trade(self) -> None:
        """Let the market take a part of what rests."""
        chance = self.world.random
        for found in self.book.values():
            if found.state.terminal or (not self.world.calm and chance.random() < 0.4):
                continue
            if is_conditional(found.order) and not found.set_off:
                # In calm weather the market stays where it is.
                found.set_off = not self.world.calm and chance.random() < 0.5
                if not found.set_off:
                    continue
                self.world.note(f"set off: {found.order.role}")
            rest = found.rest
            if found.order.role in PROTECTIVE:
                rest = min(rest, self.world.account.held()[found.order.symbol])
            if rest <= 0:
                found.state = OrderState.EXPIRED  # it could only have made a position smaller
                continue
            part = (
                rest
                if self.world.calm or chance.random() < 0.4
                else max(rest * chance.randint(1, 9) // 10, Decimal(1))
            )
            found.fills.append(self._fill(found.order, min(part, rest)))
            found.state = OrderState.PARTIALLY_FILLED if found.rest else OrderState.FILLED

    def _fill(self, order: Order, quantity: Decimal) -> Fill:
        self.world.trade_ids += 1
        price = order.reference_price * self.world.random.randint(990, 1005) / 1000
        return Fill(
            venue=self.name,
            venue_fill_id=str(self.world.trade_ids),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price.quantize(Decimal("0.01")),
            fee=(quantity * price / 1000).quantize(Decimal("0.000001")),
            fee_currency="USDT",
            filled_at_ms=self.world.now_ms,
            slippage_bps=0.0,
        )


class FaultyLedger:
    """A real ledger whose process may be killed around every commit, or whose storage may fail."""

    def __init__(self, ledger: Ledger, world: World) -> None:
        self.inner, self.world, self.dead = ledger, world, False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.require_alive()
        if self.world.pick("ledger", busy=1, none=30) == "busy":
            raise RetryLater("the ledger is in use")
        with self.inner.transaction() as tx:
            yield tx
            self.require_alive()
            self.world.maybe_kill("before commit")
        self.world.maybe_kill("after commit")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        self.require_alive()
        with self.inner.read() as tx:
            yield tx

    def require_alive(self) -> None:
        if self.dead:
            raise Killed


@dataclass
class LeaseClock:
    """The machine's clock, which jumps."""

    world: World

    def now_ms(self) -> int:
        return self.world.machine_ms


class World:
    """One schedule of faults, and the platform under it."""

    def __init__(self, seed: int, ledger: Ledger) -> None:
        self.seed, self.real = seed, ledger
        self.random = random.Random(seed)
        self.now_ms = self.machine_ms = START_MS
        self.calm = False
        self.trade_ids = 0
        self.in_flight: list[Order] = []
        self.happened: Counter[str] = Counter()
        self.trace: list[str] = []
        self.symbols, self.visible_ms = SYMBOLS, VISIBLE_MS
        self.venue = FaultyVenue(self)
        chance = self.random.random
        self.account = FaultyAccount(self, self.venue.name, chance() < 0.5, chance() < 0.5)
        self.ledger = FaultyLedger(ledger, self)
        self.bars = 0
        self.protected = Protected()
        # A spot account locks what a resting order sells; a derivatives account asks nobody whose it is.
        futures = self.account.derivatives
        self.rules = Rules(KEY, INSTRUMENTS, both_legs=futures, by_account=futures)

    def pick(self, where: str, **weights: int) -> str:
        """One of the named faults by weight; ``none`` when the world is calm."""
        if self.calm:
            return "none"
        chosen = self.random.choices(list(weights), list(weights.values()))[0]
        if chosen != "none":
            self.note(f"{where}: {chosen}")
        return chosen

    def maybe_kill(self, where: str) -> None:
        if not self.calm and self.random.random() < 0.03:
            self.note(f"killed {where}")
            self.ledger.dead = True
            raise Killed

    def note(self, what: str) -> None:
        self.happened[what] += 1
        self.trace.append(f"{self.now_ms - START_MS} {what}")

    def run(self) -> None:
        """A few bars of trading under faults, then calm weather until nothing is under way."""
        with self.real.transaction() as tx:
            portfolio.deposit(tx, "start", CASH, "USDT", START_MS, venue=self.venue.name)
        for _ in range(self.random.randint(1, 3)):
            self.bar()
        self.calm = True
        for _ in range(12):
            self.tick_on(9_000)
            self.venue.trade()
            self.attempt(self.settle)
            self.attempt(self.cancel_stale)
            reconciled = self.attempt(self.reconcile)
            if self.attempt(self.protect) and reconciled and self.at_rest():
                break

    def at_rest(self) -> bool:
        """Whether nothing is under way, here or at the venue."""
        with self.real.read() as tx:
            live = [state.value for state in OrderState if not state.terminal]
            ours = tx.query(f"select role, state from orders where state in ({str(live)[1:-1]})")
            read = tx.query("select max(read_until_ms) as until from reconciled_accounts")[0]["until"]
        over = all(resting(row["role"], row["state"]) for row in ours)
        over = over and all(
            found.state.terminal or resting(found.order.role, found.state)
            for found in self.venue.book.values()
        )
        nothing_done = replace(self.protected, bare=()) == Protected()
        return over and nothing_done and read is not None and read >= self.now_ms

    def bar(self) -> None:
        """Decide once, then try to get the tick through until it is through or too old."""
        self.bars += 1
        tick = f"tick-{self.bars}"
        halt = self.random.random() < 0.15
        for _ in range(self.random.randint(1, 4)):
            if self.attempt(lambda: self.tick(tick)):
                break
            self.tick_on(self.random.choice([100, 2_000, 6_000, 20_000]))
        self.account.happen()
        if self.random.random() < 0.7:
            self.attempt(self.reconcile)
            self.attempt(self.protect)
        self.venue.trade()
        if halt:
            self.note("cancel everything")
            self.attempt(lambda: sender.cancel_open(self.ledger, self.venue, self.now_ms))
        if self.random.random() < 0.4:
            self.attempt(self.meddle)
        self.tick_on(self.random.choice([1_000, 10_000]))

    def tick(self, tick: str) -> None:
        """What the decision job does: settle, protect, clean up, commit intents, send, settle, protect."""
        self.settle()
        self.protect()
        sender.cancel_stale_intents(self.ledger, tick, self.now_ms)
        with self.ledger.transaction() as tx:
            if not orders.for_tick(tx, tick):
                decided, verdicts, planned = self.decide(tx, tick)
                signed = sign_intents(planned, verdicts, KEY)
                orders.commit_intents(tx, decided, verdicts, signed, self.now_ms)
        self.send(tick)
        self.venue.trade()
        self.settle()
        self.send(tick)
        self.protect()

    def send(self, tick: str) -> None:
        sender.send(self.ledger, self.venue, tick, self.now_ms, key=KEY, lease_clock=LeaseClock(self))

    def protect(self) -> None:
        self.protected = protect(
            self.ledger, self.venue, self.now_ms, self.rules, lease_clock=LeaseClock(self)
        )

    def meddle(self) -> None:
        """Somebody moves a protective order, or takes it off."""
        with self.real.read() as tx:
            legs = [
                order
                for order in orders.in_states(tx, [OrderState.OPEN, OrderState.PARTIALLY_FILLED])
                if order.role in PROTECTIVE and order.stop_price is not None
            ]
        if not legs:
            return
        leg, wish = self.random.choice(legs), Wish("somebody", "because", self.now_ms)
        try:
            if self.random.random() < 0.2:
                self.note("taken off by hand")
                cancel_by_hand(self.ledger, self.venue, leg.client_order_id, wish)
                return
            self.note("moved by hand")
            assert leg.stop_price is not None
            replace_by_hand(
                self.ledger, self.venue, leg.client_order_id, leg.stop_price + 1, wish, self.rules,
                lease_clock=LeaseClock(self),
            )  # fmt: skip
        except BadData:
            self.note("meddled too late")

    def settle(self) -> None:
        sender.settle(self.ledger, self.venue, self.now_ms, lease_clock=LeaseClock(self))

    def reconcile(self) -> None:
        scope = Scope(listed=frozenset(self.symbols))
        reconcile(self.ledger, self.venue, self.account, scope, lease_clock=LeaseClock(self))

    def cancel_stale(self) -> None:
        sender.cancel_stale_intents(self.ledger, "", self.now_ms)

    def attempt(self, work: Any) -> bool:
        """Run a piece of work as a process would; when it dies, a new process takes over."""
        try:
            work()
        except Killed:
            self.ledger = FaultyLedger(self.real, self)
            if self.random.random() < 0.7:  # it is proven dead; else its lease must run out
                with self.real.transaction() as tx:
                    tx.execute("update leases set expires_at_ms = 0")
            self.tick_on(self.random.choice([1_000, 16_000]))
        except TradingError as error:
            self.note(f"raised {type(error).__name__}")
            if not isinstance(error, RetryLater | UnknownOutcome):
                raise UnexpectedError(f"seed {self.seed}: {error!r}") from error
        else:
            return True
        return False

    def tick_on(self, ms: int) -> None:
        """Time goes on; what wandered about the network may arrive; the machine's clock may jump."""
        self.now_ms += ms
        self.machine_ms += ms
        if self.pick("clock", forward=1, back=1, none=10) != "none":
            self.machine_ms += self.random.choice([-60_000, 60_000])
        if self.calm:
            self.machine_ms = max(self.machine_ms, self.now_ms)
        for order in self.in_flight:
            if self.calm or self.random.random() < 0.5:
                self.in_flight = [other for other in self.in_flight if other is not order]
                self.venue.accept(order)

    def decide(self, tx: Transaction, tick: str) -> tuple[list[Decision], list[Verdict], list[Order]]:
        """Buy what is free of doubt, and sell what is held; as the desks and the gate would."""
        account = portfolio.load(tx, {}, START_MS)
        blocked = {*account.pending_symbols, *account.unknown_symbols}
        broken = {*account.broken_symbols} | (set(SYMBOLS) if account.account_breaks else set())
        decided, verdicts, planned = [], [], []
        for desk in ("one", "two"):
            for symbol in SYMBOLS:
                held = portfolio.position(tx, desk, "", symbol)
                if symbol in blocked or self.random.random() < 0.3:
                    continue
                selling = held is not None and held.quantity > 0
                if symbol in broken and not selling:
                    continue
                made = _decision(tick, desk, symbol, Action.EXIT if selling else Action.ENTER)
                if not selling:
                    made = replace(
                        made,
                        stop_price=self.random.choice([90.0, 90.0, nan]),
                        take_profit_price=self.random.choice([110.0, nan]),
                    )
                decided.append(made)
                verdicts.append(Verdict(made.decision_id, VerdictKind.APPROVED, "ok", made.quote_amount, ()))
                quantity = (
                    held.quantity if held is not None and selling else Decimal(self.random.randint(1, 60))
                )
                market = Market.USDM if self.account.derivatives else Market.SPOT
                planned.append(replace(_order(made, self.venue.name, quantity, self.now_ms), market=market))
        return decided, verdicts, planned


def _decision(tick: str, desk: str, symbol: str, action: Action) -> Decision:
    return Decision(
        decision_id=f"{tick}-{desk}-{symbol}-{action.value}",
        tick_id=tick,
        snapshot_id="s",
        desk=desk,
        strategy_id="",
        symbol=symbol,
        action=action,
        outcome=Outcome.FIRED,
        reason_code="test",
        bar_close_ms=START_MS,
        quote_amount=Decimal(1000),
        reference_price=100.0,
        checks=(Check("c", True, 1.0, 0.0, "≥"),),
    )


def _order(made: Decision, venue: str, quantity: Decimal, now_ms: int) -> Order:
    exit_ = made.action is Action.EXIT
    return Order(
        client_order_id=client_order_id(made.decision_id),
        decision_id=made.decision_id,
        tick_id=made.tick_id,
        venue=venue,
        desk=made.desk,
        strategy_id="",
        symbol=made.symbol,
        side=Side.SELL if exit_ else Side.BUY,
        quantity=quantity,
        reference_price=Decimal(100),
        state=OrderState.INTENT,
        created_at_ms=now_ms,
        not_before_ms=START_MS,
        reduce_only=exit_,
    )


def violations(world: World) -> list[str]:
    """What went wrong in a world that has come to rest; empty when the platform kept its promises."""
    found = []
    with world.real.read() as tx:
        ours = {row["client_order_id"]: row["state"] for row in tx.query("select * from orders")}
        booked = {name: {fill.venue_fill_id for fill in fills.for_order(tx, name)} for name in ours}
        for name, accepted in world.venue.book.items():
            if accepted.effects > 1:
                found.append(f"duplicate: {name} took effect {accepted.effects} times")
            if name not in ours:
                found.append(f"orphan: {name} is at the venue only")
            elif ours[name] != accepted.state.value:
                found.append(f"orphan: {name} is {accepted.state} at the venue, {ours[name]} here")
            if {fill.venue_fill_id for fill in accepted.fills} != booked.get(name, set()):
                found.append(f"lost fills of {name}")
        roles = {row["client_order_id"]: row["role"] for row in tx.query("select * from orders")}
        for name, state in ours.items():
            if not OrderState(state).terminal and not resting(roles[name], state):
                found.append(f"lost: {name} is still {state}")
            if booked[name] and name not in world.venue.book:
                found.append(f"invented: {name} has fills that the venue never made")
        found += books_out_of_balance(tx, world)
        found += account_not_reconciled(tx, world)
        found += not_covered(tx, world)
    if not audit.verify(world.real).intact:
        found.append("the audit chain is broken")
    return found


def resting(role: str, state: str) -> bool:
    """Whether an order waits for its price and nothing else."""
    return role in PROTECTIVE and state == OrderState.OPEN


def not_covered(tx: Transaction, world: World) -> list[str]:
    """What is held has live stops of exactly its size at the venue, entry by entry; what is not has been said."""
    found = []
    said = {bare.entry_id: bare.why for bare in world.protected.bare}
    at_venue: Counter[tuple[str, str]] = Counter()
    for accepted in world.venue.book.values():
        if not accepted.state.terminal and accepted.order.role in PROTECTIVE:
            at_venue[accepted.order.parent_id, accepted.order.role] += accepted.rest
    taken_off = {
        (row["parent_id"], row["role"])
        for row in tx.query(
            "select o.parent_id, o.role from orders o join order_events e on e.client_order_id = o.client_order_id"
            " where e.cause like 'by hand%'"
        )
    }
    given_up = {
        row["parent_id"]
        for row in tx.query("select parent_id, state, count(*) as n from orders where role = 'take_profit'"
                            " and state in ('rejected', 'expired') group by parent_id, state")
        if row["n"] >= MOST_REFUSED
    }  # fmt: skip
    holders = Counter(item.symbol for item in portfolio.positions(tx))
    for entry, symbol, held, stop, target in _entries(tx, world):
        both = world.rules.both_legs and holders[symbol] == 1
        stop_due = held if stop else Decimal(0)
        target_due = held if target and (both or not stop) else Decimal(0)
        for role, due in (("stop", stop_due), ("take_profit", target_due)):
            live = at_venue.pop((entry, role), Decimal(0))
            excused = (entry, role) in taken_off and live == 0
            excused = excused or (role == "take_profit" and entry in given_up and live < due)
            if live != due and not excused and not (role == "stop" and entry in said):
                found.append(f"{role} of {entry}: {live} at the venue, {due} is held")
    found += [f"{key} is live for nothing: {rest}" for key, rest in at_venue.items() if rest]
    found += [f"{entry}: {why}" for entry, why in said.items() if "has refused" not in why]
    return found


def _entries(tx: Transaction, world: World) -> list[tuple[str, str, Decimal, bool, bool]]:
    """Each entry with what is still held of it, what was sold first having been bought first."""
    found = []
    foreign: Counter[str] = Counter()
    for item in portfolio.positions(tx):
        if item.desk in FOREIGN_DESKS:
            foreign[item.symbol] += item.quantity
    for desk in ("one", "two"):
        for symbol in world.symbols:
            position = portfolio.position(tx, desk, "", symbol)
            rest = Decimal(0) if position is None else position.quantity + min(foreign[symbol], Decimal(0))
            rows = tx.query(
                "select o.client_order_id as name, d.stop_price as stop, d.take_profit_price as target,"
                " (select coalesce(sum(quantity), 0) from fills f where f.client_order_id = o.client_order_id)"
                " - (select coalesce(sum(f.quantity), 0) from fills f join orders l"
                " on l.client_order_id = f.client_order_id"
                " where l.parent_id = o.client_order_id) as open_quantity from orders o"
                " join decisions d on d.decision_id = o.decision_id where o.desk = :desk and o.symbol = :symbol"
                " and not o.reduce_only order by o.created_at_ms desc, o.client_order_id desc",
                {"desk": desk, "symbol": symbol},
            )
            for row in rows:
                held = min(max(rest, Decimal(0)), max(row["open_quantity"], Decimal(0)))
                rest -= held
                found.append((row["name"], symbol, held, row["stop"] is not None, row["target"] is not None))
    return found


def account_not_reconciled(tx: Transaction, world: World) -> list[str]:
    """What others did is in the books once, quantities and cash are the venue's, and only real breaks are open."""
    found = []
    account = world.account
    adopted = {row["venue_fill_id"] for row in tx.query("select venue_fill_id from foreign_fills")}
    if adopted != {fill.venue_fill_id for fill in account.others}:
        found.append(f"adopted {sorted(adopted)}, others made {len(account.others)} fills")
    causes = {row["venue_fill_id"]: row["cause"] for row in tx.query("select * from foreign_fills")}
    found += [f"{fill.venue_fill_id} is labelled {causes[fill.venue_fill_id]}" for fill in account.others
              if causes.get(fill.venue_fill_id, fill.cause.value) != fill.cause.value]  # fmt: skip
    net = fills.net_quantities(tx, world.venue.name, "main")
    held = portfolio.positions(tx)
    for symbol, quantity in account.held().items():
        of_desks = sum((item.quantity for item in held if item.symbol == symbol), Decimal(0))
        if not net.get(symbol, Decimal(0)) == quantity == of_desks:
            found.append(f"{symbol}: venue {quantity}, fills {net.get(symbol)}, positions {of_desks}")
    if portfolio.cash(tx) != account.cash():
        found.append(f"cash is {portfolio.cash(tx)}, the venue says {account.cash()}")
    offset = {
        symbol
        for symbol in SYMBOLS
        for foreign in [
            sum((p.quantity for p in held if p.symbol == symbol and p.desk in FOREIGN_DESKS), Decimal(0))
        ]
        for own in [{p.quantity for p in held if p.symbol == symbol and p.desk not in FOREIGN_DESKS}]
        if any(quantity * foreign < 0 for quantity in own)
    }
    stored = breaks.open_breaks(tx)
    if {item.content.subject for item in stored if item.content.kind is BreakKind.OFFSET} != offset:
        found.append(f"offsets are {offset}, the breaks say {stored}")
    found += [f"break: {item.content}" for item in stored if item.content.kind is not BreakKind.OFFSET]
    return found


def books_out_of_balance(tx: Transaction, world: World) -> list[str]:
    """Prefix by prefix, then against positions, fills and reservations."""
    found = []
    held: dict[tuple[str, str], Decimal] = {}
    for move in cash.log(tx):
        for name, amount in transfers.balances([move]).items():
            held[name] = held.get(name, Decimal(0)) + amount
        if transfers.imbalance(held):
            found.append(f"out of balance after {move.transfer_id}: {transfers.imbalance(held)}")
        if move.kind is TransferKind.RESERVE and held[(move.from_account, move.currency)] < 0:
            found.append(f"{move.transfer_id} takes more than is free")
        if any(amount < 0 for (name, _), amount in held.items() if name.startswith(RESERVED)):
            found.append(f"{move.transfer_id} releases more than is reserved")
    if held != cash.balances(tx):
        found.append("the balances of the ledger are not those of its log")
    for row in tx.query("select desk, strategy_id, symbol from positions"):
        position = portfolio.position(tx, **row)
        assert position is not None
        in_books = held.get((position_account(**row), "USDT"), Decimal(0))
        if in_books != cost_basis(position):
            found.append(f"{row}: books say {in_books}, cost is {cost_basis(position)}")
    # An oracle that knows nothing of accounts: what was paid in, less what trades and fees took.
    expected = CASH + sum((move.amount for move in world.account.moves), Decimal(0))
    for row in tx.query("select side, quantity, price, fee from fills"):
        sign = -1 if row["side"] == "buy" else 1
        expected += sign * row["quantity"] * row["price"] - row["fee"]
    if portfolio.cash(tx) != expected:
        found.append(f"cash is {portfolio.cash(tx)}, the fills say {expected}")
    if cash.reserved(tx, "USDT"):
        found.append(f"{cash.reserved(tx, 'USDT')} is still reserved")
    return found


def wipe(ledger: Ledger) -> None:
    """Empty a ledger's tables for the next schedule: cheaper than making them anew."""
    with ledger.transaction() as tx:
        for table in tables(tx):
            if table not in {"schema_migrations", "ledger_identity", "audit_head"}:
                tx.execute(f"delete from {table}")
        tx.execute("update audit_head set sequence = 0, hash = :zero", {"zero": "0" * 64})
