"""Every dataset of the lake, by name."""

from __future__ import annotations

from warehouse.datasets import (
    certificates,
    futures,
    futures_certificates,
    futures_history,
    instruments,
    market,
    research,
    screening,
    selection,
    trials,
)
from warehouse.schema import Dataset

ALL: tuple[Dataset, ...] = (
    instruments.INSTRUMENTS,
    instruments.UNIVERSE,
    market.KLINES,
    certificates.KLINE_SOURCES,
    certificates.KLINE_VERSIONS,
    certificates.KLINE_REVISIONS,
    certificates.KLINE_REPAIRS,
    certificates.KLINE_GAPS,
    certificates.KLINE_CERTIFICATES,
    certificates.REFERENCE_KLINES,
    futures.USDM_KLINES,
    futures.MARK_KLINES,
    futures.INDEX_KLINES,
    futures.PREMIUM_KLINES,
    futures.FUNDING_RATES,
    futures.OPEN_INTEREST,
    futures_certificates.FUTURES_SOURCES,
    futures_history.FUTURES_VERSIONS,
    futures_history.FUTURES_REVISIONS,
    futures_certificates.FUTURES_REPAIRS,
    futures_certificates.FUTURES_GAPS,
    futures_certificates.FUTURES_CERTIFICATES,
    market.BARS,
    screening.INDICATORS,
    screening.BTC_CONDITION,
    screening.SCREENER_RATINGS,
    screening.FORK_SCORES,
    screening.RATING_KICKS,
    research.FEATURE_ROWS,
    research.ML_CONFIDENCE,
    research.STRATEGIES,
    research.AUDIT_ANCHORS,
    selection.PAIR_SELECTION,
    trials.TRIALS,
)

BY_NAME: dict[str, Dataset] = {dataset.name: dataset for dataset in ALL}
