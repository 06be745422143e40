"""The jobs over assets: the daily graph, weekly training and nightly strategies."""

from __future__ import annotations

import dagster as dg

#: Groups that make a day's market view, from klines to the confidence cache.
DAILY_GROUPS = ("market", "bars", "indicators", "screening", "confidence")

daily_job = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.groups(*DAILY_GROUPS) - dg.AssetSelection.assets("confidence_model"),
    description="Klines to confidence for one day, every blocking check in the same run.",
    tags={"tidemill/kind": "data"},
)

backfill_job = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.groups("market", "bars", "indicators", "screening")
    | dg.AssetSelection.assets("features"),
    description="Klines to fork scores and features for a range of days, one run for the whole range.",
    tags={"tidemill/kind": "data"},
)

intraday_job = dg.define_asset_job(
    "intraday",
    selection=dg.AssetSelection.groups(*DAILY_GROUPS) - dg.AssetSelection.assets("confidence_model"),
    description="Extend the open day by the bars that have closed; the live loop selects what a close touches.",
    tags={"tidemill/kind": "data"},
)

finalise_job = dg.define_asset_job(
    "finalise",
    selection=dg.AssetSelection.assets("klines", "reference_klines", "kline_gaps", "kline_certificates"),
    description="Fetch a closed day again once its archive is out, and compare it with what was stored.",
    tags={"tidemill/kind": "data"},
)

suite_job = dg.define_asset_job(
    "nightly_suite",
    selection=dg.AssetSelection.assets("warehouse_suite"),
    description="Great Expectations over the tables of a closed day, rendered as Data Docs.",
    tags={"tidemill/kind": "data"},
)

futures_job = dg.define_asset_job(
    "futures",
    selection=dg.AssetSelection.groups("futures"),
    description="Perpetuals: klines, mark, index and premium prices, funding and open interest.",
    tags={"tidemill/kind": "data"},
)

training_job = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.assets("confidence_model"),
    description="Train, judge and register the confidence model as of a day.",
    tags={"tidemill/kind": "research"},
)

strategies_job = dg.define_asset_job(
    "strategy_search",
    selection=dg.AssetSelection.assets("strategies"),
    description="Breed and back-test strategies, put every trial on record, judge them; who passes goes on paper.",
    tags={"tidemill/kind": "research"},
)

pairs_job = dg.define_asset_job(
    "pair_selection_job",
    selection=dg.AssetSelection.assets("pair_selection"),
    description="Choose the day's best pairs.",
    tags={"tidemill/kind": "research"},
)

ASSET_JOBS = [
    daily_job,
    backfill_job,
    intraday_job,
    finalise_job,
    futures_job,
    suite_job,
    training_job,
    strategies_job,
    pairs_job,
]
