"""The live loop refuses to be slower than the back-test of the strategies that it would trade."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.factory.lifecycle import enter
from resources.factory.pace import require_every_close
from resources.platform import Platform
from resources.settings import LiveSettings, Settings
from tests.resources.factory.strategy_lives import T0, candidate, genomes
from trading.desks.catalogue import DeskSpec
from trading.errors import FixConfiguration
from trading.model.interval import Interval

SLOWER = (Interval.H1, Interval.H4, Interval.D1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMILL_LEDGER_URL", raising=False)
    (tmp_path / "var").mkdir()
    return tmp_path


def platform(interval: Interval, *desks: str) -> Platform:
    specs = tuple(DeskSpec(name) for name in desks)
    return Platform(Settings(live=LiveSettings(interval=interval), desks=specs))


@pytest.mark.parametrize("interval", SLOWER)
def test_a_slower_loop_is_refused_while_the_genome_desk_trades(folder: Path, interval: Interval) -> None:
    with pytest.raises(FixConfiguration) as caught:
        require_every_close(platform(interval, "fork", "genome"), interval)
    assert str(caught.value).startswith(f"live.interval {interval.value}: ")
    assert "Set live.interval to 15m" in str(caught.value)
    assert "trading now" not in str(caught.value)


def test_the_refusal_names_the_strategies_that_trade(folder: Path) -> None:
    tidemill = platform(Interval.H1, "genome")
    chosen = genomes(9)
    tested = [candidate(one, promoted=place < 7) for place, one in enumerate(chosen)]
    enter(tidemill.ledger, tested, T0)
    with pytest.raises(FixConfiguration) as caught:
        require_every_close(tidemill, Interval.H1)
    message = str(caught.value)
    named = [one for one in chosen if f"{one.strategy_id[:12]} ({one.timeframe})" in message]
    assert len(named) == 5
    assert all(one in chosen[:7] for one in named), "who never came on paper misses nothing"
    assert "2 more" in message
    tidemill.ledger.close()


def test_every_quarter_misses_nothing_and_other_desks_may_sleep_longer(folder: Path) -> None:
    require_every_close(platform(Interval.M15, "fork", "genome"), Interval.M15)
    for interval in SLOWER:
        require_every_close(platform(interval, "fork"), interval)
