"""`tidemill doctor` on a machine whose clock is wrong."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from apps.cli import checkup
from apps.cli.checkup import Finding, Level

_HOURS_MS = 3_600_000


def source_with_offset(monkeypatch: pytest.MonkeyPatch, name: str, offset_ms: int) -> Finding:
    market = SimpleNamespace(now_ms=lambda: time.time_ns() // 1_000_000 + offset_ms)
    settings = SimpleNamespace(market_data=SimpleNamespace(source=name))
    monkeypatch.setattr(checkup, "_platform", lambda: SimpleNamespace(market=market, settings=settings))
    return checkup._source()


@pytest.mark.parametrize("offset_ms", [2 * _HOURS_MS, -2 * _HOURS_MS])
def test_two_hours_off_are_told_with_their_direction_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, offset_ms: int
) -> None:
    finding = source_with_offset(monkeypatch, "binance", offset_ms)
    assert finding.level is Level.WARN
    assert f"{'+' if offset_ms > 0 else '-'}7" in finding.detail, finding.detail
    assert finding.fix == "synchronise this machine's clock (NTP)"


def test_a_clock_that_agrees_and_a_market_in_its_own_time_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_with_offset(monkeypatch, "binance", 0).level is Level.OK
    assert source_with_offset(monkeypatch, "sandbox", 2 * _HOURS_MS).level is Level.OK
