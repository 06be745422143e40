from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trading.errors import BadData, FixConfiguration, HaltTrading
from warehouse.ledger.backend import Ledger
from warehouse.ledger.digest import tables
from warehouse.ledger.migrate import Migration, applied_versions, migrate, shipped_migrations

ROOT = Path(__file__).resolve().parents[3]
NEWEST = shipped_migrations()[-1].version


def test_numbers_are_gapless() -> None:
    assert [step.version for step in shipped_migrations()] == list(range(1, NEWEST + 1))


def test_migrating_twice_applies_once(empty_ledger: Ledger) -> None:
    with empty_ledger.read() as tx:
        assert applied_versions(tx) == []
    assert empty_ledger.migrate() == list(range(1, NEWEST + 1))
    assert empty_ledger.migrate() == []
    with empty_ledger.read() as tx:
        assert applied_versions(tx) == list(range(1, NEWEST + 1))
        assert len(tx.query("select * from ledger_identity")) == 1
        record = tx.query("select * from schema_migrations where version = 1")[0]
    assert record["checksum"] == shipped_migrations()[0].checksum
    assert record["applied_at_ms"] > 1_700_000_000_000


def test_a_migration_that_fails_half_way_leaves_nothing(ledger: Ledger) -> None:
    failing = Migration(
        NEWEST + 1,
        "fails",
        "create table half (id bigint);\n-- a comment; with a semicolon\n"
        "alter table controls add column extra text;\n"
        "insert into ledger_identity select ledger_id, 0 from ledger_identity;",
    )
    steps = [*shipped_migrations(), failing]
    with ledger.read() as tx:
        before = tables(tx)
    with pytest.raises(BadData):
        migrate(ledger, steps)
    with ledger.read() as tx:
        assert tables(tx) == before
        assert applied_versions(tx) == [step.version for step in shipped_migrations()]
        columns = tx.query(
            "select column_name from information_schema.columns"
            " where table_schema = current_schema() and table_name = 'controls'"
        )
    assert "extra" not in {row["column_name"] for row in columns}
    repaired = Migration(NEWEST + 1, "fails", "create table half (id bigint);")
    assert migrate(ledger, [*shipped_migrations(), repaired]) == [NEWEST + 1]


def test_a_first_migration_that_fails_leaves_an_empty_ledger(empty_ledger: Ledger) -> None:
    broken = Migration(1, "broken", "create table x (id bigint primary key); insert into x values (1), (1);")
    with pytest.raises(BadData):
        migrate(empty_ledger, [broken])
    with empty_ledger.read() as tx:
        assert tables(tx) == []


def test_a_newer_ledger_is_refused(ledger: Ledger) -> None:
    migrate(
        ledger, [*shipped_migrations(), Migration(NEWEST + 1, "later", "create table later (id bigint);")]
    )
    with pytest.raises(FixConfiguration, match=rf"migration {NEWEST + 1} but this code knows only {NEWEST}"):
        ledger.migrate()


def test_a_changed_migration_is_refused(ledger: Ledger) -> None:
    first = shipped_migrations()[0]
    edited = Migration(1, first.name, first.script + "\n-- edited")
    with pytest.raises(HaltTrading, match="migration 1 .* never changes"):
        migrate(ledger, [edited, *shipped_migrations()[1:]])
    crlf = Migration(1, first.name, first.script.replace("\n", "\r\n"))
    assert migrate(ledger, [crlf, *shipped_migrations()[1:]]) == []


def test_four_processes_migrate_at_once(empty_ledger: Ledger, ledger_url: str) -> None:
    code = "import sys; from warehouse.ledger.backend import open_ledger as o; l = o(sys.argv[1]); print(l.migrate())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, ledger_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [json.loads(process.communicate()[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes)
    # One transaction per migration: they may take turns, but each number is applied once.
    assert sorted(number for numbers in said for number in numbers) == list(range(1, NEWEST + 1))
    with empty_ledger.read() as tx:
        assert len(tx.query("select * from ledger_identity")) == 1


def test_every_table_is_documented(ledger: Ledger) -> None:
    page = (ROOT / "docs/ledger.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    with ledger.read() as tx:
        assert documented == set(tables(tx))
