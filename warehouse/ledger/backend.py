"""The ledger: transactional tables with the same SQL on DuckDB and Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from trading.errors import FixConfiguration
from warehouse.ledger.sql import Dialect


class Transaction(Protocol):
    """One open transaction. SQL names its parameters as ``:name`` on every backend.

    A statement that breaks a constraint raises `BadData`; whoever opened the transaction lets the
    error pass, so that everything rolls back.
    """

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Run one statement and return how many rows it inserted, updated or deleted."""
        ...

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name; DECIMAL columns are Decimals."""
        ...

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement once per row."""
        ...


class Ledger(Protocol):
    """A ledger that hands out transactions, one writer at a time.

    Everything inside ``with ledger.transaction() as tx`` commits together when the block ends, and
    rolls back together when it raises. Write transactions are serial on both backends: what one
    reads, nobody changes before it commits. Transactions do not nest.
    """

    @property
    def dialect(self) -> Dialect:
        """Which SQL the backend speaks where the two differ."""
        ...

    @property
    def place(self) -> str:
        """Where the ledger is, for messages: never contains a password."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction.

        Raises
        ------
        RetryLater
            If the ledger is busy beyond the bounded wait or out of reach; nothing happened.
        UnknownOutcome
            If the connection failed during the commit.
        """
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a read-only transaction on one consistent state; writing in it raises."""
        ...

    def migrate(self) -> list[int]:
        """Bring the tables up to this code's version; returns the versions applied now."""
        ...

    def lingering(self, seconds: float) -> AbstractContextManager[None]:
        """Keep what is costly to open for so long after a transaction, unless another process waits."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def open_ledger(url: str, *, lock_timeout_seconds: float = 30.0) -> Ledger:
    """Open a ledger without touching it: the first transaction connects.

    Parameters
    ----------
    url
        ``duckdb:///relative/path``, ``duckdb:////absolute/path`` or
        ``postgresql://user:password@host:port/database``.
    lock_timeout_seconds
        How long a transaction waits for its turn before it raises `RetryLater`.

    Raises
    ------
    FixConfiguration
        If the URL names no supported backend. The message never repeats the URL's password.
    """
    if lock_timeout_seconds <= 0:
        raise FixConfiguration(f"lock_timeout_seconds is {lock_timeout_seconds}: it must be greater than 0")
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "duckdb":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or not path or path.endswith("/") or path == ":memory:":
            raise FixConfiguration(
                f"ledger url {url!r} names no file: write duckdb:///var/ledger.duckdb (relative) "
                "or duckdb:////srv/ledger.duckdb (absolute)"
            )
        from warehouse.ledger.duckdb_backend import DuckDBLedger

        return DuckDBLedger(Path(path), lock_timeout_seconds)
    if separator and scheme in ("postgresql", "postgres"):
        from warehouse.ledger.postgres_backend import PostgresLedger

        return PostgresLedger(url, lock_timeout_seconds)
    shown = scheme if separator else "(no scheme)"
    raise FixConfiguration(
        f"ledger url has scheme {shown!r}: use duckdb:///path or postgresql://host/database"
    )
