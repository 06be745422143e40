"""Renders docs/datasets.md from the declarations: ``python -m warehouse.catalogue_docs``."""

from __future__ import annotations

from pathlib import Path

from warehouse.datasets.catalogue import ALL
from warehouse.schema import Column, Dataset

PAGE = Path(__file__).resolve().parent.parent / "docs" / "datasets.md"

_INTRODUCTION = """# Datasets of the lake

Written by `python -m warehouse.catalogue_docs` from the declarations in `warehouse/datasets/`; change those.

Every dataset lies in `<dataset>/[interval=<i>/]date=YYYY-MM-DD/data.parquet`, one file per UTC day, sorted by
its key, zstd-compressed, replaced as a whole. Times are UTC in milliseconds. A missing value is null, never NaN
and never zero. `tidemill sql "describe bars"` shows the same columns as SQL sees them, with `interval` and
`date` from the folders.
"""


def render() -> str:
    """The whole page, ending in a newline."""
    index = "\n".join(f"- [{dataset.name}](#{dataset.name}): {dataset.description}" for dataset in ALL)
    return "\n".join([_INTRODUCTION, index, *map(_section, ALL)]) + "\n"


def _section(dataset: Dataset) -> str:
    facts = [f"Key: {', '.join(dataset.key)}."]
    if dataset.time_column:
        facts.append(f"A row belongs to the UTC day of `{dataset.time_column}`.")
    else:
        facts.append("Rows describe the day as a whole.")
    if dataset.intervals:
        facts.append(f"Intervals: {', '.join(dataset.intervals)}.")
    facts.append(f"Row groups of {dataset.rows_per_group:,} rows.")
    rows = "\n".join(map(_row, dataset.columns))
    head = "| Column | Type | Unit | Null | Values | Meaning |\n|---|---|---|---|---|---|"
    return f"\n## {dataset.name}\n\n{dataset.description}\n\n{' '.join(facts)}\n\n{head}\n{rows}"


def _row(column: Column) -> str:
    dtype = column.dtype if not isinstance(column.dtype, type) else column.dtype()
    null = "yes" if column.nullable else ""
    cells = (f"`{column.name}`", str(dtype), column.unit, null, _values(column), column.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(column: Column) -> str:
    if column.allowed is not None:
        return ", ".join(column.allowed)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"at least {column.minimum:g}"
    return f"at most {column.maximum:g}" if column.maximum is not None else ""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
