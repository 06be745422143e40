"""`tidemill orders`: what is at work, and a person's hand on it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import OK
from apps.cli.controls import who
from apps.cli.output import Json, line, number, print_json, table

if TYPE_CHECKING:
    from resources.platform import Platform
    from trading.model.order import Order
    from warehouse.ledger.backend import Transaction

app = typer.Typer(
    invoke_without_command=True, help="Orders that have not ended, and moving or cancelling them."
)
Id = Annotated[str, typer.Argument(metavar="ORDER", help="A client order id or the beginning of one.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_COLUMNS = ("order", "role", "protects", "desk", "symbol", "side", "quantity", "filled", "price", "state")


@app.callback()
def list_orders(context: typer.Context, as_json: Json = False) -> None:
    """Show every order that has not ended: entries, exits, and the stops and take-profits that rest."""
    if context.invoked_subcommand:
        return
    from resources.platform import open_platform
    from trading.model.order import OrderState
    from warehouse.ledger import order_history, orders

    live = [state for state in OrderState if not state.terminal]
    with open_platform().ledger.read() as tx:
        found = orders.in_states(tx, live)
        lives = order_history.lives(tx, found)
    rows = [{**_content(order), "filled": lives[order.client_order_id].filled} for order in found]
    if as_json:
        print_json({"orders": rows})
        return
    if not rows:
        line("No order is at work.")
        return
    cells = [
        (
            order.client_order_id,
            order.role,
            order.parent_id,
            order.desk,
            order.symbol,
            order.side,
            order.quantity,
            lives[order.client_order_id].filled,
            order.stop_price or order.limit_price,
            order.state,
        )
        for order in found
    ]
    table(f"{len(cells)} order(s)", _COLUMNS, cells, right=("quantity", "filled", "price"))


@app.command()
def replace(
    order: Id,
    stop_price: Annotated[str, typer.Option(help="New price of a stop or take-profit.")] = "",
    limit_price: Annotated[str, typer.Option(help="New price of a limit order.")] = "",
    loosen: Annotated[bool, typer.Option("--loosen", help="A stop may move away from the market.")] = False,
    reason: Reason = "by hand",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Move a protective order or a limit order to another price, after asking.

    The old one is cancelled first; the new one, for at most what was left, goes out once that is proven.
    """
    from resources.execution.by_hand import Wish, replace_by_hand
    from resources.execution.protecting import rules_of
    from resources.platform import open_platform

    price = _price(stop_price, limit_price)
    platform = open_platform()
    with platform.ledger.read() as tx:
        old = _found(tx, order)
    _require_kind(old, by_stop=bool(stop_price))
    _ask(yes, f"Move {_words(old)} to {number(price)}?")
    wish = Wish(who(), reason, platform.clock.now_ms())
    new = replace_by_hand(
        platform.ledger,
        platform.venue(),
        old.client_order_id,
        price,
        wish,
        rules_of(platform),
        loosen=loosen,
        clock=platform.clock,
    )
    _tell(platform, old, new, as_json=as_json)


@app.command()
def cancel(order: Id, reason: Reason = "by hand", yes: Yes = False, as_json: Json = False) -> None:
    """Cancel an order, after asking; a stop or take-profit that is cancelled so is not placed again."""
    from resources.execution.by_hand import Wish, cancel_by_hand
    from resources.platform import open_platform
    from trading.execution.links import PROTECTIVE

    platform = open_platform()
    with platform.ledger.read() as tx:
        old = _found(tx, order)
    loss = " What it protects is then without it." if old.role in PROTECTIVE else ""
    _ask(yes, f"Cancel {_words(old)}?{loss}")
    wish = Wish(who(), reason, platform.clock.now_ms())
    _tell(
        platform,
        old,
        cancel_by_hand(platform.ledger, platform.venue(), old.client_order_id, wish),
        as_json=as_json,
    )


def _found(tx: Transaction, beginning: str) -> Order:
    from trading.errors import BadData
    from warehouse.ledger import orders

    found = orders.find(tx, beginning)
    if found is None:
        raise BadData(f"the ledger has no order {beginning!r}; tidemill orders lists those at work")
    return found


def _price(stop_price: str, limit_price: str) -> Decimal:
    if bool(stop_price) == bool(limit_price):
        raise typer.BadParameter("say one of --stop-price and --limit-price")
    text = stop_price or limit_price
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no price") from None
    if not price.is_finite():
        raise typer.BadParameter(f"{text!r} is no price")
    return price


def _require_kind(order: Order, *, by_stop: bool) -> None:
    from trading.errors import BadData
    from trading.execution.links import PROTECTIVE

    if (order.role in PROTECTIVE) is not by_stop:
        wanted = "--limit-price" if by_stop else "--stop-price"
        raise BadData(
            f"order {order.client_order_id} is a {order.order_type.value} order, role {order.role}: say {wanted}"
        )


def _ask(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question, err=True):
        line("Nothing was changed.", stderr=True)
        raise typer.Exit(OK)


def _words(order: Order) -> str:
    price = order.stop_price or order.limit_price
    at = "" if price is None else f" at {number(price)}"
    return f"{order.role} {order.client_order_id}: {order.side} {number(order.quantity)} {order.symbol}{at}"


def _content(order: Order) -> dict[str, object]:
    return {
        "client_order_id": order.client_order_id,
        "role": order.role,
        "parent_id": order.parent_id or None,
        "desk": order.desk,
        "strategy_id": order.strategy_id,
        "venue": order.venue,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.order_type,
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "state": order.state,
        "created_at_ms": order.created_at_ms,
    }


def _tell(platform: Platform, old: Order, now: Order, *, as_json: bool) -> None:
    from warehouse.ledger import orders

    with platform.ledger.read() as tx:
        before = orders.require(tx, old.client_order_id)
    if as_json:
        print_json({"order": _content(before), "now": _content(now)})
        return
    line(f"{before.client_order_id} is {before.state}.")
    if now.client_order_id != before.client_order_id:
        line(f"{_words(now)} is {now.state}.", style="bold")
    if not before.state.terminal:
        line("The venue has not proven the cancel yet: the wish is recorded, and the next look asks again.")
