"""Open and resolved breaks between ledger and venue; a break is one row from the moment it is seen until it is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from trading.model.canonical import digest
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction

_BREAK = "kind, subject, symbol, severity, ours, theirs"
_COLUMNS = f"break_id, venue, account, {_BREAK}, opened_at_ms, told_at_ms, resolved_at_ms"
_OPEN = "resolved_at_ms is null"
#: Breaks about what is held, which a reconciliation may be unable to judge.
_OF_HOLDINGS = (BreakKind.POSITION, BreakKind.COIN, BreakKind.CASH)


@dataclass(frozen=True, slots=True)
class StoredBreak:
    """A break with where it is, and when it was seen first, told to people (None: not yet) and was over."""

    break_id: str
    venue: str
    account: str
    content: Break
    opened_at_ms: int
    told_at_ms: int | None
    resolved_at_ms: int | None


def update(
    tx: Transaction,
    venue: str,
    account: str,
    seen: Iterable[Break],
    at_ms: int,
    *,
    unjudged: Collection[str] = (),
) -> tuple[int, int]:
    """Open what is new, bring figures up to date and resolve what is gone; audits each change.

    Parameters
    ----------
    unjudged
        Symbols and currencies of which nothing can be said: breaks of what is held of them stay.

    Returns
    -------
    tuple
        How many were opened and resolved. The same again changes nothing.
    """
    known = {stored.content.key: stored for stored in open_breaks(tx, venue, account)}
    current = {item.key: item for item in seen}
    opened = resolved = 0
    for key, item in current.items():
        stored = known.get(key)
        if stored is None:
            _insert(tx, venue, account, item, at_ms)
            opened += 1
        elif stored.content != item:
            _change(tx, stored, item, at_ms)
    for key, stored in known.items():
        about_held = stored.content.kind in _OF_HOLDINGS and stored.content.subject in unjudged
        if key not in current and not about_held:
            _resolve(tx, stored, at_ms)
            resolved += 1
    return opened, resolved


def open_breaks(tx: Transaction, venue: str | None = None, account: str | None = None) -> list[StoredBreak]:
    """Breaks that are not over, of one account or of all, oldest first."""
    rows = tx.query(f"select {_COLUMNS} from breaks where {_OPEN} order by opened_at_ms, break_id")
    found = [_stored(row) for row in rows]
    return [item for item in found if venue is None or (item.venue, item.account) == (venue, account)]


def blocking(tx: Transaction) -> tuple[tuple[str, ...], int]:
    """Symbols in which open breaks forbid new risk, one for each break, and how many forbid all of it."""
    rows = tx.query(
        f"select symbol from breaks where {_OPEN} and severity = 'blocks' order by symbol, break_id"
    )
    symbols = tuple(row["symbol"] for row in rows if row["symbol"])
    return symbols, len(rows) - len(symbols)


def mark_told(tx: Transaction, break_ids: Iterable[str], at_ms: int) -> None:
    """Note that people have been told of breaks."""
    for break_id in break_ids:
        tx.execute(
            "update breaks set told_at_ms = :at_ms where break_id = :id", {"at_ms": at_ms, "id": break_id}
        )


def _insert(tx: Transaction, venue: str, account: str, item: Break, at_ms: int) -> None:
    row = {**asdict(item), "venue": venue, "account": account, "opened_at_ms": at_ms}
    # A break that comes, goes and comes back within a millisecond is the third one of that name.
    count = tx.query(
        "select count(*) as found from breaks where venue = :venue and account = :account and kind = :kind"
        " and subject = :subject",
        row,
    )[0]["found"]
    row["break_id"] = digest("break", venue, account, item.kind, item.subject, at_ms, count)[:32]
    tx.execute(
        f"insert into breaks (break_id, venue, account, {_BREAK}, opened_at_ms) values (:break_id, :venue,"
        " :account, :kind, :subject, :symbol, :severity, :ours, :theirs, :opened_at_ms)",
        row,
    )
    audit.append(
        tx, "break_opened", row["break_id"], {**asdict(item), "venue": venue, "account": account}, at_ms
    )


def _change(tx: Transaction, stored: StoredBreak, item: Break, at_ms: int) -> None:
    tx.execute(
        "update breaks set symbol = :symbol, severity = :severity, ours = :ours, theirs = :theirs"
        " where break_id = :break_id",
        {**asdict(item), "break_id": stored.break_id},
    )
    audit.append(tx, "break_changed", stored.break_id, asdict(item), at_ms)


def _resolve(tx: Transaction, stored: StoredBreak, at_ms: int) -> None:
    tx.execute(
        "update breaks set resolved_at_ms = :at_ms where break_id = :id",
        {"at_ms": at_ms, "id": stored.break_id},
    )
    audit.append(tx, "break_resolved", stored.break_id, asdict(stored.content), at_ms)


def _stored(row: dict[str, Any]) -> StoredBreak:
    content = Break(
        BreakKind(row["kind"]),
        row["subject"],
        row["symbol"],
        BreakSeverity(row["severity"]),
        row["ours"],
        row["theirs"],
    )
    times = {name: row[name] for name in ("opened_at_ms", "told_at_ms", "resolved_at_ms")}
    return StoredBreak(row["break_id"], row["venue"], row["account"], content, **times)
