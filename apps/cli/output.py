"""How commands print: rich tables for people, one JSON document for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.redaction import redacted

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

#: Narrower than this, tables fold; a pipe or a log file has no width of its own.
PLAIN_WIDTH = 140

MISSING = "–"


def console(*, stderr: bool = False) -> Console:
    """A console that is plain text, without colour or cut cells, unless a person is watching."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False)
    return Console(file=stream, width=PLAIN_WIDTH, color_system=None, force_terminal=False, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON document: Decimals as exact text, missing numbers as null, times in ISO 8601."""
    print(redacted(json.dumps(plain(value), ensure_ascii=False, indent=2)))


def plain(value: Any) -> Any:
    """The value in what JSON knows: objects, lists, text, numbers, true, false and null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, Path):
        return str(value)
    return value


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()
) -> None:
    """Print a table; ``right`` names the columns of numbers. Long cells fold, nothing is cut."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    numbers = set(right)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        shown.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(redacted(text(cell))) for cell in row))
    if title:
        line(title, style="bold")  # not the table's own title, which folds at the table's width
    console().print(shown)


def line(message: str, *, stderr: bool = False, style: str = "") -> None:
    """Print one message; a pipe gets it unwrapped and uncoloured."""
    out = console(stderr=stderr)
    out.print(redacted(message), style=style or None, markup=False, soft_wrap=True)


def text(value: object) -> str:
    """A cell: a dash for what is missing, ✓ and ✗ for truth, times to the minute, numbers as `number`."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (float, Decimal)):
        return number(value)
    return str(value)


def number(value: float | Decimal, digits: int = 8) -> str:
    """A number without exponent: a float to ``digits`` significant digits, a Decimal exactly."""
    if isinstance(value, Decimal):
        shown = format(value, "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else MISSING
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    shown = f"{value:.{min(decimals, 12)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def money(value: Decimal | float | None) -> str:
    """An amount of the quote currency to the cent; a dash where it is missing."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:,.2f}"


def moment(milliseconds: int | None) -> str:
    """A time since the epoch as UTC text to the minute; a dash where it is missing."""
    if not milliseconds:
        return MISSING
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
