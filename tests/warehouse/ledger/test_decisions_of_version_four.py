"""Decisions that the release before shorts wrote stay what they were, and the audit trail still proves them."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from ledger_samples import T0, decision, verdict

from trading.ledger.accounting import rounded
from trading.model.canonical import canonical_json, digest
from trading.model.decision import Decision, Direction
from warehouse.ledger import audit, decisions
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.migrate import migrate, shipped_migrations

WRITTEN = [decision(number) for number in range(1, 5)]
_PLAIN = (
    *("decision_id", "tick_id", "snapshot_id", "desk", "strategy_id", "symbol"),
    *("action", "outcome", "reason_code", "bar_close_ms"),
)


def row_of_version_four(made: Decision) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(made, name) for name in _PLAIN}
    return row | {
        "quote_amount": rounded(made.quote_amount),
        "reference_price": made.reference_price if math.isfinite(made.reference_price) else None,
        "checks": canonical_json([asdict(check) for check in made.checks]),
        "inputs": canonical_json(made.inputs),
        "recorded_at_ms": T0,
    }


def write_as_version_four(tx: Transaction) -> dict[str, str]:
    """Rows and audit records as they were written then; returns the content hashes by decision."""
    rows = [row_of_version_four(made) for made in WRITTEN]
    names = list(rows[0])
    places = ", ".join(f":{name}" for name in names)
    tx.execute_many(f"insert into decisions ({', '.join(names)}) values ({places})", rows)
    hashes = {}
    for row in rows:
        content = digest({name: value for name, value in row.items() if name != "recorded_at_ms"})
        hashes[str(row["decision_id"])] = content
        audit.append(tx, "decision", str(row["decision_id"]), {"desk": row["desk"], "content": content}, T0)
    return hashes


def test_old_decisions_are_carried_over_and_the_audit_still_proves_them(empty_ledger: Ledger) -> None:
    assert migrate(empty_ledger, shipped_migrations()[:4]) == [1, 2, 3, 4]
    with empty_ledger.transaction() as tx:
        hashes = write_as_version_four(tx)
    before = audit.verify(empty_ledger)
    assert 5 in empty_ledger.migrate()
    report = audit.verify(empty_ledger)
    assert (report.problem, report.records) == (before.problem, before.records)
    assert report.records == len(WRITTEN)
    with empty_ledger.read() as tx:
        rows = tx.query("select * from decisions")
        assert {row["decision_id"]: decisions.content_hash(row) for row in rows} == hashes
        for made in WRITTEN:
            found = decisions.load(tx, made.decision_id)
            assert found is not None
            assert found == made
            assert found.direction is Direction.LONG
            assert math.isnan(found.stop_price)
            assert math.isnan(found.take_profit_price)


def test_new_decisions_go_beside_them_and_an_edit_of_what_is_new_shows(empty_ledger: Ledger) -> None:
    migrate(empty_ledger, shipped_migrations()[:4])
    with empty_ledger.transaction() as tx:
        write_as_version_four(tx)
    empty_ledger.migrate()
    short = replace(decision(9), direction=Direction.SHORT, stop_price=1.5, take_profit_price=1.0)
    with empty_ledger.transaction() as tx:
        assert decisions.record(tx, [*WRITTEN, short], T0 + 1) == [short.decision_id]
        decisions.record_verdicts(tx, [verdict(9)], T0 + 1)
    with empty_ledger.read() as tx:
        assert decisions.load(tx, short.decision_id) == short
        (row,) = tx.query("select * from decisions where decision_id = :id", {"id": short.decision_id})
    changes = {"direction": "long", "stop_price": None, "take_profit_price": 1.1}
    edited = {decisions.content_hash(row | {name: value}) for name, value in changes.items()}
    assert len(edited | {decisions.content_hash(row)}) == 4
    assert audit.verify(empty_ledger).problem == ""
