"""`tidemill status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from apps.cli.output import MISSING, Json, line, moment, money, number, print_json, table

if TYPE_CHECKING:
    from apps.cli.status_view import Status

app = typer.Typer()


@app.command()
def status(as_json: Json = False) -> None:
    """Show where things stand: source, data, kill flag, orders, positions, equity, ticks and runs."""
    from apps.cli.status_view import collect
    from resources.platform import open_platform

    view = collect(open_platform())
    if as_json:
        print_json(view)
        return
    _print_head(view)
    _print_data(view)
    _print_account(view)
    _print_activity(view)


def _print_head(view: Status) -> None:
    source = view.source
    if source.now_ms is None:
        line(f"Source {source.name} does not answer: {source.problem}", style="yellow")
    else:
        line(f"Source {source.name}, its time is {moment(source.now_ms)} UTC")
    switch = view.controls
    if switch.halted:
        line(
            f"HALTED since {moment(switch.changed_at_ms)} UTC: {switch.reason}. Lift: tidemill resume",
            style="bold red",
        )
    else:
        line("Kill flag: off, entries are allowed")


def _print_data(view: Status) -> None:
    if not view.datasets:
        line("The lake is empty. Fill it with: tidemill run daily")
        return
    now_ms = view.source.now_ms
    table(
        "Data",
        ("dataset", "newest day", "rows", "newest (UTC)", "age", "days"),
        [
            (
                item.dataset,
                item.newest_day,
                item.rows,
                moment(item.newest_ms),
                _age(item.newest_ms, now_ms),
                item.days,
            )
            for item in view.datasets
        ],
        right=("rows", "days"),
    )


def _age(then_ms: int | None, now_ms: int | None) -> str:
    if then_ms is None or now_ms is None:
        return MISSING
    minutes = (now_ms - then_ms) // 60_000
    return (
        f"{minutes} min"
        if minutes < 120
        else f"{minutes // 60} h"
        if minutes < 2880
        else f"{minutes // 1440} d"
    )


def _print_account(view: Status) -> None:
    equity = view.equity
    line(
        f"Equity {money(equity.equity)}: cash {money(equity.cash)}, positions {money(equity.positions_value)}",
        style="bold",
    )
    if equity.unpriced_symbols:
        line(f"Without a price, valued at cost: {', '.join(equity.unpriced_symbols)}", style="yellow")
    if view.holdings:
        table(
            "Positions",
            ("symbol", "desk", "strategy", "quantity", "average cost", "mark", "value", "P&L"),
            [
                (
                    item.position.symbol,
                    item.position.desk,
                    item.position.strategy_id[:12] or MISSING,
                    item.position.quantity,
                    f"{item.position.average_cost:.8g}",
                    item.price,
                    money(item.value),
                    money(item.unrealised_pnl),
                )
                for item in view.holdings
            ],
            right=("quantity", "average cost", "mark", "value", "P&L"),
        )
    if view.open_orders:
        table(
            "Open orders",
            ("order", "symbol", "side", "quantity", "state", "created (UTC)"),
            [
                (
                    item.client_order_id,
                    item.symbol,
                    item.side,
                    number(item.quantity),
                    item.state,
                    moment(item.created_at_ms),
                )
                for item in view.open_orders
            ],
            right=("quantity",),
        )
    else:
        line("Open orders: none")


def _print_activity(view: Status) -> None:
    tick = view.last_tick
    line(
        "Last tick: none yet"
        if tick is None
        else f"Last tick: {tick.tick_id[:12]}, bar closed {moment(tick.bar_close_ms)} UTC"
    )
    if view.newest_decisions:
        table(
            "Newest decisions (tidemill explain ID)",
            ("id", "desk", "action", "symbol", "outcome", "reason"),
            [
                (
                    row["decision_id"][:12],
                    row["desk"],
                    row["action"],
                    row["symbol"],
                    row["outcome"],
                    row["reason_code"],
                )
                for row in view.newest_decisions
            ],
        )
    if view.runs:
        table(
            "Newest Dagster runs",
            ("run", "job", "status", "started (UTC)"),
            [(run.run_id[:8], run.job, run.status.lower(), moment(run.started_at_ms)) for run in view.runs],
        )
    else:
        line("Dagster runs: none yet")
    head = view.audit_head
    line("Audit head: MISSING" if head is None else f"Audit head: {head.sequence} records, {head.hash[:12]}")
    line(f"Ledger: {view.ledger}")
