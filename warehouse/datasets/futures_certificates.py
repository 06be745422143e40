"""What vouches for the series of perpetuals: their files, holes, repairs and certificates."""

from __future__ import annotations

import polars as pl

from trading.bars.gaps import GAP_KINDS
from warehouse.datasets.certificates import KLINE_REPAIRS, KLINE_SOURCES
from warehouse.datasets.common import SYMBOL
from warehouse.datasets.futures import (
    FUNDING_RATES,
    INDEX_KLINES,
    MARK_KLINES,
    OPEN_INTEREST,
    PREMIUM_KLINES,
    USDM_KLINES,
)
from warehouse.schema import TIMESTAMP, Column, Dataset

#: Every series of perpetuals that is certified.
CERTIFIED_SERIES = (USDM_KLINES, MARK_KLINES, INDEX_KLINES, PREMIUM_KLINES, FUNDING_RATES, OPEN_INTEREST)

SERIES = Column(
    "series",
    pl.String,
    "",
    "Dataset of the series; its rows are minutes, payments of funding, or counts every five minutes",
    allowed=tuple(dataset.name for dataset in CERTIFIED_SERIES),
)

FUTURES_SOURCES = Dataset(
    name="futures_sources",
    description="The files behind a day of the perpetuals' series, with the checksums that they were verified against.",
    columns=(SERIES, *KLINE_SOURCES.columns),
    key=("series", *KLINE_SOURCES.key),
    time_column=None,
)

FUTURES_REPAIRS = Dataset(
    name="futures_repairs",
    description="Holes in the klines of perpetuals that other sources were asked to fill, and what they had.",
    columns=(SERIES, *KLINE_REPAIRS.columns),
    key=("series", *KLINE_REPAIRS.key),
    time_column=KLINE_REPAIRS.time_column,
)

FUTURES_GAPS = Dataset(
    name="futures_gaps",
    description="Runs of missing rows of the perpetuals' series, each with what it is and how that is known.",
    columns=(
        SERIES,
        SYMBOL,
        Column("first_missing", TIMESTAMP, "UTC", "Time of the first missing row"),
        Column("last_missing", TIMESTAMP, "UTC", "Time of the last missing row"),
        Column("missing_rows", pl.Int64, "count", "Length of the hole in rows of the series", False, 1),
        Column(
            "kind",
            pl.String,
            "",
            "; ".join(f"{name}: {meaning}" for name, meaning in GAP_KINDS.items()),
            allowed=tuple(GAP_KINDS),
        ),
        Column("reason", pl.String, "", "What the classification stands on"),
    ),
    key=("series", "symbol", "first_missing"),
    time_column="first_missing",
)

FUTURES_CERTIFICATES = Dataset(
    name="futures_certificates",
    description="A day of every series of perpetuals, contract by contract: what was expected, what is there, and what vouches for it.",
    columns=(
        SERIES,
        SYMBOL,
        Column("status", pl.String, "", "certified or refused", allowed=("certified", "refused")),
        Column("reason", pl.String, "", "Why it is refused; empty when certified"),
        Column("expected", pl.Int64, "count", "Rows that were due; null where nobody can tell", True, 0),
        Column("observed", pl.Int64, "count", "Rows that are there", False, 0),
        *(
            Column(f"{kind}_rows", pl.Int64, "count", f"Missing: {meaning}", False, 0)
            for kind, meaning in GAP_KINDS.items()
        ),
        Column("repaired", pl.Int64, "count", "Rows fetched from a source other than the first", False, 0),
        Column("sources", pl.String, "", "Rows per source as JSON"),
        Column("files", pl.Int64, "count", "Files behind the rows that were verified by checksum", False, 0),
        Column("files_sha256", pl.String, "", "SHA-256 over their checksums; null without files", True),
        Column("revised", pl.Int64, "count", "Rows whose value was replaced since first stored", False, 0),
        Column("partition_sha256", pl.String, "", "SHA-256 of the certified partition"),
    ),
    key=("series", "symbol"),
    time_column=None,
)
