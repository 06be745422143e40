"""A wrong configuration names the file, the line and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.settings import Settings, home, load_settings
from trading.errors import FixConfiguration

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "tidemill.yaml"
    path.write_text(text)
    return path


def test_the_shipped_configuration_is_valid() -> None:
    assert isinstance(load_settings(ROOT / "config" / "tidemill.yaml"), Settings)


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("universe:\n  quot: USDT\n", 2, ["unknown key 'universe.quot'", "nearest valid key: 'quote'"]),
        ("histroy_days: 4\n", 1, ["unknown key 'histroy_days'", "'history_days'"]),
        (
            "risk:\n  max_position_fraction: 0.1\n  max_postion_fraction: 0.2\n",
            3,
            ["unknown key 'risk.max_postion_fraction'", "'max_position_fraction'"],
        ),
        ("\n\nhistory_days: 0\n", 3, ["history_days", "greater than or equal to 1", "value 0"]),
        ("risk:\n  max_position_fraction: 1.5\n", 2, ["risk.max_position_fraction", "1.5"]),
        ("live:\n  interval: 7m\n", 2, ["live.interval", "7m"]),
        ("universe: [a\n", 2, [": "]),
        ("- a\n- b\n", 1, ["expected sections"]),
    ],
)
def test_a_fault_names_file_line_value_and_fix(
    tmp_path: Path, text: str, line: int, parts: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FixConfiguration) as caught:
        load_settings(path)
    message = str(caught.value)
    assert f"{path}:{line}" in message
    for part in parts:
        assert part in message


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "history_days: 0\nuniverse:\n  quot: USDT\n")
    with pytest.raises(FixConfiguration) as caught:
        load_settings(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(FixConfiguration, match="TIDEMILL_CONFIG"):
        load_settings(tmp_path / "none.yaml")


def test_the_ledger_url_of_the_environment_wins_and_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_LEDGER_URL", "postgresql://u:canary@db/tidemill")
    settings = Settings()
    assert settings.ledger_url.get_secret_value() == "postgresql://u:canary@db/tidemill"
    assert "canary" not in repr(settings) + str(settings.ledger_url)


def test_relative_paths_start_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMILL_LEDGER_URL", raising=False)
    assert home() == tmp_path
    assert Settings().lake_uri == str(tmp_path / "var" / "lake")
    assert Settings().ledger_url.get_secret_value() == f"duckdb:///{tmp_path}/var/ledger.duckdb"
