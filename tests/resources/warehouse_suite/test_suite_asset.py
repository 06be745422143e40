"""The asset of the nightly suite: what Dagster shows of a good day and of a bad one."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from suite_lake import SYMBOLS, klines, write_day

from assets.warehouse_suite import warehouse_suite
from resources.platform import PlatformResource
from resources.warehouse_suite.tables import TABLES
from warehouse.lake.lake import open_lake

CONFIGURATION = """
market_data:
  source: files
  files:
    folder: {folder}
"""


@pytest.fixture
def home(ordinary_days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the lake of ordinary days, in a market whose time is the thirteenth."""
    (tmp_path / "config").mkdir()
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "BTCUSDT-1m.csv").write_text(
        "open_time,open,high,low,close,volume\n1768262400000,110,110,110,110,1\n"
    )
    text = CONFIGURATION.format(folder=tmp_path / "market")
    (tmp_path / "config" / "tidemill.yaml").write_text(text)
    shutil.copytree(ordinary_days, tmp_path / "var" / "lake")
    for name in ("TIDEMILL_CONFIG", "TIDEMILL_LEDGER_URL", "TIDEMILL_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    return tmp_path


def materialized(day: str) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [warehouse_suite],
            partition_key=day,
            resources={"platform": PlatformResource()},
            instance=instance,
            raise_on_error=False,
        )


def test_a_good_day_passes_its_check_and_links_its_pages(home: Path) -> None:
    result = materialized("2026-01-12")
    assert result.success
    (shown,) = result.asset_materializations_for_node("warehouse_suite")
    index = home / "var" / "data_docs" / "2026-01-12" / "index.html"
    assert shown.metadata["data_docs"].value == str(index)
    assert shown.metadata["data_docs_url"].value == index.as_uri()
    assert index.is_file()
    assert shown.metadata["failed"].value == 0
    assert shown.metadata["expectations"].value > 100
    assert shown.metadata["failures"].value == "Every expectation was met."
    assert shown.metadata["left_out"].value == "Nothing."
    (check,) = result.get_asset_check_evaluations()
    assert check.passed


def test_a_bad_day_succeeds_warns_and_names_what_failed(home: Path) -> None:
    day = date(2026, 1, 12)
    write_day(open_lake(str(home / "var" / "lake")), day, klines(day, SYMBOLS[:2]))
    result = materialized(day.isoformat())
    assert result.success, "the suite informs, it blocks nothing"
    (shown,) = result.asset_materializations_for_node("warehouse_suite")
    failed = shown.metadata["failed"].value
    table = shown.metadata["failures"].value
    assert failed > 8
    assert "| 2026-01-12 | klines | rows | 2880 | " in table
    assert table.endswith(f"{failed - 8} more in the Data Docs")
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert check.description.startswith(f"{failed} of ")


def test_an_open_day_fails_with_the_reason(home: Path) -> None:
    result = materialized("2026-01-13")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "day 2026-01-13 has not closed" in failure.step_failure_data.error.cause.message


def test_it_depends_on_every_table_that_it_judges() -> None:
    found = {key.to_user_string() for key in warehouse_suite.asset_deps[dg.AssetKey("warehouse_suite")]}
    assert found == {table.name for table in TABLES}
