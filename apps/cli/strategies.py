"""`tidemill strategies`: what became of generated strategies, and a person's word on them."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.output import Json, line, moment, print_json, table

if TYPE_CHECKING:
    from trading.factory.lifecycle.states import Event, State

app = typer.Typer(no_args_is_help=True, help="Generated strategies and their lives.")
Id = Annotated[str, typer.Argument(help="A strategy id or the beginning of one.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_strategies(
    state: Annotated[
        str, typer.Option(help="generated, backtested, paper, live_candidate, live, paused or retired.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most strategies shown.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the strategies that trade or are paused, or those in one state, with how many there are in each."""
    from resources.platform import open_platform
    from warehouse.ledger import strategies, strategy_reviews

    wanted = _states(state)
    with open_platform().ledger.read() as tx:
        counts = strategies.counts(tx)
        found = strategies.current(tx, wanted)
        reviews = strategy_reviews.newest(tx)
    rows: list[dict[str, Any]] = []
    for status in found[:limit]:
        reviewed = reviews.get(status.strategy_id)
        rows.append(
            {
                "strategy_id": status.strategy_id,
                "state": status.state,
                "since_ms": status.since_ms,
                "grade": reviewed.grade if reviewed else None,
                "score": reviewed.score if reviewed else None,
                "allocation": reviewed.allocation if reviewed else 1.0,
                "reason": status.reason,
            }
        )
    if as_json:
        print_json({"counts": counts, "found": len(found), "strategies": rows})
        return
    cells = [
        (r["strategy_id"][:12], r["state"], moment(r["since_ms"]), r["grade"], r["allocation"], r["reason"])
        for r in rows
    ]
    table(
        f"{len(found)} strategies" + (f", {limit} shown" if len(found) > limit else ""),
        ["id", "state", "since (UTC)", "grade", "allocation", "reason"],
        cells,
        right=["allocation"],
    )
    line("In all: " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "none yet"))
    waiting = [status.strategy_id[:12] for status in found if status.state == "live_candidate"]
    if waiting:
        line(f"Waiting for a place or for you: {', '.join(waiting)} (tidemill strategies approve ID)")


@app.command()
def show(strategy: Id, as_json: Json = False) -> None:
    """Show one strategy: its rules, every step of its life with the figures behind it, and its reviews."""
    from resources.platform import open_platform
    from trading.factory.genes.parse import parse
    from warehouse.ledger import strategies, strategy_reviews

    with open_platform().ledger.read() as tx:
        status = strategies.find(tx, strategy)
        events = strategies.history(tx, status.strategy_id)
        reviews = strategy_reviews.of_strategy(tx, status.strategy_id)
    rules = str(parse(status.genome))
    if as_json:
        print_json({"strategy": status, "rules": rules, "events": events, "reviews": reviews})
        return
    line(f"{status.strategy_id} · {status.state} since {moment(status.since_ms)} UTC", style="bold")
    line(rules)
    steps = [(moment(each.at_ms), each.to_state, each.actor, each.reason) for each in events]
    table("Steps", ["at (UTC)", "state", "by", "reason"], steps)
    if reviews:
        graded = [(each.review_day, each.grade, each.score, each.action, each.allocation) for each in reviews]
        columns = ["day", "grade", "score", "action", "allocation"]
        table("Reviews", columns, graded, right=["score", "allocation"])
    figures = [(key, _short(value)) for key, value in events[-1].evidence.items()]
    if figures:
        table("Behind the newest step", ["figure", "value"], figures)


@app.command()
def approve(strategy: Id, reason: Reason = "by hand", yes: Yes = False, as_json: Json = False) -> None:
    """Make a live candidate live, or put a paused strategy back on paper, after asking."""
    from resources.factory import lifecycle
    from resources.platform import open_platform

    _ask(yes, f"Approve strategy {strategy}? A live candidate will trade live.")
    platform = open_platform()
    settings = platform.settings.factory.lifecycle
    # Days on paper are counted on the market's own clock, which a replay does not share with ours.
    at_ms = platform.clock.now_ms()
    event = lifecycle.approve(platform.ledger, strategy, settings, getpass.getuser(), reason, at_ms)
    _told(event, as_json)


@app.command()
def pause(strategy: Id, reason: Reason = "by hand", as_json: Json = False) -> None:
    """Pause a strategy: it opens nothing until it is approved again, which puts it back on paper."""
    from trading.factory.lifecycle.states import State

    _told(_move(strategy, State.PAUSED, reason), as_json)


@app.command()
def retire(strategy: Id, reason: Reason = "by hand", yes: Yes = False, as_json: Json = False) -> None:
    """Retire a strategy for good, after asking; it never trades again."""
    from trading.factory.lifecycle.states import State

    _ask(yes, f"Retire strategy {strategy} for good?")
    _told(_move(strategy, State.RETIRED, reason), as_json)


def _states(name: str) -> list[State]:
    from trading.factory.lifecycle.states import State

    if not name:
        return [State.LIVE, State.LIVE_CANDIDATE, State.PAPER, State.PAUSED]
    if name not in set(State):
        raise typer.BadParameter(
            f"{name!r} is no state; choose one of {', '.join(State)}", param_hint="--state"
        )
    return [State(name)]


def _move(strategy: str, to_state: State, reason: str) -> Event:
    from resources.factory import lifecycle
    from resources.platform import open_platform

    return lifecycle.move(open_platform().ledger, strategy, to_state, getpass.getuser(), reason, _now_ms())


def _ask(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question, err=True):
        line("Nothing was changed.", stderr=True)
        raise typer.Exit(1)


def _told(event: Event, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    line(f"{event.strategy_id}: {event.from_state} → {event.to_state} by {event.actor}: {event.reason}")


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 200 else f"{shown[:199]}…"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
