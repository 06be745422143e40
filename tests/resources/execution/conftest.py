"""A ledger for the desk of `protected_desk`: migrated once a module, emptied for every test."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from fault_world import wipe
from open_duckdb import OpenDuckDB

from tests.trading_scenario import CLOSE_MS
from warehouse.ledger import portfolio
from warehouse.ledger.backend import Ledger


@pytest.fixture(scope="module")
def open_duckdb() -> Iterator[Ledger]:
    opened = OpenDuckDB()
    opened.migrate()
    yield opened
    opened.forget()


@pytest.fixture
def ledger(open_duckdb: Ledger) -> Ledger:
    wipe(open_duckdb)
    with open_duckdb.transaction() as tx:
        portfolio.deposit(tx, "start", Decimal(100_000), "USDT", CLOSE_MS)
    return open_duckdb
