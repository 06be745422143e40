"""Printing the daily summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.cli.output import MISSING, line, moment, money, number, table
from apps.cli.rate import label_text

if TYPE_CHECKING:
    from apps.cli.summary import DailySummary
    from pipelines.outcome import CheckLine


def print_summary(summary: DailySummary) -> None:
    """Print every part in order; parts without content say so in a line."""
    line("")
    end = "completed" if summary.succeeded else "DID NOT COMPLETE"
    line(
        f"{summary.day}: the daily run {end} ({summary.source})",
        style="bold green" if summary.succeeded else "bold red",
    )
    for problem in summary.problems:
        line(f"  {problem}", style="red")
    for part in (_data, _judged, _ratings, _candidates, _decisions, _orders, _account, _strategies, _closing):
        print_part: Callable[[DailySummary], None] = part
        print_part(summary)


def _data(summary: DailySummary) -> None:
    bars = ", ".join(f"{rows:,} of {name}" for name, rows in summary.rows.items()) or "none"
    line(f"Bars ingested: {bars} ({summary.symbols} symbols)")
    holes = "; ".join(
        f"{gap.kind.replace('_', ' ')} {gap.minutes:,} min in {gap.holes} hole(s) of {gap.symbols} symbol(s)"
        for gap in summary.gaps
    )
    line(f"Gaps: {holes or 'none'}")


def checks(passed: int, failed: Sequence[CheckLine]) -> None:
    """How many checks passed, and what those that failed found and did."""
    warned = sum(item.effect == "warned" for item in failed)
    line(f"Checks: {passed} passed, {warned} warned, {len(failed) - warned} failed")
    if failed:
        table(
            "Findings",
            ("asset", "check", "effect", "what"),
            [(item.asset, item.check, item.effect, item.description) for item in failed],
        )


def _judged(summary: DailySummary) -> None:
    checks(summary.checks_passed, summary.checks_failed)


def _ratings(summary: DailySummary) -> None:
    intervals = list(summary.ratings[0].ratings) if summary.ratings else []
    if summary.ratings:
        table(
            "Top ratings (tv_lib_v3; label and order by 15m)",
            ("symbol", "label", *intervals),
            [
                (item.symbol, label_text(item.label), *map(_signed, item.ratings.values()))
                for item in summary.ratings
            ],
            right=intervals,
        )
    else:
        line("Ratings: none")


def _candidates(summary: DailySummary) -> None:
    if summary.candidates:
        table(
            "Candidates of the fork desk",
            ("symbol", "fork score", "with kick", "confidence", "result"),
            [
                (
                    item.symbol,
                    _fixed(item.fork_score, 3),
                    _fixed(item.adjusted, 3),
                    _fixed(item.confidence, 3),
                    "pass" if item.fired else item.reason,
                )
                for item in summary.candidates
            ],
            right=("fork score", "with kick", "confidence"),
        )


def _decisions(summary: DailySummary) -> None:
    if not summary.traded:
        line("Decisions: none, because an older day is computed and never traded")
        return
    if not summary.reasons:
        line("Decisions: none")
        return
    table(
        f"Decisions at the bar that closed {moment(summary.bar_close_ms)} UTC",
        ("desk", "action", "result", "reason code", "n"),
        [(item.desk, item.action, item.result, item.reason_code, item.count) for item in summary.reasons],
        right=("n",),
    )
    if summary.fired:
        table(
            "Fired",
            ("id", "desk", "symbol", "action", "why", "wanted", "verdict", "allowed"),
            [
                (
                    item.decision_id[:12],
                    item.desk,
                    item.symbol,
                    item.action,
                    item.reason,
                    money(item.wanted),
                    item.verdict if item.verdict == "approved" else f"{item.verdict}: {item.verdict_reason}",
                    money(item.allowed),
                )
                for item in summary.fired
            ],
            right=("wanted", "allowed"),
        )


def _orders(summary: DailySummary) -> None:
    if not summary.orders:
        line("Orders: none")
        return
    rows = []
    for order in summary.orders:
        done = [fill for fill in summary.fills if fill.client_order_id == order.client_order_id]
        quantity = sum((fill.quantity for fill in done), Decimal(0))
        value = sum((fill.quantity * fill.price for fill in done), Decimal(0))
        slippage = (
            sum(fill.slippage_bps * float(fill.quantity) for fill in done) / float(quantity)
            if quantity
            else None
        )
        rows.append(
            (
                order.client_order_id[:15],
                order.symbol,
                order.side.value,
                number(order.quantity),
                order.state.value,
                f"{len(done)}",
                f"{value / quantity:.8g}" if quantity else MISSING,
                money(value),
                f"{sum((fill.fee for fill in done), Decimal(0)):.4f}",
                _fixed(slippage, 2),
            )
        )
    columns = (
        "order",
        "symbol",
        "side",
        "quantity",
        "state",
        "fills",
        "price",
        "value",
        "fee",
        "slippage bps",
    )
    table(
        "Orders and fills",
        columns,
        rows,
        right=("quantity", "fills", "price", "value", "fee", "slippage bps"),
    )


def _account(summary: DailySummary) -> None:
    account = summary.account
    if account is None:
        line("Equity: not recorded")
        return
    change = MISSING if account.change is None else f"{account.change:+,.2f}"
    line(
        f"Equity {money(account.equity)}: cash {money(account.cash)}, positions {money(account.positions_value)}, "
        f"change of the day {change}",
        style="bold",
    )
    if account.unpriced_symbols:
        line(f"Without a price, valued at cost: {', '.join(account.unpriced_symbols)}", style="yellow")


def _strategies(summary: DailySummary) -> None:
    if not summary.strategies:
        line("Strategies on paper: none")
        return
    table(
        f"Strategies on paper (of {summary.strategies[0].trials} tried today)",
        ("rank", "strategy", "trades", "Sharpe", "return", "worst fall", "better than luck"),
        [
            (
                item.rank,
                item.strategy_id[:12],
                item.trades,
                _fixed(item.sharpe, 2),
                _percent(item.total_return_fraction),
                _percent(item.max_drawdown_fraction),
                _percent(item.deflated_sharpe_probability),
            )
            for item in summary.strategies
        ],
        right=("rank", "trades", "Sharpe", "return", "worst fall", "better than luck"),
    )


def _closing(summary: DailySummary) -> None:
    audit = summary.audit
    if audit.intact:
        line(
            f"Audit chain verified: {audit.records} records, head {audit.head.hash[:12]}, {audit.anchors} anchor(s) agree"
        )
    else:
        line(f"AUDIT CHAIN BROKEN at record {audit.broken_at}: {audit.problem}", style="bold red")
    runs = ", ".join(f"{run.job} {run.seconds:.1f} s" for run in summary.runs)
    line(f"Time taken: {summary.seconds:.1f} s ({runs})")
    line("Next: make ui" + (f", or tidemill explain {summary.explain[:15]}" if summary.explain else ""))


def _signed(value: float | None) -> str:
    return MISSING if value is None else f"{value:+.3f}"


def _fixed(value: float | None, decimals: int) -> str:
    return MISSING if value is None or value != value else f"{value:.{decimals}f}"


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1%}"
