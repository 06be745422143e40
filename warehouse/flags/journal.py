"""An append-only journal on this machine: hash-chained lines, each durable before the next step.

It has the audit trail's chain (`trading.ledger.chain`), so that it can be verified alone and carried into
the ledger later.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import weakref
from pathlib import Path
from typing import Any

from trading.errors import BadData
from trading.ledger.chain import GENESIS, Anchor, AuditRecord, ChainReport, seal, verify
from trading.model.canonical import canonical_json
from warehouse.flags.files import sync_folder

#: Kind of the record that every journal begins with; its subject is the journal's id.
OPENED = "journal_opened"


class Journal:
    """The journal in a file, for one writer.

    A last line that a crash cut short is cut off, and said in a record. A file that does not verify is moved
    aside, and a new journal says so: whoever writes here must be able to go on.

    Raises
    ------
    OSError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path, at_ms: int) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self.records: list[AuditRecord] = []
        moved = ""
        try:
            self.records = parsed(whole)
        except BadData as error:
            aside = path.with_name(f"{path.name}.broken-{at_ms}")
            os.replace(path, aside)
            content = whole = b""
            moved = f"{error}; moved to {aside.name}"
        # Without a buffer, so that a failed write leaves no rest.
        self._file = path.open("ab", buffering=0)
        weakref.finalize(self, self._file.close)
        self._size = len(whole)
        self._file.truncate(self._size)
        sync_folder(path.parent)
        if not self.records:
            self.append(OPENED, secrets.token_hex(16), {"broken": moved}, at_ms)
        elif len(whole) < len(content):
            self.append("torn_tail", self.journal_id, {"bytes": len(content) - len(whole)}, at_ms)

    @property
    def journal_id(self) -> str:
        """Identity of the journal, in its first record."""
        return self.records[0].subject

    def append(self, kind: str, subject: str, payload: Any, at_ms: int) -> AuditRecord:
        """Seal a record and make it durable; after an `OSError` the journal is as it was before."""
        record = seal(_head(self.records), at_ms, kind, subject, canonical_json(payload))
        text = canonical_json(dataclasses.asdict(record)).encode() + b"\n"
        self._file.truncate(self._size)  # what a write that failed before may have left
        if self._file.write(text) != len(text):
            raise OSError(f"{self._path}: only a part of a record could be written; free some space")
        os.fsync(self._file.fileno())
        self._size += len(text)
        self.records.append(record)
        return record

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_journal(path: Path) -> list[AuditRecord]:
    """The records of a journal, verified; a last line still being written is left out. None: an empty list.

    Raises
    ------
    BadData
        If the chain is broken.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    return parsed(content[: content.rfind(b"\n") + 1])


def parsed(content: bytes) -> list[AuditRecord]:
    """Records of a journal's text.

    Raises
    ------
    BadData
        If a line is no record, or the chain is broken.
    """
    try:
        records = [AuditRecord(**json.loads(line)) for line in content.splitlines()]
    except (ValueError, TypeError) as error:
        raise BadData(f"journal: a line is no record ({error})") from error
    report = report_of(records)
    if not report.intact:
        raise BadData(f"journal: {report.problem}")
    return records


def report_of(records: list[AuditRecord]) -> ChainReport:
    """Verify records against each other."""
    return verify(records, _head(records))


def _head(records: list[AuditRecord]) -> Anchor:
    return Anchor(records[-1].sequence, records[-1].hash) if records else Anchor(0, GENESIS)
