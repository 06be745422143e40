"""Dagster's records on pooled connections say the same as Dagster's own storage does."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage

_DAYS = dg.StaticPartitionsDefinition(["2026-01-01", "2026-01-02"])
_CHECKS = ("first", "second", "third")


@dg.asset(partitions_def=_DAYS, check_specs=[dg.AssetCheckSpec(name, asset="bars") for name in _CHECKS])
def bars() -> dg.MaterializeResult:
    checks = [dg.AssetCheckResult(passed=True, check_name=name) for name in _CHECKS]
    return dg.MaterializeResult(check_results=checks)


def _instance(folder: Path) -> dg.DagsterInstance:
    storage = {
        "module": "resources.instance_storage",
        "class": "PooledEventLogStorage",
        "config": {"base_dir": str(folder)},
    }
    return dg.DagsterInstance.local_temp(str(folder), overrides={"event_log_storage": storage})


def test_checks_are_tied_to_the_materialization_that_dagster_would_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets: dict[bool, list[list[int | None]]] = {}
    for pooled in (True, False):
        folder = tmp_path / str(pooled)
        folder.mkdir()
        with _instance(folder) as instance:
            if not pooled:
                plain = ConsolidatedSqliteEventLogStorage.fetch_materializations
                monkeypatch.setattr(type(instance.event_log_storage), "fetch_materializations", plain)
            targets[pooled] = [
                _targets(dg.materialize([bars], instance=instance, partition_key=day))
                for day in ("2026-01-01", "2026-01-02", "2026-01-01", "2026-01-01")
            ]
    assert targets[True] == targets[False]
    assert len({tuple(found) for found in targets[True]}) > 1


def _targets(result: dg.ExecuteInProcessResult) -> list[int | None]:
    """Place among the events of the run's storage of what each check is tied to."""
    found = [evaluation.target_materialization_data for evaluation in result.get_asset_check_evaluations()]
    return [None if item is None else item.storage_id for item in found]


def test_the_checks_of_a_step_ask_the_database_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plain = ConsolidatedSqliteEventLogStorage.fetch_materializations

    def counted(self: ConsolidatedSqliteEventLogStorage, *question: object) -> dg.EventRecordsResult:
        asked.append(question)
        return plain(self, *question)

    monkeypatch.setattr(ConsolidatedSqliteEventLogStorage, "fetch_materializations", counted)
    monkeypatch.setattr("resources.instance_storage._ANSWER_SECONDS", 600.0)
    with _instance(tmp_path) as instance:
        assert dg.materialize([bars], instance=instance, partition_key="2026-01-01").success
    assert len(asked) == 1
