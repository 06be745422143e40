"""Certificates for the series of perpetuals: what was expected, what is there, and what vouches for it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trading.bars.certificate import file_hashes, source_counts
from trading.bars.gaps import DEFECTS, GAP_KINDS


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One series of one day.

    Attributes
    ----------
    name
        Dataset of the series.
    rows
        Its rows, with ``symbol`` and ``source``; those outside the day are not counted by the caller.
    expected
        Columns ``symbol`` and ``expected``: rows that each contract should have; null where nobody can tell.
    gaps
        Rows as `find_gaps` gives them.
    repairs, files, revisions
        Rows with ``symbol`` and ``found``; with ``symbol``, ``file`` and ``sha256``; with ``symbol`` and ``time``.
    sha256
        SHA-256 of the stored partition.
    """

    name: str
    rows: pl.DataFrame
    expected: pl.DataFrame
    gaps: pl.DataFrame
    repairs: pl.DataFrame
    files: pl.DataFrame
    revisions: pl.DataFrame
    sha256: str


#: Columns of a certificate, as they are stored.
COLUMNS = (
    "series",
    "symbol",
    "status",
    "reason",
    "expected",
    "observed",
    *(f"{kind}_rows" for kind in GAP_KINDS),
    "repaired",
    "sources",
    "files",
    "files_sha256",
    "revised",
    "partition_sha256",
)


def certify_series(facts: SeriesFacts, *, missing_fraction: float) -> pl.DataFrame:
    """One certificate per contract: rows of the ``futures_certificates`` dataset, sorted by symbol.

    A contract is refused when nobody can tell what was due, when it has no rows although some were
    expected, or when more than ``missing_fraction`` of them are missing that must exist.
    """
    observed = facts.rows.group_by("symbol").agg(pl.len().cast(pl.Int64).alias("observed"))
    holes = facts.gaps.group_by("symbol").agg(
        pl.col("missing_minutes").filter(pl.col("kind") == kind).sum().alias(f"{kind}_rows")
        for kind in GAP_KINDS
    )
    repaired = facts.repairs.group_by("symbol").agg(pl.col("found").sum().alias("repaired"))
    revised = facts.revisions.group_by("symbol").agg(
        pl.col("time").n_unique().cast(pl.Int64).alias("revised")
    )
    rows = facts.expected
    for known in (observed, holes, repaired, revised, source_counts(facts.rows), file_hashes(facts.files)):
        rows = rows.join(known, on="symbol", how="left")
    rows = rows.with_columns(
        pl.col("observed", "repaired", "files", "revised", *(f"{kind}_rows" for kind in GAP_KINDS)).fill_null(
            0
        ),
        pl.col("sources").fill_null("{}"),
        pl.lit(facts.name).alias("series"),
        pl.lit(facts.sha256).alias("partition_sha256"),
    ).with_columns(_reason(missing_fraction).alias("reason"))
    status = pl.when(pl.col("reason") == "").then(pl.lit("certified")).otherwise(pl.lit("refused"))
    return rows.with_columns(status.alias("status")).select(COLUMNS).sort("symbol")


def _reason(missing_fraction: float) -> pl.Expr:
    missing = pl.sum_horizontal(f"{kind}_rows" for kind in DEFECTS)
    return (
        pl.when(pl.col("expected").is_null())
        .then(pl.lit("nobody can tell what was due: its funding interval is not known"))
        .when((pl.col("expected") > 0) & (pl.col("observed") == 0) & (missing > 0))
        .then(pl.lit("it has no rows"))
        .when(missing > missing_fraction * pl.col("expected"))
        .then(pl.format("{} of {} rows are missing that must exist", missing, "expected"))
        .otherwise(pl.lit(""))
    )
