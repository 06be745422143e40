"""Dagster's own records on SQLite with the connection kept open.

Dagster opens and configures a new engine for every event that it stores, and a new database file for
every run: most of the time of a small step. One consolidated event log on one pooled engine per process
cuts a live bar to about half. The tables are Dagster's own, unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool


class _Engines:
    """One engine per process and database: a forked child must not use its parent's connections."""

    def __init__(self) -> None:
        self._by_process: dict[int, Engine] = {}

    def get(self, url: str) -> Engine:
        pid = os.getpid()
        if pid not in self._by_process:
            engine = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=4,
                max_overflow=16,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            # In WAL mode a commit survives a crash of the process; only a power cut may lose the last
            # events of Dagster's log. Orders and audit live in the ledger, which is not touched here.
            event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=NORMAL"))
            self._by_process[pid] = engine
        return self._by_process[pid]

    def dispose(self) -> None:
        engine = self._by_process.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()


class _Pooled:
    """Both storages' part in common; it stands before Dagster's class and closes what it opened."""

    _conn_string: str

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with self._engines.get(self._conn_string).begin() as connection:
            yield connection

    @property
    def _engines(self) -> _Engines:
        engines: _Engines = self.__dict__.setdefault("_engines_by_process", _Engines())
        return engines

    def dispose(self) -> None:
        """Close the connections; the storage opens new ones if it is used again."""
        super().dispose()  # type: ignore[misc]
        self._engines.dispose()


class PooledEventLogStorage(_Pooled, ConsolidatedSqliteEventLogStorage):
    """Event log in one database, on one pooled engine per process."""

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table; a table once seen stays."""
        known = self.__dict__.setdefault("_tables", set())
        if table_name not in known and super().has_table(table_name):
            known.add(table_name)
        return table_name in known

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._begun() as connection:
            yield connection


class PooledRunStorage(_Pooled, SqliteRunStorage):
    """Runs and daemon heartbeats on one pooled engine per process."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection inside a transaction, returned to the pool afterwards."""
        with self._begun() as connection:
            yield connection
