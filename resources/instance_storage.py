"""Dagster's own records on SQLite with the connection kept open.

Dagster opens and configures a new engine for every event that it stores, and a new database file for
every run: most of the time of a small step. One consolidated event log on one pooled engine per process
cuts a live bar to about half. The tables are Dagster's own, unchanged. Secrets that an error quotes are
taken out (`resources.redacted_storage`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from dagster import AssetKey, AssetRecordsFilter, DagsterEventType, EventLogEntry, EventRecordsResult
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from resources.redacted_storage import RedactedEvents, RedactedRuns, RedactedTicks

#: How long an answer about the newest materialization stands: the checks of a step ask one after the other.
_ANSWER_SECONDS = 0.25


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


class PooledEventLogStorage(_Pooled, RedactedEvents, ConsolidatedSqliteEventLogStorage):
    """Event log in one database, on one pooled engine per process."""

    _answer: tuple[tuple[Any, ...], float, EventRecordsResult] | None = None

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; what was the newest materialization may be so no more."""
        if event.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION:
            self._answer = None
        super().store_event(event)

    def fetch_materializations(
        self,
        records_filter: AssetKey | AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:
        """Dagster's own answer, looked up once for all the checks of a step: each asks the same."""
        question = (repr(records_filter), limit, cursor, ascending)
        known = self._answer
        if known is not None and known[0] == question and time.monotonic() < known[1]:
            return known[2]
        found = super().fetch_materializations(records_filter, limit, cursor, ascending)
        self._answer = (question, time.monotonic() + _ANSWER_SECONDS, found)
        return found

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


class _FromConfig:
    """Dagster's classes make themselves from a configuration, never a subclass."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """The storage that the instance's configuration describes."""
        return cls.from_local(inst_data=inst_data, **config_value)  # type: ignore[attr-defined,no-any-return]


class PooledRunStorage(_FromConfig, _Pooled, RedactedRuns, SqliteRunStorage):
    """Runs and daemon heartbeats on one pooled engine per process."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection inside a transaction, returned to the pool afterwards."""
        with self._begun() as connection:
            yield connection


class RedactedScheduleStorage(_FromConfig, RedactedTicks, SqliteScheduleStorage):
    """Ticks and states of sensors and schedules."""
