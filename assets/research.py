"""Research: features, the confidence model and its cache."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl

from assets.declare import LOOKBACK_DAYS, lake_asset, write_days
from assets.partitions import DAILY, days_of
from resources.known import bars_as_of
from resources.known_features import FEATURE_DAYS, features_as_of
from resources.platform import Platform, PlatformResource
from trading.confidence import features as feature_set
from trading.confidence.labels import forward_labels
from trading.confidence.scoring import empty_confidence, score
from trading.confidence.settings import ConfidenceSettings
from trading.errors import BadData
from trading.model.days import end_ms
from trading.model.interval import Interval
from warehouse.datasets.market import BARS
from warehouse.datasets.research import FEATURE_ROWS, ML_CONFIDENCE
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS

#: Days of features that scoring looks back for a symbol's newest row.
_SCORING_DAYS = 1


@lake_asset(
    FEATURE_ROWS,
    group="confidence",
    deps=["bars_1h", "indicators_1h", "screener_ratings_1h", "screener_ratings_4h"],
    lookback_days=FEATURE_DAYS,
)
def features(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Model features of every hourly bar, from values known at its close."""
    tidemill = platform.get()
    lake, reference = tidemill.lake, tidemill.settings.universe.reference

    def build(day: date) -> pl.DataFrame:
        first = day - timedelta(days=FEATURE_DAYS)
        return feature_set.for_day(
            lake.window(BARS, first, day, Interval.H1),
            lake.window(INDICATORS, first, day, Interval.H1),
            lake.window(SCREENER_RATINGS, first, day, Interval.H1),
            lake.window(SCREENER_RATINGS, first, day, Interval.H4),
            reference,
            day,
        )

    return write_days(context, lake, FEATURE_ROWS, build)


@dg.asset(
    group_name="confidence",
    deps=["features"],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    kinds={"scikitlearn", "mlflow"},
    owners=["team:quant"],
    metadata={LOOKBACK_DAYS: ConfidenceSettings().training_days},
    description="The confidence classifier as of a day: trained, calibrated, judged on later data and "
    "registered; promoted only when it shows skill.",
    pool="training",
)
def confidence_model(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Train on features up to the end of the partition's day and register the result."""
    from trading.confidence.training import evidence, train

    tidemill = platform.get()
    day = days_of(context)[-1]
    labelled = _labelled(tidemill, day)
    try:
        trained = train(labelled, tidemill.settings.confidence, seed=day.toordinal())
    except BadData as too_little:
        context.log.warning(f"no model: {too_little}")
        return dg.MaterializeResult(metadata={"promoted": False, "reason": str(too_little)})
    version = tidemill.models.log_and_register(
        trained, tags={"dagster_run_id": context.run.run_id, "partition": day.isoformat()}
    )
    facts = evidence(trained)
    return dg.MaterializeResult(
        metadata={
            "version": version,
            "promoted": trained.has_skill,
            "evaluation": dg.MetadataValue.json(facts["evaluation"]),
            "slices": dg.MetadataValue.json({name: facts[name] for name in ("train", "calibration", "test")}),
        }
    )


def _labelled(tidemill: Platform, day: date) -> pl.DataFrame:
    first = day - timedelta(days=tidemill.settings.confidence.training_days)
    # What was corrected after the day was not known to whoever trained on it.
    rows = features_as_of(tidemill.lake, first, day, end_ms(day), tidemill.settings.universe.reference)
    bars = bars_as_of(tidemill.lake, first, day, Interval.H1, end_ms(day))
    return forward_labels(rows, bars, tidemill.settings.confidence)


@lake_asset(
    ML_CONFIDENCE,
    group="confidence",
    deps=["features", "confidence_model"],
    kinds={"scikitlearn"},
    lookback_days=_SCORING_DAYS,
)
def ml_confidence(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """The newest calibrated probability per symbol; no rows while no model has shown skill."""
    tidemill = platform.get()
    used: dict[str, str] = {}

    def build(day: date) -> pl.DataFrame:
        moment = datetime.fromtimestamp(min(end_ms(day), tidemill.clock.now_ms()) / 1000, UTC)
        model = tidemill.models.champion(moment)
        if model is None:
            used["model"] = "none promoted"
            return empty_confidence()
        used["model"] = f"{model.model_name}:{model.model_version}"
        rows = tidemill.lake.window(FEATURE_ROWS, day - timedelta(days=_SCORING_DAYS), day)
        return score(
            model.trained,
            rows,
            model_name=model.model_name,
            model_version=model.model_version,
            as_of=moment,
            settings=tidemill.settings.confidence,
        )

    return write_days(context, tidemill.lake, ML_CONFIDENCE, build, extra=used)
