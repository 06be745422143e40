"""Postgres: a pool of connections, and one writer at a time by an advisory lock, as on DuckDB."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from trading.errors import BadData, FixConfiguration, RetryLater, UnknownOutcome
from warehouse.ledger.sql import Dialect, bind, translate

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[dict[str, Any]]

# Scoped to the database (by the server) and to the schema (by us): one writer per ledger.
_TAKE_TURN = "select pg_advisory_xact_lock(hashtext('tidemill.ledger'), hashtext(current_schema()))"

# SQLSTATE classes with which the server refuses a commit and says so: integrity, rollback, resources.
_COMMIT_REFUSED = ("23", "40", "53", "55")


class PostgresTransaction:
    """A transaction on an open Postgres connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Run one statement and return the rows it changed."""
        cursor = self._run(sql, params)
        return max(cursor.rowcount, 0) if cursor.description is None else 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name."""
        return self._run(sql, params).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement once per row."""
        text, names = translate(sql, "postgres")
        with self._errors():
            self._connection.cursor().executemany(text.encode(), [bind(names, row) for row in rows])

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> psycopg.Cursor[dict[str, Any]]:
        text, names = translate(sql, "postgres")
        with self._errors():
            return self._connection.execute(text.encode(), bind(names, params))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            raise BadData(f"the ledger refused the write: {error}") from error


class PostgresLedger:
    """A ledger in one schema of a Postgres database (the first of the connection's search path).

    Parameters
    ----------
    url
        A libpq connection URL.
    lock_timeout_seconds
        Longest wait for a connection and for another writer.
    """

    dialect: Dialect = "postgres"

    def __init__(self, url: str, lock_timeout_seconds: float) -> None:
        try:
            parts = conninfo_to_dict(url)
        except psycopg.Error:
            # The driver's message quotes the part that it could not read, which may be the password.
            raise FixConfiguration(
                "ledger url is not a valid Postgres URL: write postgresql://user:password@host:port/database "
                "and percent-encode special characters in the password"
            ) from None
        self._url = url
        self._place = (
            f"postgresql://{parts.get('host', '')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        )
        self._timeout = lock_timeout_seconds
        self._guard = threading.Lock()
        self._connections: ConnectionPool[Connection] | None = None
        self._inside = threading.local()

    @property
    def place(self) -> str:
        """Host, port and database."""
        return self._place

    def migrate(self) -> list[int]:
        """Bring the tables up to this code's version."""
        from warehouse.ledger.migrate import migrate

        return migrate(self)

    def close(self) -> None:
        """Close the pool's connections; a later transaction opens them anew."""
        with self._guard:
            if self._connections is not None:
                self._connections.close()
                self._connections = None

    @contextmanager
    def lingering(self, seconds: float) -> Iterator[None]:
        """See `warehouse.ledger.backend.Ledger`; the pool keeps its connections anyway."""
        yield

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Open a write transaction; see `warehouse.ledger.backend.Ledger`."""
        with self._connected("begin isolation level read committed") as connection:
            with self._lost():
                connection.execute(_TAKE_TURN)
                yield PostgresTransaction(connection)
            self._commit(connection)

    @contextmanager
    def read(self) -> Iterator[PostgresTransaction]:
        """Open a read-only transaction; see `warehouse.ledger.backend.Ledger`."""
        with self._connected("begin isolation level repeatable read read only") as connection, self._lost():
            yield PostgresTransaction(connection)

    @contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise RetryLater(
                f"ledger {self._place} is in use by another writer: waited {self._timeout:g} s; "
                "try again, or raise lock_timeout_seconds"
            ) from error
        except psycopg.OperationalError as error:
            raise RetryLater(
                f"ledger {self._place} failed before the commit, nothing happened: {error}"
            ) from error

    def _commit(self, connection: Connection) -> None:
        try:
            status = connection.execute("commit").statusmessage
        except psycopg.IntegrityError as error:
            raise BadData(f"the ledger refused the write: {error}") from error
        except psycopg.Error as error:
            if (error.sqlstate or "").startswith(_COMMIT_REFUSED):
                raise RetryLater(
                    f"ledger {self._place} refused the commit, nothing happened: {error}"
                ) from error
            raise UnknownOutcome(
                f"ledger {self._place}: the connection failed during the commit: {error}"
            ) from error
        if status != "COMMIT":
            raise BadData("a statement failed and its error was swallowed: all rolled back")

    @contextmanager
    def _connected(self, begin: str) -> Iterator[Connection]:
        from psycopg_pool import PoolTimeout

        if getattr(self._inside, "transaction", False):
            raise RuntimeError("ledger transactions do not nest: pass the open transaction on")
        pool = self._pool()
        try:
            connection = pool.getconn(self._timeout)
        except PoolTimeout as error:
            raise RetryLater(f"ledger {self._place} gave no connection within {self._timeout:g} s") from error
        self._inside.transaction = True
        try:
            with self._lost():
                connection.execute(begin)
            yield connection
        finally:
            self._inside.transaction = False
            with suppress(psycopg.Error):
                connection.rollback()
            pool.putconn(connection)

    def _pool(self) -> ConnectionPool[Connection]:
        from psycopg_pool import ConnectionPool

        with self._guard:
            if self._connections is None:
                self._probe()
                self._connections = ConnectionPool(
                    self._url,
                    connection_class=Connection,
                    kwargs={"autocommit": True, "row_factory": dict_row},
                    min_size=0,
                    max_size=4,
                    num_workers=1,
                    configure=self._configure,
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            return self._connections

    def _probe(self) -> None:
        """Connect once by hand: the pool would retry in silence and never say what is wrong."""
        try:
            psycopg.connect(self._url, connect_timeout=max(2, int(self._timeout))).close()
        except psycopg.OperationalError as error:
            text = str(error)
            if "authentication failed" in text or "does not exist" in text:
                raise FixConfiguration(
                    f"ledger {self._place} refuses us: {text}; correct the ledger url"
                ) from error
            raise RetryLater(f"ledger {self._place} cannot be reached: {text}") from error

    def _configure(self, connection: Connection) -> None:
        milliseconds = str(int(self._timeout * 1000))
        connection.execute("select set_config('lock_timeout', %s, false)", (milliseconds,))
        # A writer that vanished without closing its connection must not keep the others out for ever.
        connection.execute("select set_config('idle_in_transaction_session_timeout', '300s', false)")
