"""DuckDB: open–transact–close under a cross-process file lock, because one process at a time may open the file.

Starting DuckDB costs eight times as much as opening a file in it, so each process starts it once, empty and in
memory, and attaches the file for the length of a transaction, or as long as it lingers.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from trading.errors import BadData, FixConfiguration, RetryLater, UnknownOutcome
from warehouse.ledger.duckdb_transaction import DuckDBTransaction
from warehouse.ledger.sql import Dialect
from warehouse.ledger.turns import Turns

# One thread opens fastest, and no Python variable may stand in for a table name.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "python_enable_replacements": False}

_ALIAS = "ledger"
# A DuckDB keeps some kilobytes of every file that it has attached; a new one begins without them.
_USES_PER_START = 100
# How often an idle process looks whether another one wants the file.
_LOOK_SECONDS = 0.005


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
        self._path = path.absolute()
        self._timeout = lock_timeout_seconds
        self._inside = threading.local()
        self._started: duckdb.DuckDBPyConnection | None = None
        self._uses = 0
        self._attached = False
        self._linger_seconds = 0.0
        self._idle_since = 0.0
        self._forked()
        _LEDGERS.add(self)

    def _forked(self) -> None:
        """Begin with locks of our own: a thread that held them is not there in a forked child."""
        self._turns = Turns(self._path)
        self._mutex = threading.Lock()
        self._idle = threading.Event()
        self._closer: threading.Thread | None = None

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def migrate(self) -> list[int]:
        """Bring the tables up to this code's version."""
        from warehouse.ledger.migrate import migrate

        return migrate(self)

    def close(self) -> None:
        """Stop DuckDB, and let go of the file where it is still open."""
        if getattr(self._inside, "transaction", False):
            self._stop()
            return
        with self._mutex:
            self._stop()
            self._turns.give_back()

    @contextmanager
    def lingering(self, seconds: float) -> Iterator[None]:
        """Keep the file open for so long after a transaction, unless another process waits for it.

        Opening and closing the file costs more than most transactions do. For a process that makes many;
        another program without our lock, such as a database browser, finds the file in use meanwhile.
        """
        before, self._linger_seconds = self._linger_seconds, seconds
        try:
            yield
        finally:
            self._linger_seconds = before
            if not before:
                self.close()

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
        if not self._mutex.acquire(timeout=self._timeout):
            raise RetryLater(self._busy(" by another thread"))
        try:
            if not self._attached:
                self._take_turn(deadline)
            self._inside.transaction = True
            try:
                yield self._attach(deadline)
            except BaseException:
                # Whatever state it was left in: closing rolls back, and a new start knows nothing of it.
                self._stop()
                raise
            self._end_use()
        except duckdb.IOException as error:
            raise RetryLater(f"ledger {self._path} could not be read or written: {error}") from error
        finally:
            self._inside.transaction = False
            if not self._attached:
                self._turns.give_back()
            self._mutex.release()

    def _take_turn(self, deadline: float) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._turns.take(max(deadline - time.monotonic(), 0.0)):
                raise RetryLater(self._busy(self._turns.held_by()))
        except OSError as error:
            raise FixConfiguration(
                f"ledger {self._path}: its folder cannot be written ({error.strerror}): "
                "make it writable or name another file in the ledger url"
            ) from error

    def _busy(self, holder: str) -> str:
        return (
            f"ledger {self._path} is in use{holder}: waited {self._timeout:g} s for its lock; "
            "try again, or raise lock_timeout_seconds"
        )

    def _start(self) -> duckdb.DuckDBPyConnection:
        if self._started is None:
            self._started = duckdb.connect(":memory:", config=_CONFIG)
        return self._started

    def _stop(self) -> None:
        if self._started is not None:
            self._started.close()
        self._started = None
        self._uses = 0
        self._attached = False

    def _attach(self, deadline: float) -> duckdb.DuckDBPyConnection:
        connection = self._start()
        while not self._attached:
            try:
                connection.execute(f"attach {_quoted(self._path)} as {_ALIAS}")
                connection.execute(f"use {_ALIAS}")
                self._attached = True
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
        return connection

    def _end_use(self) -> None:
        """Leave the file as nobody's transaction has it: closed, or open for the next one to come soon.

        The transaction is decided by now: a failure here must not deny it.
        """
        try:
            with suppress(duckdb.TransactionException):  # only reads are still open
                self._start().execute("rollback")
        except duckdb.Error:
            self._stop()
            return
        if self._linger_seconds > 0 and not self._turns.wanted():
            self._idle_since = time.monotonic()
            if self._closer is None:
                self._closer = threading.Thread(target=self._close_idle, daemon=True, name="ledger-closer")
                self._closer.start()
            self._idle.set()
        else:
            self._detach()

    def _detach(self) -> None:
        connection = self._start()
        try:
            connection.execute("use memory")
            connection.execute(f"detach {_ALIAS}")
            self._attached = False
        except duckdb.Error:
            self._stop()
        self._uses += 1
        if self._uses >= _USES_PER_START:
            self._stop()

    def _close_idle(self) -> None:
        """Close the file once it has been idle for long enough, or another process waits for it."""
        while True:
            self._idle.wait()
            time.sleep(_LOOK_SECONDS)
            with self._mutex:
                if not self._attached:
                    self._idle.clear()
                elif time.monotonic() - self._idle_since >= self._linger_seconds or self._turns.wanted():
                    self._detach()
                    self._turns.give_back()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


_LEDGERS: weakref.WeakSet[DuckDBLedger] = weakref.WeakSet()


def _stop_all() -> None:
    for ledger in tuple(_LEDGERS):
        ledger.close()


def _forked() -> None:
    for ledger in tuple(_LEDGERS):
        ledger._forked()


# A forked child opens the ledger anew, and could not even discard a DuckDB that its parent started.
os.register_at_fork(before=_stop_all, after_in_child=_forked)
# At exit DuckDB's library complains of what is still alive.
atexit.register(_stop_all)
