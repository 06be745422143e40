"""`tidemill audit verify`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import Json, line, print_json

if TYPE_CHECKING:
    from resources.platform import Platform
    from trading.ledger.chain import Anchor, ChainReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """The audit trail: a hash chain over everything that was decided and done."""


@app.command()
def verify(as_json: Json = False) -> None:
    """Prove the audit chain from its first record, against its head and the anchors in the lake."""
    from resources.platform import open_platform

    platform = open_platform()
    report = verified(platform)
    if as_json:
        print_json({"ledger": platform.ledger.place, **_fields(report)})
    elif report.intact:
        line(
            f"Audit chain intact: {report.records} records, {report.anchors} anchor(s) in the lake agree, "
            f"head {report.head.hash[:12]}"
        )
    else:
        where = "" if report.broken_at is None else f" at record {report.broken_at}"
        line(f"AUDIT CHAIN BROKEN{where}: {report.problem}", style="bold red")
        line(f"{report.records} records before it are proven. Ledger: {platform.ledger.place}")
        line(
            "Halt (tidemill halt), keep a copy of the ledger as it is, and restore the newest backup that verifies."
        )
    if not report.intact:
        raise typer.Exit(FAILED)


def verified(platform: Platform) -> ChainReport:
    """The chain against every anchor that the lake holds for this ledger, and the lives of strategies against it."""
    from warehouse.ledger import audit, strategies

    report = audit.verify(platform.ledger, anchors(platform))
    if not report.intact:
        return report
    with platform.ledger.read() as tx:
        problem = strategies.contradiction(tx)
    return replace(report, intact=False, problem=problem) if problem else report


def anchors(platform: Platform) -> list[Anchor]:
    """Heads of this ledger's chain as the lake remembers them; other ledgers' anchors are passed over."""
    from trading.ledger.chain import Anchor
    from warehouse.datasets.research import AUDIT_ANCHORS
    from warehouse.ledger import audit

    days = platform.lake.days(AUDIT_ANCHORS)
    if not days:
        return []
    with platform.ledger.read() as tx:
        ledger_id = audit.ledger_id(tx)
    rows = platform.lake.window(AUDIT_ANCHORS, days[0], days[-1], columns=["ledger_id", "sequence", "hash"])
    return [Anchor(sequence, digest) for owner, sequence, digest in rows.iter_rows() if owner == ledger_id]


def _fields(report: ChainReport) -> dict[str, object]:
    return {
        "intact": report.intact,
        "records": report.records,
        "anchors": report.anchors,
        "head": {"sequence": report.head.sequence, "hash": report.head.hash},
        "problem": report.problem,
        "broken_at": report.broken_at,
    }
