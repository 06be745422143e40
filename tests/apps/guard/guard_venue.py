"""A small futures venue over HTTP, with a book that obeys, and the guard's client for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from trading.errors import RetryLater, UnknownOutcome
from trading.model.account import VenueOrder, VenuePosition
from trading.model.order import OrderState, OrderType, Side


def an_order(
    name: str,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    quantity: str = "1",
    *,
    symbol: str = "BTCUSDT",
    reduce_only: bool = False,
    stop_price: str | None = None,
    executed: str = "0",
) -> VenueOrder:
    return VenueOrder(
        client_order_id=name,
        venue_order_id=f"v-{name}",
        symbol=symbol,
        side=side,
        order_type=order_type,
        quantity=Decimal(quantity),
        executed=Decimal(executed),
        state=OrderState.OPEN,
        updated_at_ms=0,
        reduce_only=reduce_only,
        limit_price=Decimal(90) if order_type is OrderType.LIMIT else None,
        stop_price=None if stop_price is None else Decimal(stop_price),
    )


def a_position(quantity: str, symbol: str = "BTCUSDT", mark: str = "100", **fields: Any) -> VenuePosition:
    return VenuePosition(symbol, Decimal(quantity), Decimal(100), Decimal(mark), **fields)


@dataclass
class Book:
    """The account at the venue; ``calls`` is every command that arrived, by name."""

    orders: dict[str, VenueOrder] = field(default_factory=dict)
    positions: dict[str, VenuePosition] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)

    def add(self, *items: VenueOrder | VenuePosition) -> Book:
        for item in items:
            if isinstance(item, VenueOrder):
                self.orders[item.client_order_id] = item
            else:
                self.positions[item.symbol] = item
        return self

    def apply(self, name: str, given: dict[str, Any]) -> Any:
        self.calls.append(name)
        if name == "cancel":
            self.orders.pop(given["client_order_id"], None)
        elif name == "protect":
            key = given["client_order_id"]
            self.orders.setdefault(
                key,
                an_order(
                    key,
                    Side(given["side"]),
                    OrderType.STOP,
                    given["quantity"],
                    symbol=given["symbol"],
                    reduce_only=True,
                    stop_price=given["stop_price"],
                ),
            )
        elif name == "reduce":
            held = self.positions.get(given["symbol"])
            if held is not None:
                taken = min(Decimal(given["quantity"]), abs(held.quantity))
                left = held.quantity - taken if held.quantity > 0 else held.quantity + taken
                self.positions[given["symbol"]] = replace(held, quantity=left)
                if not left:
                    del self.positions[given["symbol"]]
        elif name == "count_down":
            self.countdowns.update(dict.fromkeys(given["symbols"], given["milliseconds"]))
        return {}

    @property
    def entries(self) -> list[str]:
        return [name for name, order in self.orders.items() if not order.reduce_only]

    @property
    def stops(self) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.reduce_only]


class HttpVenue:
    """The venue as a server. ``on_command`` is called before and after each command is applied."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.down = False
        self.on_command: Callable[[str, str], None] = lambda name, when: None
        self._lock = threading.Lock()
        venue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with venue._lock:
                    found = venue.book.orders if self.path == "/orders" else venue.book.positions
                    self._answer([_plain(item) for item in found.values()])

            def do_POST(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = self.path.removeprefix("/")
                with venue._lock:
                    venue.on_command(name, "before")
                    answer = venue.book.apply(name, given)
                    venue.on_command(name, "after")
                self._answer(answer)

            def _answer(self, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(503 if venue.down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):  # the client was killed
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class VenueClient:
    """`trading.guard.reach.Reach` over the server. It has no method beyond those that the guard may call."""

    name = "test-venue"
    derivatives = True

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=5.0, trust_env=False)

    def open_orders(self) -> list[VenueOrder]:
        return [
            VenueOrder(
                **{
                    **row,
                    "side": Side(row["side"]),
                    "order_type": OrderType(row["order_type"]),
                    "state": OrderState(row["state"]),
                    **{name: Decimal(row[name]) for name in ("quantity", "executed")},
                    **{
                        name: None if row[name] is None else Decimal(row[name])
                        for name in ("limit_price", "stop_price")
                    },
                }
            )
            for row in self._ask("/orders")
        ]

    def positions(self) -> list[VenuePosition]:
        return [
            VenuePosition(
                **{
                    **row,
                    **{name: Decimal(row[name]) for name in ("quantity", "entry_price", "mark_price")},
                    "liquidation_price": None
                    if row["liquidation_price"] is None
                    else Decimal(row["liquidation_price"]),
                }
            )
            for row in self._ask("/positions")
        ]

    def cancel_order(self, order: VenueOrder) -> None:
        self._tell("cancel", client_order_id=order.client_order_id)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        self._tell("reduce", symbol=symbol, side=side, quantity=quantity, client_order_id=client_order_id)

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        self._tell(
            "protect",
            symbol=symbol,
            side=side,
            quantity=quantity,
            stop_price=stop_price,
            client_order_id=client_order_id,
        )

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        self._tell("count_down", symbols=list(symbols), milliseconds=milliseconds)
        return True

    def _ask(self, path: str) -> Any:
        try:
            answer = self._http.get(path)
        except httpx.TransportError as error:
            raise RetryLater(f"{path}: {error!r}") from error
        if answer.status_code != 200:
            raise RetryLater(f"{path}: {answer.status_code}")
        return answer.json()

    def _tell(self, name: str, **given: Any) -> None:
        try:
            answer = self._http.post(f"/{name}", content=json.dumps(given, default=str))
        except httpx.TransportError as error:
            raise UnknownOutcome(f"{name}: {error!r}") from error
        if answer.status_code != 200:
            raise UnknownOutcome(f"{name}: {answer.status_code}")


def _plain(item: VenueOrder | VenuePosition) -> dict[str, Any]:
    names = type(item).__slots__
    values = {name: getattr(item, name) for name in names}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}
