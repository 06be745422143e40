"""The lake as a Dagster resource, and what the Dagster UI shows of its datasets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import dagster as dg
import polars as pl

from warehouse.datasets.catalogue import BY_NAME
from warehouse.lake.lake import Lake, PartitionInfo, open_lake
from warehouse.schema import Column, Dataset

#: Rows that a preview shows.
PREVIEW_ROWS = 8
#: Columns that a preview shows; wide tables say how many they leave out.
PREVIEW_COLUMNS = 12


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Parquet lake at a folder or in S3; runs of one process share its partition cache."""

    uri: str
    """A folder, or s3://bucket/prefix with credentials from the usual AWS chain."""
    endpoint_url: str | None = None
    """S3 endpoint of another vendor; None for AWS."""
    region: str | None = None
    """S3 region; None takes the chain's."""

    @property
    def lake(self) -> Lake:
        """The lake, opened once per process and address."""
        return _opened(self.uri, self.endpoint_url, self.region)


@lru_cache(maxsize=8)
def _opened(uri: str, endpoint_url: str | None, region: str | None) -> Lake:
    return open_lake(uri, endpoint_url=endpoint_url, region=region)


def table_schema(dataset: Dataset) -> dg.TableSchema:
    """Columns with types, units, meanings and constraints, as the catalogue of the UI shows them."""
    return dg.TableSchema(
        columns=[_table_column(dataset, column) for column in dataset.columns],
        constraints=dg.TableConstraints(other=[f"one row per ({', '.join(dataset.key)})"]),
    )


def partition_metadata(info: PartitionInfo, preview: pl.DataFrame) -> dict[str, Any]:
    """Materialization metadata of a written partition, with the first rows of a preview as a table."""
    metadata: dict[str, Any] = {
        "dagster/row_count": info.rows,
        "size_bytes": info.size_bytes,
        "sha256": info.sha256,
        "uri": dg.MetadataValue.path(info.uri),
        "preview": dg.MetadataValue.md(markdown_table(preview)),
    }
    if info.min_time is not None and info.max_time is not None:
        metadata["first_time"] = dg.MetadataValue.timestamp(info.min_time)
        metadata["last_time"] = dg.MetadataValue.timestamp(info.max_time)
    if info.symbols is not None:
        metadata["symbols"] = info.symbols
    if info.dataset in BY_NAME:
        metadata["dagster/column_schema"] = table_schema(BY_NAME[info.dataset])
    return metadata


def markdown_table(frame: pl.DataFrame) -> str:
    """The first rows and columns of a frame as a Markdown table; empty cells are nulls."""
    if frame.is_empty():
        return "No rows."
    names = frame.columns[:PREVIEW_COLUMNS]
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for row in frame.select(names).head(PREVIEW_ROWS).iter_rows():
        lines.append(f"| {' | '.join(_cell(value) for value in row)} |")
    hidden = frame.width - len(names)
    return "\n".join(lines) + (f"\n\n{hidden} more columns" if hidden else "")


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.8g}" if isinstance(value, float) else str(value)
    return text.replace("+00:00", "Z").replace("|", "\\|").replace("\n", " ")


def _table_column(dataset: Dataset, column: Column) -> dg.TableColumn:
    bounds = []
    if column.minimum is not None:
        bounds.append(f">= {column.minimum:g}")
    if column.maximum is not None:
        bounds.append(f"<= {column.maximum:g}")
    if column.allowed is not None:
        bounds.append(f"one of {', '.join(column.allowed)}")
    unit = f" [{column.unit}]" if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=_type_name(column.dtype if isinstance(column.dtype, pl.DataType) else column.dtype()),
        description=f"{column.description}{unit}",
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, unique=dataset.key == (column.name,), other=bounds
        ),
    )


def _type_name(dtype: pl.DataType) -> str:
    return f"Datetime({dtype.time_zone})" if isinstance(dtype, pl.Datetime) else str(dtype)
