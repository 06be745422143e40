"""The nightly warehouse suite: the tables of a closed day against the month before, with Data Docs."""

import dagster as dg
import polars as pl

from assets.partitions import DAILY, days_of
from resources.lake import PREVIEW_ROWS, markdown_table
from resources.platform import PlatformResource
from resources.warehouse_suite.result import SuiteResult
from resources.warehouse_suite.suite import run_suite
from resources.warehouse_suite.tables import TABLES
from trading.model.days import day_at

#: Where the pages go, under the home folder.
DATA_DOCS = "var/data_docs"
EXPECTATIONS_MET = "expectations_met"


@dg.asset(
    group_name="quality",
    deps=[table.name for table in TABLES],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"greatexpectations"},
    owners=["team:quant"],
    description="Great Expectations over the tables of a closed day: volumes and distributions against the month "
    "before, counts across tables, freshness. It informs and blocks nothing.",
    check_specs=[
        dg.AssetCheckSpec(
            EXPECTATIONS_MET,
            asset="warehouse_suite",
            blocking=False,
            description="Every expectation of the suite was met. Only warns.",
        )
    ],
)
def warehouse_suite(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Judge every day of the run and render its Data Docs."""
    tidemill = platform.get()
    folder, today = tidemill.settings.path(DATA_DOCS), day_at(tidemill.clock.now_ms())
    results = [run_suite(tidemill.lake, day, folder, today=today) for day in days_of(context)]
    newest, failures = results[-1], _failures(results)
    told = f"{failures.height} of {sum(len(result.outcomes) for result in results)} expectations were not met"
    return dg.MaterializeResult(
        metadata={
            "data_docs": dg.MetadataValue.path(str(newest.index)),
            "data_docs_url": dg.MetadataValue.url(newest.index.as_uri()),
            "expectations": sum(len(result.outcomes) for result in results),
            "failed": failures.height,
            "failures": dg.MetadataValue.md(_shown(failures)),
            "left_out": dg.MetadataValue.md(
                "\n".join(f"- {reason}" for reason in newest.left_out) or "Nothing."
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=EXPECTATIONS_MET,
                passed=failures.is_empty(),
                severity=dg.AssetCheckSeverity.WARN,
                description=told,
                metadata={"data_docs": dg.MetadataValue.path(str(newest.index))},
            )
        ],
    )


def _failures(results: list[SuiteResult]) -> pl.DataFrame:
    """One row per expectation that was not met."""
    rows = [
        {
            "day": result.day,
            "table": outcome.table,
            "what": outcome.about,
            "observed": outcome.observed,
            "expected": outcome.limits,
        }
        for result in results
        for outcome in result.failed
    ]
    return pl.DataFrame(rows)


def _shown(failures: pl.DataFrame) -> str:
    if failures.is_empty():
        return "Every expectation was met."
    more = failures.height - PREVIEW_ROWS
    return markdown_table(failures) + (f"\n\n{more} more in the Data Docs" if more > 0 else "")
