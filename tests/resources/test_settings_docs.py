"""The configuration page is what the settings say."""

from __future__ import annotations

from resources.settings_docs import PAGE, render


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m resources.settings_docs"


def test_every_setting_says_what_it_means() -> None:
    silent = [line for line in render().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert silent == []
