"""A DuckDB ledger that stays open, for tests that make thousands of transactions in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from warehouse.ledger.duckdb_backend import DuckDBLedger


class OpenDuckDB(DuckDBLedger):
    """The real tables and the real SQL, in memory; only opening and closing the file is left out."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere/ledger.duckdb"), 1.0)
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("pragma disable_optimizer")  # half of the time of small statements

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if getattr(self._inside, "transaction", False):
            raise RuntimeError("ledger transactions do not nest: pass the open transaction on")
        self._inside.transaction = True
        try:
            yield self._connection
        finally:
            with suppress(duckdb.TransactionException):  # committed already
                self._connection.execute("rollback")
            self._inside.transaction = False

    def close(self) -> None:
        """Does nothing: whatever starts a process closes all ledgers first, and this one would forget all."""

    def forget(self) -> None:
        self._connection.close()
