"""Strategies: the pairs worth trading, and the nightly search with its trial ledger and promotion gate."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import polars as pl

from assets.declare import lake_asset, write_days
from resources.factory.gate_checks import (
    GATE_CHECKS,
    TRIALS_COUNTED,
    CheckResult,
    gate_results,
    trials_result,
)
from resources.platform import PlatformResource
from trading.factory.evolution.generation import Round
from warehouse.datasets.research import STRATEGIES
from warehouse.datasets.selection import PAIR_SELECTION

#: Days before its own that the choice of pairs reads.
_PAIR_DAYS = 31
_CHECKS = {**GATE_CHECKS, TRIALS_COUNTED: "Every trial is in the ledger, and the ledger is whole."}


@lake_asset(
    PAIR_SELECTION,
    group="strategies",
    deps=["bars_1h", "screener_ratings_1h"],
    lookback_days=_PAIR_DAYS,
)
def pair_selection(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The day's best pairs by volatility, volume, momentum, rating and risk; yesterday's stay where none passes."""
    from resources.factory.selection import choose_pairs

    tidemill = platform.get()
    settings = tidemill.settings.factory.lifecycle.pairs

    def build(day: date) -> pl.DataFrame:
        return choose_pairs(tidemill.lake, day, settings)

    return write_days(context, tidemill.lake, PAIR_SELECTION, build)


@lake_asset(
    STRATEGIES,
    group="strategies",
    deps=["bars_15m"],
    kinds={"numba", "parquet", "mlflow"},
    pool="training",
    check_specs=[
        # They stop nothing: what did not pass the gate is not on paper, and that was decided before.
        dg.AssetCheckSpec(name, asset=STRATEGIES.name, description=text)
        for name, text in _CHECKS.items()
    ],
)
def strategies(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The day's search: genomes bred, back-tested and put on record; the gate says which go on paper."""
    from resources.factory.evolution_metadata import search_metadata
    from resources.factory.evolution_runs import log_generation
    from resources.factory.nightly import Night, search_night

    tidemill = platform.get()
    settings = tidemill.settings.factory.evolution
    nights: dict[date, Night] = {}
    shown: dict[str, dg.MetadataValue] = {}

    def progress(done: Round) -> None:
        context.log.info(
            f"search: {done.last} of {settings.evaluations} genomes, best Sharpe {done.best_sharpe:.2f}"
        )

    def build(day: date) -> pl.DataFrame:
        night = nights[day] = search_night(tidemill, day, progress)
        log_generation(
            tidemill.models.tracking_uri,
            tidemill.models.artifact_root,
            night.generation,
            settings,
            name=day.isoformat(),
            tags={"dagster_run_id": context.run.run_id, "partition": day.isoformat()},
        )
        checks = {one.strategy_id: [item.check for item in one.checks] for one in night.judgements}
        shown.update(
            search_metadata(
                night.generation, checks, night.on_paper, independent_trials=night.trials.equivalent
            )
        )
        return night.rows

    def checks(days: list[date]) -> Iterator[dg.AssetCheckResult]:
        night = nights[days[-1]]
        for result in gate_results(night.judgements, night.on_paper):
            yield _check(result)
        yield _check(trials_result(night.ledger, night.trials, len(night.generation.trials)))

    return write_days(context, tidemill.lake, STRATEGIES, build, extra=shown, checks=checks)


def _check(result: CheckResult) -> dg.AssetCheckResult:
    metadata = {name: value for name, value in result.metadata.items() if value is not None}
    table = metadata.pop("table", None)
    return dg.AssetCheckResult(
        check_name=result.name,
        asset_key=STRATEGIES.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.blocks else dg.AssetCheckSeverity.WARN,
        description=result.description,
        metadata=metadata if table is None else {**metadata, "table": dg.MetadataValue.md(str(table))},
    )
