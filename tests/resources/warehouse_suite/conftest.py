"""A lake of twelve ordinary days, copied for each test that spoils it."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from suite_lake import write_day

from warehouse.lake.lake import Lake, open_lake

FIRST = date(2026, 1, 1)
DAYS = 12


@pytest.fixture(scope="session")
def ordinary_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ordinary") / "lake"
    lake = open_lake(str(folder))
    for offset in range(DAYS):
        write_day(lake, FIRST + timedelta(days=offset))
    return folder


@pytest.fixture
def lake(ordinary_days: Path, tmp_path: Path) -> Lake:
    return open_lake(str(shutil.copytree(ordinary_days, tmp_path / "lake")))
