"""DuckDB: open–transact–close under a cross-process file lock, because one process at a time may open the file.

Starting DuckDB costs eight times as much as opening a file in it, so each process starts it once, empty and in
memory, and attaches the file for the length of a transaction.
"""

from __future__ import annotations

import atexit
import os
import random
import re
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from trading.errors import BadData, FixConfiguration, RetryLater, UnknownOutcome
from warehouse.ledger.sql import Dialect, bind, translate

# One thread opens fastest, and no Python variable may stand in for a table name.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "python_enable_replacements": False}

# DuckDB plans every statement anew: many rows a statement are several times faster than one.
_ROWS_PER_INSERT = 64
_ITEM = r"\s*(?::\w+|\d+|null|'\w*')\s*"
_INSERT = re.compile(
    rf"(?P<head>\s*insert\s+into\s[^:']*?values\s*)(?P<row>\({_ITEM}(?:,{_ITEM})*\))(?P<tail>[^:']*)",
    re.IGNORECASE,
)
_ALIAS = "ledger"
# A DuckDB keeps some kilobytes of every file that it has attached; a new one begins without them.
_USES_PER_START = 100
_PLACEHOLDER = re.compile(r":(\w+)")


class DuckDBTransaction:
    """A transaction on an open DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.refused = False

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Run one statement and return the rows it changed."""
        cursor = self._run(sql, params)
        shape = [(column[0], str(column[1])) for column in cursor.description or []]
        rows = cursor.fetchall()
        return int(rows[0][0]) if shape == [("Count", "BIGINT")] and rows else 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name."""
        cursor = self._run(sql, params)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement once per row; a plain ``insert … values`` takes many rows at once."""
        insert = _INSERT.fullmatch(sql)
        if insert is None:
            for row in rows:
                self._run(sql, row)
            return
        pending = iter(rows)
        while chunk := list(islice(pending, _ROWS_PER_INSERT)):
            places = (_PLACEHOLDER.sub(rf":\1_{index}", insert["row"]) for index in range(len(chunk)))
            params = {
                f"{name}_{index}": value for index, row in enumerate(chunk) for name, value in row.items()
            }
            self._run(f"{insert['head']}{', '.join(places)}{insert['tail']}", params)

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> duckdb.DuckDBPyConnection:
        text, names = translate(sql, "duckdb")
        try:
            return self._connection.execute(text, bind(names, params))
        except (duckdb.IntegrityError, duckdb.DataError) as error:
            self.refused = True
            raise BadData(f"the ledger refused the write: {error}") from error


class DuckDBLedger:
    """A ledger in one DuckDB file, guarded by ``<file>.lock``.

    Parameters
    ----------
    path
        The database file; its folder is created when missing.
    lock_timeout_seconds
        Longest wait for the lock, and for a foreign process that has the file open.
    """

    dialect: Dialect = "duckdb"

    def __init__(self, path: Path, lock_timeout_seconds: float) -> None:
        self._path = path = path.absolute()
        self._timeout = lock_timeout_seconds
        # The system drops an flock with its process, so a killed holder leaves only an unlocked file.
        self._lock = FileLock(f"{path}.lock")
        self._holder = Path(f"{path}.lock.holder")
        self._inside = threading.local()
        self._started: duckdb.DuckDBPyConnection | None = None
        self._uses = 0
        _LEDGERS.add(self)

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def migrate(self) -> list[int]:
        """Bring the tables up to this code's version."""
        from warehouse.ledger.migrate import migrate

        return migrate(self)

    def close(self) -> None:
        """Stop DuckDB; the file is open only inside a transaction."""
        if self._started is not None:
            self._started.close()
            self._started = None
            self._uses = 0

    @contextmanager
    def transaction(self) -> Iterator[DuckDBTransaction]:
        """Open a write transaction; see `warehouse.ledger.backend.Ledger`."""
        with self._connected() as connection:
            connection.execute("begin transaction")
            transaction = DuckDBTransaction(connection)
            yield transaction
            if transaction.refused:
                # DuckDB would commit the rest; Postgres would not, and half a transaction is no transaction.
                raise BadData("a statement failed and its error was swallowed: all rolled back")
            self._commit(connection)

    @contextmanager
    def read(self) -> Iterator[DuckDBTransaction]:
        """Open a read-only transaction; see `warehouse.ledger.backend.Ledger`."""
        with self._connected() as connection:
            connection.execute("begin transaction read only")
            yield DuckDBTransaction(connection)

    def _commit(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("commit")
        except duckdb.IntegrityError as error:
            raise BadData(f"the ledger refused the write: {error}") from error
        except duckdb.Error as error:
            raise UnknownOutcome(
                f"ledger {self._path}: the commit failed: {error}; read the ledger before acting again"
            ) from error

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if getattr(self._inside, "transaction", False):
            raise RuntimeError("ledger transactions do not nest: pass the open transaction on")
        deadline = time.monotonic() + self._timeout
        self._acquire()
        try:
            self._inside.transaction = True
            try:
                yield self._attach(deadline)
            except BaseException:
                # Whatever state it was left in: closing rolls back, and a new start knows nothing of it.
                self.close()
                raise
            self._detach()
        except duckdb.IOException as error:
            raise RetryLater(f"ledger {self._path} could not be read or written: {error}") from error
        finally:
            self._inside.transaction = False
            self._lock.release()

    def _acquire(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._timeout, poll_interval=random.uniform(0.004, 0.012))  # noqa: S311
        except Timeout:
            raise RetryLater(self._busy()) from None
        except OSError as error:
            raise FixConfiguration(
                f"ledger {self._path}: its folder cannot be written ({error.strerror}): "
                "make it writable or name another file in the ledger url"
            ) from error
        with suppress(OSError):  # a courtesy for whoever waits in vain
            self._holder.write_text(str(os.getpid()))

    def _busy(self) -> str:
        holder = ""
        with suppress(OSError, ValueError):
            holder = f" by process {int(self._holder.read_text())}"
        return (
            f"ledger {self._path} is in use{holder}: waited {self._timeout:g} s for its lock; "
            "try again, or raise lock_timeout_seconds"
        )

    def _start(self) -> duckdb.DuckDBPyConnection:
        if self._started is None:
            self._started = duckdb.connect(":memory:", config=_CONFIG)
        return self._started

    def _attach(self, deadline: float) -> duckdb.DuckDBPyConnection:
        connection = self._start()
        while True:
            try:
                connection.execute(f"attach {_quoted(self._path)} as {_ALIAS}")
                connection.execute(f"use {_ALIAS}")
                return connection
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise BadData(
                        f"ledger {self._path} cannot be opened: {error}; "
                        "if it is damaged, move it away and restore the newest backup"
                    ) from error
                # A program that knows nothing of our lock (a database browser, say) has the file open.
                if time.monotonic() >= deadline:
                    raise RetryLater(
                        f"ledger {self._path} is open in another program: waited {self._timeout:g} s; "
                        f"close it there ({error})"
                    ) from error
                time.sleep(0.05)

    def _detach(self) -> None:
        """Let go of the file. The transaction is decided by now: a failure here must not deny it."""
        connection = self._start()
        try:
            with suppress(duckdb.TransactionException):  # only reads are still open
                connection.execute("rollback")
            connection.execute("use memory")
            connection.execute(f"detach {_ALIAS}")
        except duckdb.Error:
            self.close()
        self._uses += 1
        if self._uses >= _USES_PER_START:
            self.close()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


_LEDGERS: weakref.WeakSet[DuckDBLedger] = weakref.WeakSet()


def _stop_all() -> None:
    for ledger in tuple(_LEDGERS):
        ledger.close()


# A forked child opens the ledger anew, and could not even discard a DuckDB that its parent started.
os.register_at_fork(before=_stop_all)
# At exit DuckDB's library complains of what is still alive.
atexit.register(_stop_all)
