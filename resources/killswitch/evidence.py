"""What happened while the ledger was away is brought into it: the guard's journal, and halts by file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trading.errors import TradingError
from trading.ledger.chain import AuditRecord
from trading.model.snapshot import Controls
from warehouse.flags import kill_flag
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.journal import read_journal
from warehouse.ledger import audit, controls
from warehouse.ledger.audit import Entry
from warehouse.ledger.backend import Ledger, Transaction

#: Kind of the audit records that carry the guard's.
CARRIED = "guard"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a catching-up changed.

    Attributes
    ----------
    controls
        The ledger's, as they are now.
    carried
        Records of the guard's journal that came into the audit trail.
    problem
        Why the journal could not be read; empty when it could.
    """

    controls: Controls
    carried: int = 0
    problem: str = ""


def catch_up(ledger: Ledger, folder: Path, now_ms: int) -> CaughtUp:
    """Bring the ledger up to the files of the kill chain; a second time changes nothing.

    A halt that only the file or only the ledger knows is brought to the other: while they differ, halted
    wins. The ledger is written to only when there is something to write.

    Raises
    ------
    RetryLater
        If the ledger is busy or out of reach; the files keep what there is to know.
    """
    flag = kill_flag.read(folder)
    records, problem = _journal(folder)
    with ledger.read() as tx:
        current = controls.current(tx)
        behind = bool(_uncarried(tx, records))
    carried = 0
    if behind or (flag.halted and not current.halted):
        with ledger.transaction() as tx:
            if flag.halted:
                by = flag.by or "unreadable flag"
                current = controls.halt(tx, flag.reason, by, flag.changed_at_ms or now_ms)
            carried = _carry(tx, records, now_ms)
    if current.halted and not flag.halted and current.changed_at_ms > flag.changed_at_ms:
        kill_flag.halt(folder, current.reason, "the ledger", current.changed_at_ms)
    return CaughtUp(current, carried, problem)


def _journal(folder: Path) -> tuple[list[AuditRecord], str]:
    try:
        return read_journal(folder / JOURNAL_FILE), ""
    except (OSError, TradingError) as error:
        return [], str(error)


def _uncarried(tx: Transaction, records: Sequence[AuditRecord]) -> Sequence[AuditRecord]:
    """The records that the audit trail lacks: those after the ones that it has."""
    if not records:
        return ()
    known = tx.query(
        "select count(*) as n from audit where kind = :kind and subject = :subject",
        {"kind": CARRIED, "subject": records[0].subject},
    )
    return records[int(known[0]["n"]) :]


def _carry(tx: Transaction, records: Sequence[AuditRecord], now_ms: int) -> int:
    entries = [
        Entry(
            CARRIED,
            records[0].subject,
            {
                "sequence": record.sequence,
                "kind": record.kind,
                "subject": record.subject,
                "payload": record.payload,
                "at_ms": record.at_ms,
                "hash": record.hash,
            },
        )
        for record in _uncarried(tx, records)
    ]
    audit.append_all(tx, entries, now_ms)
    return len(entries)
