"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and venue fixtures beside the project; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: real data and venue fixtures are needed")
    return SHARED
