"""`tidemill reconcile`: compare the ledger with the venue's account now, and settle offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.controls import who
from apps.cli.output import Json, line, moment, print_json, table

if TYPE_CHECKING:
    from resources.reconciliation.reconcile import Reconciled
    from warehouse.ledger.breaks import StoredBreak

app = typer.Typer()


@app.command()
def reconcile(
    net: Annotated[
        str, typer.Option("--net", help="Symbol of an offset: take what others closed off the desks' books.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Book what the ledger lacks and list what disagrees; exit code 1 while a break forbids new risk."""
    from resources.platform import open_platform
    from resources.reconciliation.offsets import net_offset
    from resources.reconciliation.step import reconcile_platform
    from warehouse.ledger import breaks

    platform = open_platform()
    if net:
        net_offset(
            platform.ledger,
            net,
            venue=platform.venue().name,
            by=who(),
            at_ms=platform.clock.now_ms(),
            currency=platform.settings.universe.quote,
        )
    done = reconcile_platform(platform)
    with platform.ledger.read() as tx:
        found = breaks.open_breaks(tx)
    if as_json:
        print_json({"reconciled": done, "breaks": found})
    else:
        _print(done, found)
    if done.blocking:
        raise typer.Exit(FAILED)


def _print(done: Reconciled, found: list[StoredBreak]) -> None:
    line(
        f"{done.matched} agree; booked {done.new_fills} fill(s) of ours, {done.adopted} of others, "
        f"{done.moves} movement(s) of cash; {len(found)} break(s) open, {done.blocking} of them forbid new risk"
    )
    if found:
        table(
            "",
            ("break", "about", "since (UTC)", "effect", "ledger", "venue"),
            [
                (
                    item.content.kind,
                    item.content.subject,
                    moment(item.opened_at_ms),
                    item.content.severity,
                    item.content.ours,
                    item.content.theirs,
                )
                for item in found
            ],
        )
