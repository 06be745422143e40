"""Renders docs/configuration.md from the settings themselves: ``python -m resources.settings_docs``."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from resources.settings import PROJECT_ROOT, Settings

PAGE = PROJECT_ROOT / "docs" / "configuration.md"

_HEAD = """# Configuration

Every setting of `config/tidemill.yaml`, rendered from the code by `python -m resources.settings_docs`. What the
file leaves out keeps its default. An unknown key stops the start and names the file, the line and the
nearest valid key.

From the environment: `TIDEMILL_CONFIG` (path of the file), `TIDEMILL_HOME` (folder that relative paths start from),
`TIDEMILL_SOURCE` (overrides `market_data.source`), `TIDEMILL_LEDGER_URL` (overrides `ledger.url`, so that a password never
stands in a file), `TIDEMILL_SLACK_TOKEN`, `TIDEMILL_SIGNING_KEY`, the account's `TIDEMILL_BINANCE_KEY` with
`TIDEMILL_BINANCE_SECRET` or `TIDEMILL_BINANCE_PRIVATE_KEY_FILE`, and the guard's `TIDEMILL_GUARD_KEY` with
`TIDEMILL_GUARD_SECRET`.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One setting: its dotted name, type with bounds, default and meaning."""

    name: str
    kind: str
    default: str
    meaning: str


def render() -> str:
    """The page as Markdown, one table per section of the file."""
    parts = [_HEAD]
    top: dict[str, list[Row]] = {}
    for row in _rows(Settings, ""):
        section = row.name.split(".", 1)[0] if "." in row.name else ""
        top.setdefault(section, []).append(row)
    for section, rows in top.items():
        parts.append(
            f"\n## {section or 'At the top'}\n\n| key | type | default | meaning |\n|---|---|---|---|"
        )
        parts += [f"| `{row.name}` | {row.kind} | `{row.default}` | {row.meaning} |" for row in rows]
    return "\n".join(parts) + "\n"


def _rows(kind: type, prefix: str) -> Iterator[Row]:
    for name, annotation, default, meaning in _fields(kind):
        inner, bounds = _unwrap(annotation)
        dotted = f"{prefix}{name}"
        if isinstance(inner, type) and (issubclass(inner, BaseModel) or dataclasses.is_dataclass(inner)):
            yield from _rows(inner, f"{dotted}.")
        else:
            yield Row(
                dotted,
                _type_name(inner) + bounds,
                _text(default),
                " ".join(meaning.split()).replace("``", "`"),
            )


def _fields(kind: type) -> Iterator[tuple[str, Any, Any, str]]:
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, BaseModel):
        meanings = _below(kind)
        for name, field in kind.model_fields.items():
            bounds = tuple(field.metadata)
            annotation = Annotated[hints[name], *bounds] if bounds else hints[name]
            yield name, annotation, field.get_default(call_default_factory=True), meanings.get(name, "")
        return
    meanings = _attributes(inspect.getdoc(kind) or "")
    for item in dataclasses.fields(kind):
        default = item.default if item.default is not dataclasses.MISSING else PydanticUndefined
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        yield item.name, hints[item.name], default, meanings.get(item.name, "")


def _below(kind: type) -> dict[str, str]:
    """Meanings by name from the strings that stand below the fields of a class."""
    source = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    definition = next(node for node in source.body if isinstance(node, ast.ClassDef))
    return {
        item.target.id: following.value.value
        for item, following in pairwise(definition.body)
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
        and isinstance(following.value.value, str)
    }


def _attributes(docstring: str) -> dict[str, str]:
    """Meanings by name from the ``Attributes`` section; one text may stand under several names."""
    _, _, section = docstring.partition("Attributes\n----------\n")
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if re.match(r"^[a-z_0-9, ]+$", line):
            names = [name.strip() for name in line.split(",")]
        else:
            for name in names:
                meanings[name] = f"{meanings.get(name, '')} {line.strip()}".strip()
    return meanings


def _unwrap(annotation: Any) -> tuple[Any, str]:
    if get_origin(annotation) is not Annotated:
        return annotation, ""
    inner, *metadata = get_args(annotation)
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    bounds = [
        f"{sign} {getattr(item, name)}"
        for item in metadata
        for name, sign in signs.items()
        if hasattr(item, name)
    ]
    return inner, f", {', '.join(bounds)}" if bounds else ""


def _type_name(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return " / ".join(str(option) for option in get_args(kind))
    if origin in (Union, UnionType):
        return " or ".join("nothing" if part is type(None) else _type_name(part) for part in get_args(kind))
    if origin is tuple:
        return f"list of {_type_name(get_args(kind)[0])}"
    if kind is Decimal:
        return "exact decimal"
    return str(getattr(kind, "__name__", kind)).replace("str", "text")


def _text(default: Any) -> str:
    if default is PydanticUndefined:
        return "(required)"
    if isinstance(default, tuple):
        return "[" + ", ".join(str(getattr(item, "use", item)) for item in default) + "]"
    return str(getattr(default, "value", default)) or '""'


def main(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
