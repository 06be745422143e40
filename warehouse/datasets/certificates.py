"""What vouches for the klines: their files, holes, corrections, a second opinion and the certificate."""

from __future__ import annotations

import polars as pl

from trading.bars.gaps import GAP_KINDS
from warehouse.datasets.common import KNOWN_AT, OPEN_TIME, SOURCE, SYMBOL, TRADED, number
from warehouse.schema import TIMESTAMP, Column, Dataset

REFERENCE_KLINES = Dataset(
    name="reference_klines",
    description="One-minute candles of another venue, for a second opinion on the same minutes.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        *TRADED[:5],
        Column("source", pl.String, "", "The other venue, such as coinbase"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
)

KLINE_SOURCES = Dataset(
    name="kline_sources",
    description="The files behind a day's klines, with the checksums that they were verified against.",
    columns=(
        SYMBOL,
        Column("file", pl.String, "", "Name of the file at the source"),
        Column("sha256", pl.String, "", "SHA-256 of the file, as the venue published it"),
        Column("size_bytes", pl.Int64, "bytes", "Size of the file", False, 0),
        SOURCE,
    ),
    key=("symbol", "file"),
    time_column=None,
)

KLINE_REVISIONS = Dataset(
    name="kline_revisions",
    description="Every value of a kline that was replaced, and when it was believed: nothing is forgotten.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        Column("known_until", TIMESTAMP, "UTC", "When a newer value, or its removal, became known"),
        *TRADED,
        SOURCE,
        KNOWN_AT,
        Column("partition_sha256", pl.String, "", "SHA-256 of the partition that held the value"),
        Column("replaced_by", pl.String, "", "Source of the value that replaced it; empty for a removal"),
    ),
    key=("symbol", "open_time", "known_until"),
    time_column="open_time",
)

KLINE_VERSIONS = Dataset(
    name="kline_versions",
    description="What a partition of klines was over time: every final version, and the provisional one that the first corrected.",
    columns=(
        Column("version", pl.Int64, "", "1 is the first version stored", False, 1),
        Column("stored_at", TIMESTAMP, "UTC", "When it was stored, by the market's clock"),
        Column("sha256", pl.String, "", "SHA-256 of the partition"),
        Column("rows", pl.Int64, "count", "Rows of the partition", False, 0),
        Column("changed", pl.Int64, "count", "Rows whose value differs from the version before", False, 0),
        Column(
            "late",
            pl.Int64,
            "count",
            "Rows that the version before lacked although they had closed",
            False,
            0,
        ),
        Column("through", TIMESTAMP, "UTC", "End of what the source was asked for"),
        Column("final", pl.Boolean, "", "Whether the day had closed when the source was asked"),
        Column("source", pl.String, "", "The source that was asked first"),
    ),
    key=("version",),
    time_column=None,
)

KLINE_REPAIRS = Dataset(
    name="kline_repairs",
    description="Holes that other sources were asked to fill, and what they had.",
    columns=(
        SYMBOL,
        Column("first_missing", TIMESTAMP, "UTC", "Open time of the first missing minute"),
        Column("last_missing", TIMESTAMP, "UTC", "Open time of the last missing minute"),
        Column("missing_minutes", pl.Int64, "minutes", "Length of the hole", False, 1),
        Column("asked", pl.String, "", "The source that was asked"),
        Column("found", pl.Int64, "minutes", "Minutes that it had", False, 0),
        Column("asked_at", TIMESTAMP, "UTC", "When, by the market's clock"),
    ),
    key=("symbol", "first_missing", "asked"),
    time_column="first_missing",
)

KLINE_GAPS = Dataset(
    name="kline_gaps",
    description="Runs of minutes without a kline, per symbol, each with what it is and how that is known.",
    columns=(
        SYMBOL,
        Column("first_missing", TIMESTAMP, "UTC", "Open time of the first missing minute"),
        Column("last_missing", TIMESTAMP, "UTC", "Open time of the last missing minute"),
        Column("missing_minutes", pl.Int64, "minutes", "Length of the hole", False, 1),
        Column(
            "kind",
            pl.String,
            "",
            "; ".join(f"{name}: {meaning}" for name, meaning in GAP_KINDS.items()),
            allowed=tuple(GAP_KINDS),
        ),
        Column("reason", pl.String, "", "What the classification stands on"),
    ),
    key=("symbol", "first_missing"),
    time_column="first_missing",
)

KLINE_CERTIFICATES = Dataset(
    name="kline_certificates",
    description="The day's klines, symbol by symbol: what was expected, what is there, and what vouches for it.",
    columns=(
        SYMBOL,
        Column("status", pl.String, "", "certified or refused", allowed=("certified", "refused")),
        Column("reason", pl.String, "", "Why it is refused; empty when certified"),
        Column("final", pl.Boolean, "", "Whether the day had closed when its klines were last fetched"),
        Column("expected", pl.Int64, "minutes", "Minutes that the instrument could trade", False, 0),
        Column("observed", pl.Int64, "minutes", "Minutes with a kline", False, 0),
        Column(
            "zero_volume", pl.Int64, "minutes", "Of these, minutes without trades: data, not gaps", False, 0
        ),
        *(
            Column(f"{kind}_minutes", pl.Int64, "minutes", f"Missing: {meaning}", False, 0)
            for kind, meaning in GAP_KINDS.items()
        ),
        Column(
            "repaired", pl.Int64, "minutes", "Minutes fetched from a source other than the first", False, 0
        ),
        Column("sources", pl.String, "", "Rows per source as JSON"),
        Column("files", pl.Int64, "count", "Files behind the rows that were verified by checksum", False, 0),
        Column("files_sha256", pl.String, "", "SHA-256 over their checksums; null without files", True),
        Column(
            "revised", pl.Int64, "minutes", "Minutes whose value was replaced since first stored", False, 0
        ),
        Column("second_source", pl.String, "", "The other venue that was asked; null for none", True),
        Column("compared", pl.Int64, "minutes", "Minutes that both venues have", True, 0),
        number("agreement", "fraction", "Share of these whose closes agree", minimum=0.0, maximum=1.0),
        number("largest_deviation_fraction", "fraction", "Largest distance between closes", minimum=0.0),
        Column("klines_sha256", pl.String, "", "SHA-256 of the certified partition"),
    ),
    key=("symbol",),
    time_column=None,
)
