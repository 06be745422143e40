"""An entry with a stop and a take-profit on the paper venue, for the tests of protection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from resources.execution import sender
from resources.execution.cover import Rules
from resources.execution.protection import Protected, protect
from resources.venues.paper.resource import PaperVenue
from tests.trading_scenario import CLOSE_MS, decision, instrument, order
from trading.costs.model import CostModel
from trading.execution.approval import sign_intents
from trading.model.decision import Action, Verdict, VerdictKind
from trading.model.order import Order, OrderRole, OrderState, Side
from trading.model.series import Market
from trading.ports import Venue
from warehouse.ledger import orders
from warehouse.ledger.backend import Ledger
from warehouse.ledger.entries import legs_of

KEY = b"k" * 32
MINUTE = 60_000
D = Decimal
FREE = CostModel(
    taker_fee_bps=D(0), spread_bps=0.0, slippage_bps=0.0, impact_coefficient=0.0, participation_fraction=1.0
)
RULES = Rules(KEY, {"AAAUSDT": instrument()})


@dataclass
class Minutes:
    """A market of minute bars and its clock; minutes count from the decision bar's close."""

    rows: list[tuple[int, float, float, float]] = field(default_factory=list)
    minute: float = 0.0
    volume: float = 1e6
    asked_since_ms: list[int] = field(default_factory=list)

    def add(self, minute: int, open_price: float, high: float, low: float) -> None:
        """A bar, once it has closed."""
        self.rows.append((minute, open_price, high, low))
        self.minute = minute + 1.0

    def now_ms(self) -> int:
        return CLOSE_MS + int(self.minute * MINUTE)

    def bars(self, symbol: str, since_ms: int) -> pl.DataFrame:
        self.asked_since_ms.append(since_ms)
        opened = [
            datetime.fromtimestamp((CLOSE_MS + minute * MINUTE) / 1000, UTC) for minute, *_ in self.rows
        ]
        frame = pl.DataFrame(
            {
                "symbol": [symbol] * len(self.rows),
                "open_time": pl.Series(opened, dtype=pl.Datetime("ms", "UTC")),
                "open": [row[1] for row in self.rows],
                "high": [row[2] for row in self.rows],
                "low": [row[3] for row in self.rows],
                "volume": [self.volume] * len(self.rows),
            }
        )
        return frame.filter(pl.col("open_time").dt.epoch("ms") >= since_ms)


@dataclass
class Desk:
    """A desk that trades one symbol on paper, step by step."""

    ledger: Ledger
    market: Minutes = field(default_factory=Minutes)
    venue: Any = None
    rules: Rules = RULES

    def __post_init__(self) -> None:
        if self.venue is None:
            self.venue = self.paper()

    def paper(self) -> Venue:
        return PaperVenue(self.ledger, self.market.bars, FREE, {"AAAUSDT": instrument()}, self.market)

    def intend(
        self, name: str, action: Action, quantity: Decimal, *, short: bool = False, **prices: float
    ) -> Order:
        """Commit a signed intent with its decision and verdict."""
        made = decision(decision_id=f"d-{name}", tick_id=name, action=action, **prices)
        verdict = Verdict(made.decision_id, VerdictKind.APPROVED, "within_limits", D(1000), ())
        intent = order(
            client_order_id=f"tm-{name}",
            decision_id=made.decision_id,
            tick_id=name,
            venue=self.venue.name,
            side=Side.BUY if (action is Action.ENTER) is not short else Side.SELL,
            market=Market.USDM if short else Market.SPOT,
            quantity=quantity,
            reduce_only=action is Action.EXIT,
            not_before_ms=self.market.now_ms() // MINUTE * MINUTE,
            created_at_ms=self.market.now_ms(),
        )
        with self.ledger.transaction() as tx:
            signed = sign_intents([intent], [verdict], KEY)
            orders.commit_intents(tx, [made], [verdict], signed, self.market.now_ms())
        return intent

    def send(self, name: str) -> sender.Settled:
        return sender.send(self.ledger, self.venue, name, self.market.now_ms(), key=KEY)

    def settle(self) -> sender.Settled:
        return sender.settle(self.ledger, self.venue, self.market.now_ms())

    def protect(self) -> Protected:
        return protect(self.ledger, self.venue, self.market.now_ms(), self.rules)

    def enter(self, name: str = "entry", quantity: int = 10, **prices: float) -> None:
        """Buy at 100 in the next minute's bar, which is the last one then, and protect it."""
        prices = prices or {"stop_price": 90.0, "take_profit_price": 120.0}
        self.intend(name, Action.ENTER, D(quantity), **prices)
        minute = int(self.market.minute)
        self.send(name)
        self.market.add(minute, 100.0, 101.0, 99.0)
        self.settle()
        self.protect()

    def legs(self, name: str = "entry") -> dict[OrderRole, list[tuple[OrderState, Decimal, Decimal | None]]]:
        """State, quantity and price of each protective order of an entry."""
        with self.ledger.read() as tx:
            found = legs_of(tx, [f"tm-{name}"])[f"tm-{name}"]
        return {
            role: [
                (leg.life.state, leg.order.quantity, leg.order.stop_price)
                for leg in found
                if leg.order.role is role
            ]
            for role in (OrderRole.STOP, OrderRole.TAKE_PROFIT)
        }

    def live(self, name: str = "entry") -> list[Order]:
        """The protective orders of an entry that have not ended: stop first."""
        with self.ledger.read() as tx:
            legs = legs_of(tx, [f"tm-{name}"])[f"tm-{name}"]
            return [replace(leg.order, state=leg.life.state) for leg in legs if not leg.life.state.terminal]
