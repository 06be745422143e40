"""`tidemill explain ORDER_OR_DECISION`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import MISSING, Json, line, moment, money, number, print_json, table, text

if TYPE_CHECKING:
    from apps.cli.story import OrderStory, Story
    from trading.model.decision import Check

app = typer.Typer()


@app.command()
def explain(
    order_or_decision: Annotated[
        str, typer.Argument(help="A decision id or client order id, or any beginning that only one has.")
    ],
    as_json: Json = False,
) -> None:
    """Tell why it traded, or why not: inputs, every check, the verdict, the order, its fills and cost."""
    from apps.cli.story import tell
    from resources.platform import open_platform

    story = tell(open_platform(), order_or_decision.strip())
    if as_json:
        print_json(story)
    else:
        _print(story)


def _print(story: Story) -> None:
    from apps.cli.evidence_view import print_evidence

    decision, verdict = story.decision, story.verdict
    who = decision.desk + (f" (strategy {decision.strategy_id})" if decision.strategy_id else "")
    way = f"{decision.action.value} {decision.direction.value}"
    line(f"{who}: {way} {decision.symbol}, {decision.outcome.value}", style="bold")
    line(f"decision {decision.decision_id}, bar closed {moment(decision.bar_close_ms)} UTC")
    wanted = f", wanted {money(decision.quote_amount)}" if decision.quote_amount else ""
    line(f"reason {decision.reason_code}, reference price {text(decision.reference_price)}{wanted}")
    resting = (("stop", decision.stop_price), ("take-profit", decision.take_profit_price))
    if asked := [f"{name} {text(price)}" for name, price in resting if math.isfinite(price)]:
        line(f"to rest at the venue: {', '.join(asked)}")
    if story.would_have_traded:
        line(
            f"It {story.would_have_traded}."
            if story.would_have_traded.startswith("would")
            else story.would_have_traded
        )
    exits = decision.action.value == "exit"
    _print_checks(
        "Exit triggers of the desk (one is enough)" if exits else "Checks of the desk", decision.checks
    )
    if decision.inputs:
        table(
            "Inputs",
            ("name", "value"),
            [(name, _named(name, decision.inputs[name])) for name in sorted(decision.inputs)],
        )
    if story.evidence is not None:
        print_evidence(story.evidence)
    if verdict is None:
        line(
            "Risk gate: not asked, because the desk did not fire."
            if not story.orders
            else "Risk gate: no verdict."
        )
    else:
        line(
            f"Risk gate: {verdict.kind.value} ({verdict.reason_code}), allowed {money(verdict.quote_amount)}",
            style="bold",
        )
        _print_checks("Checks of the risk gate", verdict.checks)
    for item in story.orders:
        _print_order(item)
    _print_sources(story)


def _print_checks(title: str, checks: Iterable[Check]) -> None:
    table(
        title,
        ("", "check", "value", "limit"),
        [(item.passed, item.name, _named(item.name, item.value), _limit(item)) for item in checks],
    )


def _named(name: str, value: object) -> str:
    """A value as its name says it is meant: a time where the name ends in ``_ms``."""
    if name.endswith("_ms") and isinstance(value, (int, float)):
        return f"{moment(int(value))} UTC" if value > 0 else MISSING
    return text(None if value == "" else value)


def _limit(item: Check) -> str:
    from trading.model.check import ABOVE, AT_LEAST, AT_MOST, BELOW, MUST_BE, NOT_ONE_OF, ONE_OF

    signs = (AT_LEAST, AT_MOST, ABOVE, BELOW, MUST_BE, NOT_ONE_OF, ONE_OF)
    sign = next((sign for sign in signs if item.detail.startswith(sign)), "")
    return " ".join(
        part for part in (sign, _named(item.name, item.limit), item.detail[len(sign) :].strip()) if part
    )


def _print_order(item: OrderStory) -> None:
    order = item.order
    line(
        f"Order {order.client_order_id}: {order.side.value} {number(order.quantity)} {order.symbol} "
        f"at {order.venue}, {order.state.value}",
        style="bold",
    )
    table(
        "Events",
        ("time (UTC)", "from", "to", "cause"),
        [
            (
                moment(event.at_ms),
                event.from_state.value if event.from_state else MISSING,
                event.to_state.value,
                event.cause,
            )
            for event in item.events
        ],
    )
    table(
        "Fills",
        ("time (UTC)", "quantity", "price", "fee", "slippage bps", "venue fill id"),
        [
            (
                moment(fill.filled_at_ms),
                fill.quantity,
                fill.price,
                f"{number(fill.fee)} {fill.fee_currency}",
                f"{fill.slippage_bps:.2f}",
                fill.venue_fill_id,
            )
            for fill in item.fills
        ],
        right=("quantity", "price", "fee", "slippage bps"),
    )
    if item.cost is not None:
        cost = item.cost
        line(
            f"Cost against the decision price {number(order.reference_price)}: "
            f"slippage {cost.slippage_bps:.2f} bps + fees {_bps(cost.fee_bps)} = {_bps(cost.total_bps)}; "
            f"expected {cost.expected_bps:.2f} bps before the impact of size"
        )


def _bps(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f} bps"


def _print_sources(story: Story) -> None:
    if story.sources:
        table(
            f"Snapshot {story.decision.snapshot_id[:12]}, taken {moment(story.taken_at_ms)} UTC, read from",
            ("partition", "sha256"),
            [(name, digest[:16]) for name, digest in sorted(story.sources.items())],
        )
    line(f"Audit records: {', '.join(map(str, story.audit_records)) or 'none'}")
