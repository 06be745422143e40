"""Great Expectations at work: in memory but for the pages, without a project folder, progress bars or network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from resources.warehouse_suite.gx import (
    Checkpoint,
    DataContextConfig,
    Expectation,
    ExpectationValidationResult,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
    ValidationDefinition,
    gx,
)
from resources.warehouse_suite.result import Outcome

_SITE = "warehouse"


class Validation:
    """One suite per table in a context of its own, and the site that shows what came of them."""

    def __init__(self, site: Path) -> None:
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)}
        self._context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
                data_docs_sites={
                    _SITE: {
                        "class_name": "SiteBuilder",
                        "show_how_to_buttons": False,
                        "store_backend": store,
                        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                    }
                },
            ),
        )
        self._tables = self._context.data_sources.add_pandas("lake")

    def run(self, name: str, frame: pl.DataFrame, asked: Sequence[Expectation]) -> list[Outcome]:
        """Validate a frame against a suite of this name, and keep the result for the site."""
        if not asked:
            return []
        suite = self._context.suites.add(gx.ExpectationSuite(name=name, expectations=list(asked)))
        batch = self._tables.add_dataframe_asset(name).add_batch_definition_whole_dataframe("day")
        definition = self._context.validation_definitions.add(
            ValidationDefinition(name=name, data=batch, suite=suite)
        )
        checkpoint = Checkpoint(
            name=name, validation_definitions=[definition], actions=[], result_format="SUMMARY"
        )
        done = self._context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": frame.to_pandas()}
        )
        return [_outcome(name, item) for result in done.run_results.values() for item in result.results]

    def render(self) -> None:
        """Write the site."""
        self._context.build_data_docs(site_names=[_SITE])


def _outcome(table: str, item: ExpectationValidationResult) -> Outcome:
    asked = item.expectation_config
    if asked is None:
        raise AssertionError("Great Expectations gave a result without its expectation")
    arguments = asked.kwargs
    return Outcome(
        table=table,
        column=str(arguments.get("column", "")),
        about=str((asked.meta or {}).get("about", "")),
        expectation=asked.type,
        succeeded=bool(item.success),
        observed=_observed(item),
        limits=_limits(arguments),
    )


def _observed(item: ExpectationValidationResult) -> str:
    problem = _problem(item.exception_info)
    if problem:
        return f"could not be evaluated: {problem}"
    found = item.result or {}
    if "unexpected_count" in found:
        known = [value for value in found.get("partial_unexpected_list", []) if value == value]
        examples = ", ".join(str(value) for value in known[:3])
        told = f"{found['unexpected_count']} of {found['element_count']} rows differ"
        return f"{told}: {examples}" if examples else told
    value = found.get("observed_value")
    values = value["values"] if isinstance(value, dict) else [value]
    return ", ".join(_text(one) for one in values)


def _problem(info: dict[str, Any] | None) -> str:
    """The message of an exception; Great Expectations nests one per metric, or gives one for all."""
    for part in (info or {}, *(info or {}).values()):
        if isinstance(part, dict) and part.get("raised_exception"):
            return str(part.get("exception_message"))
    return ""


def _limits(arguments: dict[str, Any]) -> str:
    if "quantile_ranges" in arguments:
        ranges = arguments["quantile_ranges"]
        named = zip(ranges["quantiles"], ranges["value_ranges"], strict=True)
        return "; ".join(f"{share:g}: {_text(low)} to {_text(high)}" for share, (low, high) in named)
    if "min_value" in arguments or "max_value" in arguments:
        return f"{_text(arguments.get('min_value'))} to {_text(arguments.get('max_value'))}"
    return "every row"


def _text(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
