"""Desks from the configuration: built in, from one file, and every way to get it wrong."""

import re
from pathlib import Path

import pytest

from resources.desks import load_desks
from tests.trading_scenario import position, snapshot, view
from trading.desks.catalogue import DeskSpec
from trading.desks.fork import ForkDesk, ForkDeskSettings
from trading.errors import FixConfiguration
from trading.model.decision import Outcome
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-desk.md"

PLAIN = """
class Desk:
    name = "plain"
    configuration_hash = "0"
    def __init__(self, size=1):
        self.size = size
    def decide(self, snapshot):
        return []
"""


def write(folder: Path, source: str, name: str = "own.py") -> Path:
    path = folder / name
    path.write_text(source)
    return path


def test_built_in_desks_come_in_order_with_their_settings() -> None:
    fork, genome = load_desks([DeskSpec("fork", {"minimum_fork_score": 0.7}), DeskSpec("genome")])
    assert isinstance(fork, ForkDesk)
    assert fork.settings.minimum_fork_score == 0.7
    assert (fork.name, genome.name) == ("fork", "genome")
    ready = ForkDeskSettings(max_open_positions=3)
    (same,) = load_desks([DeskSpec("fork", ready)])
    assert isinstance(same, ForkDesk)
    assert same.settings is ready


def test_the_desk_of_the_how_to_runs_as_printed(tmp_path: Path) -> None:
    source = re.search(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    assert source is not None
    assert source[1] == (HOW_TO.parents[2] / "examples" / "trend.py").read_text()
    (tmp_path / "my_desks").mkdir()
    write(tmp_path / "my_desks", source[1], "trend.py")
    spec = DeskSpec("my_desks/trend.py:TrendDesk", {"minimum_rating": 0.6})
    (desk,) = load_desks([spec], tmp_path)
    views = (
        view("AUSDT", ratings={"4h": 0.6}),
        view("BUSDT", ratings={"4h": 0.59}),
        view("CUSDT", ratings={}),
    )
    held = position("DUSDT", desk="trend")
    views = (*views, view("DUSDT", close=97.0))
    taken = snapshot(*views, portfolio={"positions": (held,)})
    decisions = desk.decide(taken)
    assert [(item.symbol, item.reason_code) for item in decisions] == [
        ("DUSDT", "stop_loss"),
        ("AUSDT", "trend"),
        ("BUSDT", "rating_low"),
        ("CUSDT", "rating_low"),
        ("DUSDT", "already_held"),
    ]
    fired = [item for item in decisions if item.outcome is Outcome.FIRED]
    verdicts = judge(decisions, taken, RiskLimits(), taken.taken_at_ms)
    assert [item.kind for item in verdicts] == ["approved", "approved"]
    assert [item.decision_id for item in verdicts] == [item.decision_id for item in fired]
    (other,) = load_desks([DeskSpec("my_desks/trend.py:TrendDesk")], tmp_path)
    assert other.configuration_hash != desk.configuration_hash


def test_a_plain_class_and_a_module_work_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, PLAIN, "own_desk_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    (desk,) = load_desks([DeskSpec("own_desk_module:Desk", {"size": 3})])
    assert desk.size == 3  # type: ignore[attr-defined]
    (again,) = load_desks([DeskSpec(f"{tmp_path}/own_desk_module.py:Desk")])
    assert again.size == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("use", "settings", "message"),
    [
        ("frok", {}, "did you mean 'fork'"),
        ("absent.py:Desk", {}, "there is no file"),
        ("own.py:Dsek", {}, r"no class 'Dsek'; its classes with a decide method are \['Desk'\]"),
        ("no_such_package.desks:Desk", {}, "module 'no_such_package' cannot be found"),
        ("own.py:Desk", {"sise": 1}, "do not fit its constructor: .*sise"),
        ("fork", {"minimum_fork_scor": 1}, "did you mean 'minimum_fork_score'"),
        ("fork", {"slot_fraction": 1.5}, "setting slot_fraction = 1.5: .*less than or equal to 1"),
        ("fork", {"max_open_positions": "many"}, "setting max_open_positions = 'many'"),
        ("fork", ["slot_fraction"], "settings must be a mapping"),
        ("broken.py:Desk", {}, "fails on import with ZeroDivisionError"),
        ("nameless.py:Desk", {}, "its name is None"),
        ("shouting.py:Desk", {}, "its name is 'A:B'"),
        ("taken.py:Desk", {}, "'fork' belongs to a built-in desk"),
        ("hashless.py:Desk", {}, "lacks a text 'configuration_hash'"),
        ("undecided.py:Desk", {}, r"needs a method decide\(self, snapshot\)"),
        ("greedy.py:Desk", {}, r"needs a method decide\(self, snapshot\)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, use: str, settings, message: str) -> None:
    write(tmp_path, PLAIN)
    write(tmp_path, "1 / 0", "broken.py")
    write(tmp_path, PLAIN.replace('name = "plain"', "pass"), "nameless.py")
    write(tmp_path, PLAIN.replace("plain", "A:B"), "shouting.py")
    write(tmp_path, PLAIN.replace("plain", "fork"), "taken.py")
    write(tmp_path, PLAIN.replace("configuration_hash =", "other ="), "hashless.py")
    write(tmp_path, PLAIN.replace("decide", "choose"), "undecided.py")
    write(tmp_path, PLAIN.replace("snapshot)", "snapshot, clock)"), "greedy.py")
    with pytest.raises(FixConfiguration, match=message):
        load_desks([DeskSpec(use, settings)], tmp_path)


def test_two_desks_may_not_share_a_name(tmp_path: Path) -> None:
    write(tmp_path, PLAIN)
    with pytest.raises(FixConfiguration, match="two desks are called 'plain'"):
        load_desks([DeskSpec("own.py:Desk"), DeskSpec("own.py:Desk")], tmp_path)
