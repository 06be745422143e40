"""A ledger with its tables, on both backends."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres_server import postgres_url
from warehouse.ledger.backend import Ledger, open_ledger

__all__ = ["postgres_url"]


@pytest.fixture(params=["duckdb", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A fresh migrated ledger: a new file, or a new schema of a real server."""
    url = f"duckdb:///{tmp_path}/ledger.duckdb"
    if request.param == "postgres":
        base = request.getfixturevalue("postgres_url")
        schema = f"paper_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"create schema {schema}")
        url = f"{base}?options=-csearch_path%3D{schema}"
    opened = open_ledger(url, lock_timeout_seconds=20)
    opened.migrate()
    yield opened
    opened.close()
