from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paper_client import NOW_MS, SETTINGS, PaperClient

from apps.sandbox.server import EmbeddedSandbox

Fixture = Callable[[str], Any]


@pytest.fixture
def paper() -> Iterator[PaperClient]:
    """A fresh exchange, and its account's client."""
    with EmbeddedSandbox(SETTINGS) as running, PaperClient(running) as client:
        assert running.clock.now_ms() == NOW_MS
        yield client


@pytest.fixture
def recorded(shared: Path) -> Fixture:
    """A payload recorded from the venue, or from its documentation."""
    return lambda name: json.loads((shared / "fixtures/binance" / name).read_text())


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _types(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_types(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


@pytest.fixture
def types() -> Callable[[Any], Any]:
    """Keys and types of a payload; of a list, those of its first item."""
    return _types
