"""The lake resource: one lake per process, and metadata that the Dagster UI can show."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from resources.lake import PREVIEW_COLUMNS, LakeResource, markdown_table, partition_metadata, table_schema
from warehouse.datasets.catalogue import ALL
from warehouse.datasets.certificates import KLINE_GAPS

DAY = date(2025, 3, 1)


def gaps() -> pl.DataFrame:
    moment = datetime(2025, 3, 1, 10, tzinfo=UTC)
    row = {
        "symbol": "A|B",
        "first_missing": moment,
        "last_missing": moment,
        "missing_minutes": 1,
        "kind": "venue_outage",
        "reason": "none of 4 symbols has it",
    }
    return pl.DataFrame([row], schema=KLINE_GAPS.schema)


def test_resources_of_one_address_share_a_lake(tmp_path):
    uri = str(tmp_path)
    assert LakeResource(uri=uri).lake is LakeResource(uri=uri).lake
    assert LakeResource(uri=uri).lake is not LakeResource(uri=str(tmp_path / "other")).lake


def test_an_asset_writes_through_it(tmp_path):
    @dg.asset
    def kline_gaps(lake: LakeResource) -> dg.MaterializeResult:
        rows = gaps()
        return dg.MaterializeResult(metadata=partition_metadata(lake.lake.write(KLINE_GAPS, DAY, rows), rows))

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as instance:
        result = dg.materialize(
            [kline_gaps], resources={"lake": LakeResource(uri=str(tmp_path))}, instance=instance
        )
    assert result.success
    shown = result.asset_materializations_for_node("kline_gaps")[0].metadata
    assert shown["dagster/row_count"].value == 1
    assert shown["symbols"].value == 1
    assert len(shown["sha256"].value) == 64
    assert shown["first_time"].value == datetime(2025, 3, 1, 10, tzinfo=UTC).timestamp()
    assert "| A\\|B | 2025-03-01 10:00:00Z |" in shown["preview"].value
    assert [column.name for column in shown["dagster/column_schema"].schema.columns] == list(
        KLINE_GAPS.schema
    )


@pytest.mark.parametrize("dataset", ALL, ids=lambda dataset: dataset.name)
def test_the_schema_follows_the_declaration(dataset):
    schema = table_schema(dataset)
    assert [column.name for column in schema.columns] == [column.name for column in dataset.columns]
    for shown, declared in zip(schema.columns, dataset.columns, strict=True):
        assert shown.description.startswith(declared.description)
        assert declared.unit in shown.description
        assert shown.constraints.nullable == declared.nullable


def test_a_preview_is_short():
    wide = pl.DataFrame({f"c{number}": [None, 0.1 + 0.2] * 20 for number in range(PREVIEW_COLUMNS + 3)})
    lines = markdown_table(wide).splitlines()
    assert lines[-1] == "3 more columns"
    assert len(lines) == 2 + 8 + 2
    assert lines[3].startswith("| 0.3 | 0.3 |")
    assert markdown_table(wide.clear()) == "No rows."
