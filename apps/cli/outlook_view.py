"""What `tidemill resume` shows before it asks for the second step."""

from __future__ import annotations

from typing import Any

from apps.cli.output import line, moment, number, table
from resources.killswitch.aftermath import CancelledOrder, GuardAction
from resources.killswitch.rearm import Offer, Outlook
from trading.model.order import Order
from warehouse.flags.heartbeat import Beat
from warehouse.ledger.breaks import StoredBreak

_ORDER = ("symbol", "side", "quantity", "state", "order")


def print_outlook(seen: Outlook, now_ms: int) -> None:
    """Everything that is open, in doubt or in disagreement, and what the halt has done."""
    halted = seen.flag if seen.flag.halted else seen.control
    line(f"Halted since {moment(halted.changed_at_ms)} UTC: {halted.reason}", style="bold red")
    _list("Open orders", _ORDER, [_order(order) for order in seen.open_orders])
    if seen.unknown:
        line("Of unknown outcome; settle them first: tidemill reconcile", style="bold red")
        _list("Unknown orders", _ORDER, [_order(order) for order in seen.unknown])
    _list(
        "Positions",
        ("desk", "symbol", "quantity"),
        [(item.desk, item.symbol, number(item.quantity)) for item in seen.positions],
    )
    _list(
        "Open breaks",
        ("break", "about", "since (UTC)", "effect", "ledger", "venue"),
        [_break(item) for item in seen.breaks],
    )
    _list(
        "Cancelled since the halt",
        ("at (UTC)", "symbol", "side", "quantity", "cause", "order"),
        [_cancelled(item) for item in seen.cancelled],
    )
    _list(
        "Done by the guard at the venue",
        ("at (UTC)", "did", "symbol", "side", "quantity", "order", "result"),
        [_guard(item) for item in seen.by_guard],
    )
    for name, beat in seen.heartbeats.items():
        line(f"Heartbeat {name}: {_beat_words(beat, now_ms)}")
    if seen.journal_problem:
        line(f"The guard's journal could not be read: {seen.journal_problem}", style="bold red")


def offer_json(offered: Offer) -> dict[str, Any]:
    """The same for programs."""
    seen = offered.outlook
    return {
        "halted": seen.halted,
        "reason": seen.flag.reason if seen.flag.halted else seen.control.reason,
        "code": offered.code or None,
        "expires_at_ms": offered.expires_at_ms or None,
        "open_orders": [order.client_order_id for order in seen.open_orders],
        "unknown_orders": [order.client_order_id for order in seen.unknown],
        "positions": [{"symbol": item.symbol, "quantity": item.quantity} for item in seen.positions],
        "breaks": seen.breaks,
        "cancelled": [
            {
                "client_order_id": item.order.client_order_id,
                "symbol": item.order.symbol,
                "side": item.order.side,
                "quantity": item.order.quantity,
                "cause": item.cause,
                "at_ms": item.at_ms,
            }
            for item in seen.cancelled
        ],
        "by_guard": seen.by_guard,
        "heartbeats": seen.heartbeats,
        "problems": [seen.journal_problem] if seen.journal_problem else [],
    }


def _list(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        table(title, columns, rows, right=("quantity",))
    else:
        line(f"{title}: none")


def _order(order: Order) -> tuple[object, ...]:
    return order.symbol, order.side.value, number(order.quantity), order.state.value, order.client_order_id


def _break(item: StoredBreak) -> tuple[object, ...]:
    content = item.content
    since = moment(item.opened_at_ms)
    return content.kind, content.subject, since, content.severity, content.ours, content.theirs


def _cancelled(item: CancelledOrder) -> tuple[object, ...]:
    order = item.order
    amount = number(order.quantity)
    return moment(item.at_ms), order.symbol, order.side.value, amount, item.cause, order.client_order_id


def _guard(item: GuardAction) -> tuple[object, ...]:
    amount, result = number(item.quantity), item.error or "taken"
    return moment(item.at_ms), item.do, item.symbol, item.side, amount, item.client_order_id, result


def _beat_words(beat: Beat | None, now_ms: int) -> str:
    if beat is None:
        return "never seen"
    return f"{'ended in order' if beat.ended else 'last'} {(now_ms - beat.at_ms) / 1000:.0f} s ago"
