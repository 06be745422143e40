"""Numbered migrations: each is applied in one transaction together with its record."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from trading.errors import FixConfiguration, HaltTrading
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.sql import statements

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the tables' history: a number, a name and portable SQL."""

    version: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the script, line ends normalised."""
        return hashlib.sha256(self.script.replace("\r\n", "\n").encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """The migrations of this code, ascending by version."""
    found = []
    for entry in files("warehouse.ledger").joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def migrate(ledger: Ledger, migrations: Sequence[Migration] | None = None) -> list[int]:
    """Apply what is missing, one transaction per migration, and return the versions applied.

    A migration that fails leaves nothing of itself behind. Processes that migrate at the same
    time take turns: each sees what the others applied.

    Raises
    ------
    FixConfiguration
        If the ledger is newer than this code.
    HaltTrading
        If a migration that was applied differs from the one of this code.
    """
    wanted = shipped_migrations() if migrations is None else list(migrations)
    applied = []
    for migration in wanted:
        with ledger.transaction() as tx:
            if _apply(tx, migration, wanted, ledger.place):
                applied.append(migration.version)
    return applied


def applied_versions(tx: Transaction) -> list[int]:
    """Versions recorded in the ledger, ascending; empty for a ledger that was never migrated."""
    if not _has_record(tx):
        return []
    return [row["version"] for row in tx.query("select version from schema_migrations order by version")]


def _has_record(tx: Transaction) -> bool:
    return bool(
        tx.query(
            "select 1 as present from information_schema.tables"
            " where table_name = 'schema_migrations' and table_schema = current_schema()"
        )
    )


def _apply(tx: Transaction, migration: Migration, wanted: Sequence[Migration], place: str) -> bool:
    if not _has_record(tx):
        tx.execute(
            "create table schema_migrations (version integer primary key, name text not null,"
            " checksum text not null, applied_at_ms bigint not null)"
        )
    recorded = {
        row["version"]: row for row in tx.query("select version, name, checksum from schema_migrations")
    }
    newest = max(step.version for step in wanted)
    if recorded and max(recorded) > newest:
        raise FixConfiguration(
            f"ledger {place} has migration {max(recorded)} but this code knows only {newest}: "
            "the ledger was written by newer code; upgrade Tidemill"
        )
    if (known := recorded.get(migration.version)) is not None:
        if known["checksum"] != migration.checksum:
            raise HaltTrading(
                f"ledger {place}: migration {migration.version} ({known['name']}) was applied with checksum "
                f"{known['checksum'][:12]} but the code has {migration.checksum[:12]}: an applied migration "
                "never changes; restore the file and put the change in a new number"
            )
        return False
    now_ms = time.time_ns() // 1_000_000
    for statement in statements(migration.script):
        tx.execute(statement)
    tx.execute(
        "insert into schema_migrations (version, name, checksum, applied_at_ms)"
        " values (:version, :name, :checksum, :at_ms)",
        {
            "version": migration.version,
            "name": migration.name,
            "checksum": migration.checksum,
            "at_ms": now_ms,
        },
    )
    if not recorded:
        tx.execute(
            "insert into ledger_identity (ledger_id, created_at_ms) values (:ledger_id, :at_ms)",
            {"ledger_id": uuid.uuid4().hex, "at_ms": now_ms},
        )
    return True
