"""Faults put into real bars are caught, and no real day is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import COLLECTIONS, Bars, inject
from trading.bars.faults.judgement import judge


@pytest.mark.slow
def test_every_injected_fault_is_caught(shared: Path) -> None:
    outcomes = inject(600, seed=11)
    assert {len(some) for some in outcomes.values()} == {50}
    assert len(outcomes) == 12
    missed = [(kind.value, one.variant) for kind, some in outcomes.items() for one in some if not one.caught]
    assert missed == []


@pytest.mark.slow
def test_no_real_minute_of_a_month_is_refused(shared: Path) -> None:
    judged = 0
    for bars, context in Bars(COLLECTIONS[0]).partitions():
        assert [found for found in judge(bars, context) if found.severity == "block"] == []
        judged += bars.height
    assert judged == 708_180
