"""Dagster's own records on Postgres, without secrets; on SQLite `resources.instance_storage` does the same."""

from __future__ import annotations

from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from dagster_postgres.utils import pg_url_from_config

from resources.redacted_storage import RedactedEvents, RedactedRuns, RedactedTicks


class _FromConfig:
    """Dagster's classes make themselves from a configuration, never a subclass."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """The storage that the instance's configuration describes."""
        return cls(inst_data=inst_data, postgres_url=pg_url_from_config(config_value))  # type: ignore[call-arg]


class RedactedPostgresRunStorage(_FromConfig, RedactedRuns, PostgresRunStorage):
    """Runs, backfills and daemon heartbeats."""


class RedactedPostgresEventLogStorage(_FromConfig, RedactedEvents, PostgresEventLogStorage):
    """The event log."""


class RedactedPostgresScheduleStorage(_FromConfig, RedactedTicks, PostgresScheduleStorage):
    """Ticks and states of sensors and schedules."""
