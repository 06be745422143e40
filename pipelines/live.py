"""The code location `live`: the only place that puts assets, jobs, sensors and resources together."""

from __future__ import annotations

import dagster as dg

from assets import futures, market, research, screening, strategies, universe, warehouse_suite
from pipelines.jobs import ASSET_JOBS
from pipelines.ops.cancel import cancel_open_orders_job
from pipelines.ops.decision import decision_job
from pipelines.ops.drill import kill_drill_job
from pipelines.ops.reconcile import reconcile_job
from pipelines.ops.strategies import activate_strategies_job, review_strategies_job
from pipelines.schedules import SCHEDULES
from resources.platform import PlatformResource
from sensors.alerts import alert_on_revised_klines, alert_on_run_failure, alert_on_stale_data
from sensors.decision import decide_on_new_ratings
from sensors.kill import cancel_on_halt

ASSETS = [
    universe.instruments,
    universe.universe,
    market.klines,
    market.reference_klines,
    market.certify_klines,
    *market.BARS_ASSETS,
    *screening.INDICATOR_ASSETS,
    *screening.RATING_ASSETS,
    screening.btc_condition,
    screening.fork_scores,
    screening.rating_kicks,
    research.features,
    research.confidence_model,
    research.ml_confidence,
    strategies.pair_selection,
    strategies.strategies,
    *futures.FUTURES_ASSETS,
    warehouse_suite.warehouse_suite,
]

defs = dg.Definitions(
    assets=ASSETS,
    jobs=[
        *ASSET_JOBS,
        decision_job,
        cancel_open_orders_job,
        reconcile_job,
        kill_drill_job,
        review_strategies_job,
        activate_strategies_job,
    ],
    schedules=SCHEDULES,
    sensors=[
        decide_on_new_ratings,
        alert_on_run_failure,
        alert_on_stale_data,
        alert_on_revised_klines,
        cancel_on_halt,
    ],
    resources={"platform": PlatformResource()},
    executor=dg.in_process_executor,
)
