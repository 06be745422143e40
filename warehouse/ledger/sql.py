"""Portable SQL: named ``:name`` placeholders translated to what each driver wants."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Literal

Dialect = Literal["duckdb", "postgres"]

# Everything in which a colon, a percent sign or a semicolon is not ours comes first.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: | :(?P<name>[A-Za-z_]\w*) | % | ;""",
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def translate(sql: str, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """Rewrite ``:name`` placeholders for a driver.

    Colons inside string literals, quoted identifiers, comments and ``::`` casts stay as they are.

    Returns
    -------
    tuple
        The driver's SQL and the placeholder names, each once, in order of first use.
    """
    names: dict[str, None] = {}

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is not None:
            names[name] = None
            return f"${name}" if dialect == "duckdb" else f"%({name})s"
        # psycopg reads the whole text for percent signs, literals included.
        return match[0].replace("%", "%%") if dialect == "postgres" else match[0]

    return _TOKEN.sub(replace, sql), tuple(names)


def bind(names: tuple[str, ...], params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Pick the named parameters: enums by value, NaN and infinities as NULL (missing is not a number).

    Raises
    ------
    ValueError
        If a placeholder has no parameter.
    """
    given = params or {}
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"SQL placeholders {missing} have no value; given: {sorted(given)}")
    return {name: _plain(given[name]) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def statements(script: str) -> Iterator[str]:
    """Split a script at semicolons outside literals and comments; blank statements are dropped."""
    start = 0
    for match in _TOKEN.finditer(script):
        if match[0] == ";":
            yield from _statement(script[start : match.start()])
            start = match.end()
    yield from _statement(script[start:])


def _statement(text: str) -> Iterator[str]:
    if re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip():
        yield text.strip()
