"""What the series of perpetuals were over time: the versions of their partitions, and the values that gave way."""

from __future__ import annotations

import polars as pl

from trading.bars.revisions import KLINE, Subject
from warehouse.datasets.certificates import KLINE_REVISIONS, KLINE_VERSIONS
from warehouse.datasets.common import KNOWN_AT, SOURCE, SYMBOL, number
from warehouse.datasets.futures import (
    FUNDING_RATES,
    INDEX_KLINES,
    MARK_KLINES,
    OPEN_INTEREST,
    PREMIUM_KLINES,
    USDM_KLINES,
)
from warehouse.datasets.futures_certificates import SERIES
from warehouse.schema import TIMESTAMP, Column, Dataset

_PRICE = Subject("open_time", ("open", "high", "low", "close"))
#: What the rows of each series say. The interval of a payment is told by the archive and derived from REST.
SUBJECTS: dict[str, Subject] = {
    USDM_KLINES.name: KLINE,
    MARK_KLINES.name: _PRICE,
    INDEX_KLINES.name: _PRICE,
    PREMIUM_KLINES.name: _PRICE,
    FUNDING_RATES.name: Subject("funding_time", ("funding_rate",), ("interval_hours",)),
    OPEN_INTEREST.name: Subject("time", ("open_interest", "open_interest_value")),
}
_COUNTS = ("trades", "interval_hours")
#: Every value of every series, each once.
_TOLD = tuple(dict.fromkeys(name for subject in SUBJECTS.values() for name in subject.told))

FUTURES_VERSIONS = Dataset(
    name="futures_versions",
    description="What the partitions of the perpetuals' series were over time: every final version, and the provisional one that the first corrected.",
    columns=(SERIES, *KLINE_VERSIONS.columns),
    key=("series", *KLINE_VERSIONS.key),
    time_column=None,
)

FUTURES_REVISIONS = Dataset(
    name="futures_revisions",
    description="Every value of the perpetuals' series that was replaced, and when it was believed. Columns that a series does not have are null.",
    columns=(
        SERIES,
        SYMBOL,
        Column("time", TIMESTAMP, "UTC", "The moment that the value is of"),
        KLINE_REVISIONS.column("known_until"),
        *(
            Column(
                name, pl.Int64, "count" if name == "trades" else "hours", f"As in the series: {name}", True
            )
            if name in _COUNTS
            else number(name, "", f"As in the series: {name}")
            for name in _TOLD
        ),
        SOURCE,
        KNOWN_AT,
        KLINE_REVISIONS.column("partition_sha256"),
        KLINE_REVISIONS.column("replaced_by"),
    ),
    key=("series", "symbol", "time", "known_until"),
    time_column="time",
)
