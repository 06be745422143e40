"""Every dataset of the lake, by name."""

from __future__ import annotations

from warehouse.datasets import market, research, screening
from warehouse.schema import Dataset

ALL: tuple[Dataset, ...] = (
    market.INSTRUMENTS,
    market.KLINES,
    market.KLINE_GAPS,
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
)

BY_NAME: dict[str, Dataset] = {dataset.name: dataset for dataset in ALL}
