"""Ledgers on both backends, fresh for every test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres_server import postgres_url  # noqa: F401
from warehouse.ledger.backend import Ledger, open_ledger


@pytest.fixture(params=["duckdb", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh, empty ledger may be made: a new file, or a new schema of a real server."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path}/ledger.duckdb"
    url = request.getfixturevalue("postgres_url")
    schema = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    return f"{url}?options=-csearch_path%3D{schema}"


@pytest.fixture
def empty_ledger(ledger_url: str) -> Iterator[Ledger]:
    """A ledger without tables."""
    ledger = open_ledger(ledger_url, lock_timeout_seconds=20)
    yield ledger
    ledger.close()


@pytest.fixture
def ledger(empty_ledger: Ledger) -> Ledger:
    """A ledger with all its tables, on DuckDB and on Postgres in turn."""
    empty_ledger.migrate()
    return empty_ledger
