from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    if isinstance(value, str):
        return (
            f"str.{len(value.partition('.')[2])}" if value.replace(".", "").lstrip("-").isdigit() else "str"
        )
    return type(value).__name__


@pytest.fixture
def shape() -> Callable[[Any], Any]:
    """Keys and types of a payload, the decimals of numbers in text included."""
    return _shape
