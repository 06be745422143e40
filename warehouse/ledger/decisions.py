"""Decisions and risk verdicts: candidates fired, skipped and refused, with every check."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from trading.errors import BadData
from trading.ledger.accounting import rounded
from trading.model.canonical import canonical_json, digest
from trading.model.decision import Action, Check, Decision, Direction, Outcome, Verdict, VerdictKind
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction

_T = TypeVar("_T")

#: Columns that decisions did not have at first, with what they say of an old row: hashes of old rows stay good.
_LATER: Mapping[str, Any] = {"direction": "long", "stop_price": None, "take_profit_price": None}


def record(tx: Transaction, decisions: Iterable[Decision], recorded_at_ms: int) -> list[str]:
    """Store decisions that are not stored yet, with an audit record each; returns the new ids.

    A decision that is stored already stays as it is.
    """
    fresh = _unknown(tx, "decisions", {decision.decision_id: decision for decision in decisions})
    rows = [_decision_row(decision, recorded_at_ms) for decision in fresh.values()]
    _insert(tx, "decisions", rows)
    entries = [
        audit.Entry(
            "decision",
            row["decision_id"],
            {
                "desk": row["desk"],
                "strategy_id": row["strategy_id"],
                "symbol": row["symbol"],
                "action": row["action"],
                "outcome": row["outcome"],
                "reason_code": row["reason_code"],
                "snapshot_id": row["snapshot_id"],
                "content": content_hash(row),
            },
        )
        for row in rows
    ]
    audit.append_all(tx, entries, recorded_at_ms)
    return list(fresh)


def record_verdicts(tx: Transaction, verdicts: Iterable[Verdict], recorded_at_ms: int) -> list[str]:
    """Store risk verdicts that are not stored yet, with an audit record each; returns the new ids."""
    fresh = _unknown(tx, "risk_verdicts", {verdict.decision_id: verdict for verdict in verdicts})
    rows = [_verdict_row(verdict, recorded_at_ms) for verdict in fresh.values()]
    _insert(tx, "risk_verdicts", rows)
    entries = [
        audit.Entry(
            "verdict",
            row["decision_id"],
            {
                "kind": row["kind"],
                "reason_code": row["reason_code"],
                "quote_amount": row["quote_amount"],
                "content": content_hash(row),
            },
        )
        for row in rows
    ]
    audit.append_all(tx, entries, recorded_at_ms)
    return list(fresh)


def content_hash(row: Mapping[str, Any]) -> str:
    """Hash of a stored row, which the audit trail keeps: an edit of the row shows against it."""
    return digest(
        {
            name: value
            for name, value in row.items()
            if name != "recorded_at_ms" and not (name in _LATER and value == _LATER[name])
        }
    )


def load(tx: Transaction, decision_id: str) -> Decision | None:
    """One decision; None when there is none."""
    rows = tx.query("select * from decisions where decision_id = :id", {"id": decision_id})
    return _decision(rows[0]) if rows else None


def verdict(tx: Transaction, decision_id: str) -> Verdict | None:
    """The risk gate's verdict on a decision; None when it was never asked."""
    rows = tx.query("select * from risk_verdicts where decision_id = :id", {"id": decision_id})
    return _verdict(rows[0]) if rows else None


def for_tick(tx: Transaction, tick_id: str) -> list[Decision]:
    """Every decision of a tick, by desk, strategy and symbol."""
    rows = tx.query(
        "select * from decisions where tick_id = :tick_id order by desk, strategy_id, symbol, decision_id",
        {"tick_id": tick_id},
    )
    return [_decision(row) for row in rows]


def verdicts_for_tick(tx: Transaction, tick_id: str) -> dict[str, Verdict]:
    """The verdicts of a tick by decision id."""
    rows = tx.query(
        "select v.* from risk_verdicts v join decisions d on d.decision_id = v.decision_id"
        " where d.tick_id = :tick_id order by v.decision_id",
        {"tick_id": tick_id},
    )
    return {row["decision_id"]: _verdict(row) for row in rows}


def find(tx: Transaction, id_prefix: str) -> Decision | None:
    """The decision whose id starts so; None when there is none.

    Raises
    ------
    BadData
        If several do: the message says how many.
    """
    rows = tx.query(
        "select decision_id from decisions where starts_with(decision_id, :prefix)", {"prefix": id_prefix}
    )
    if len(rows) > 1:
        raise BadData(f"decision {id_prefix!r} is ambiguous: {len(rows)} ids start so; give more characters")
    return load(tx, rows[0]["decision_id"]) if rows else None


def latest_tick(tx: Transaction) -> str | None:
    """The tick with the newest decision bar; None in an empty ledger."""
    rows = tx.query(
        "select tick_id from decisions order by bar_close_ms desc, recorded_at_ms desc, tick_id limit 1"
    )
    return rows[0]["tick_id"] if rows else None


def _unknown(tx: Transaction, table: str, by_id: dict[str, _T]) -> dict[str, _T]:
    """Those whose id the table lacks. Writers take turns, so the answer holds until the commit."""
    if not by_id:
        return {}
    params = {f"id{index}": key for index, key in enumerate(by_id)}
    places = ", ".join(f":{name}" for name in params)
    known = tx.query(f"select decision_id from {table} where decision_id in ({places})", params)
    stored = {row["decision_id"] for row in known}
    return {key: item for key, item in by_id.items() if key not in stored}


def _insert(tx: Transaction, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        places = ", ".join(f":{name}" for name in names)
        tx.execute_many(f"insert into {table} ({', '.join(names)}) values ({places})", rows)


def _decision_row(decision: Decision, recorded_at_ms: int) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "tick_id": decision.tick_id,
        "snapshot_id": decision.snapshot_id,
        "desk": decision.desk,
        "strategy_id": decision.strategy_id,
        "symbol": decision.symbol,
        "action": decision.action.value,
        "outcome": decision.outcome.value,
        "reason_code": decision.reason_code,
        "bar_close_ms": decision.bar_close_ms,
        "quote_amount": rounded(decision.quote_amount),
        "reference_price": _known(decision.reference_price),
        "checks": _checks_json(decision.checks),
        "inputs": canonical_json(decision.inputs),
        "direction": decision.direction.value,
        "stop_price": _known(decision.stop_price),
        "take_profit_price": _known(decision.take_profit_price),
        "recorded_at_ms": recorded_at_ms,
    }


def _verdict_row(verdict: Verdict, recorded_at_ms: int) -> dict[str, Any]:
    return {
        "decision_id": verdict.decision_id,
        "kind": verdict.kind.value,
        "reason_code": verdict.reason_code,
        "quote_amount": rounded(verdict.quote_amount),
        "checks": _checks_json(verdict.checks),
        "recorded_at_ms": recorded_at_ms,
    }


def _checks_json(checks: tuple[Check, ...]) -> str:
    return canonical_json([asdict(check) for check in checks])


def _checks(text: str) -> tuple[Check, ...]:
    return tuple(Check(**check) for check in json.loads(text))


def _decision(row: dict[str, Any]) -> Decision:
    return Decision(
        decision_id=row["decision_id"],
        tick_id=row["tick_id"],
        snapshot_id=row["snapshot_id"],
        desk=row["desk"],
        strategy_id=row["strategy_id"],
        symbol=row["symbol"],
        action=Action(row["action"]),
        outcome=Outcome(row["outcome"]),
        reason_code=row["reason_code"],
        bar_close_ms=row["bar_close_ms"],
        quote_amount=row["quote_amount"],
        reference_price=_nan(row["reference_price"]),
        checks=_checks(row["checks"]),
        inputs=json.loads(row["inputs"]),
        direction=Direction(row["direction"]),
        stop_price=_nan(row["stop_price"]),
        take_profit_price=_nan(row["take_profit_price"]),
    )


def _known(price: float) -> float | None:
    return price if math.isfinite(price) else None


def _nan(price: float | None) -> float:
    return math.nan if price is None else price


def _verdict(row: dict[str, Any]) -> Verdict:
    return Verdict(
        decision_id=row["decision_id"],
        kind=VerdictKind(row["kind"]),
        reason_code=row["reason_code"],
        quote_amount=row["quote_amount"],
        checks=_checks(row["checks"]),
    )
