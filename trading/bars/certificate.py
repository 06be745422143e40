"""The gap certificate: what a day's klines were expected to be, what they are, and what vouches for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import polars as pl
from annotated_types import Ge, Gt, Le

from trading.bars.gaps import DEFECTS, GAP_KINDS, day_bounds_ms, expected_minutes


@dataclass(frozen=True, slots=True)
class CertificateSettings:
    """When a symbol's day is refused.

    Attributes
    ----------
    agreement_tolerance_fraction
        Distance of two venues' closes, after the day's usual ratio between them, that still agrees.
    agreement_fraction
        Least share of the compared minutes that must agree with the second source.
    compared_minutes
        Fewer minutes than this are too few to refuse a day for disagreement.
    """

    agreement_tolerance_fraction: Annotated[float, Gt(0)] = 0.005
    agreement_fraction: Annotated[float, Ge(0), Le(1)] = 0.9
    compared_minutes: Annotated[int, Ge(1)] = 60


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything stored beside a day's klines, each a frame of the dataset of that name.

    Attributes
    ----------
    gaps, repairs, files, revisions, reference
        Rows of ``kline_gaps``, ``kline_repairs``, ``kline_sources``, ``kline_revisions`` and
        ``reference_klines``.
    second_source
        Name of the other venue; None when none is asked.
    final
        Whether the day had closed when its klines were last fetched.
    klines_sha256
        SHA-256 of the partition that is certified.
    """

    gaps: pl.DataFrame
    repairs: pl.DataFrame
    files: pl.DataFrame
    revisions: pl.DataFrame
    reference: pl.DataFrame
    second_source: str | None
    final: bool
    klines_sha256: str


def certify(
    klines: pl.DataFrame,
    universe: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    evidence: Evidence,
    settings: CertificateSettings,
    *,
    missing_fraction: float,
) -> pl.DataFrame:
    """One certificate per symbol of the universe.

    Parameters
    ----------
    klines
        Rows of the day, one per symbol and minute.
    universe
        Who is followed: columns ``symbol``, ``listed_at``, ``delisted_at``.
    missing_fraction
        Largest share of the expected minutes that may be missing although they must exist.

    Returns
    -------
    polars.DataFrame
        Rows of the ``kline_certificates`` dataset, sorted by symbol. A symbol is refused when it has no
        bars although some were expected, when too many minutes are missing that must exist, or when a
        second venue disagrees; every missing minute stands under its kind.
    """
    start, end = day_bounds_ms(day, closed_before_ms)
    inside = klines.filter(pl.col("open_time").dt.epoch("ms").is_between(start, end, closed="left"))
    counts = inside.group_by("symbol").agg(
        pl.len().cast(pl.Int64).alias("observed"),
        (pl.col("volume") == 0).sum().cast(pl.Int64).alias("zero_volume"),
    )
    holes = evidence.gaps.group_by("symbol").agg(
        pl.col("missing_minutes").filter(pl.col("kind") == kind).sum().alias(f"{kind}_minutes")
        for kind in GAP_KINDS
    )
    repaired = evidence.repairs.group_by("symbol").agg(pl.col("found").sum().alias("repaired"))
    revised = evidence.revisions.group_by("symbol").agg(
        pl.col("open_time").n_unique().cast(pl.Int64).alias("revised")
    )
    rows = expected_minutes(universe, day, closed_before_ms)
    for facts in (counts, holes, repaired, revised, source_counts(inside), file_hashes(evidence.files)):
        rows = rows.join(facts, on="symbol", how="left")
    rows = rows.join(_agreement(inside, evidence, settings), on="symbol", how="left")
    counted = [
        "observed",
        "zero_volume",
        "repaired",
        "revised",
        "files",
        *(f"{k}_minutes" for k in GAP_KINDS),
    ]
    rows = rows.with_columns(
        pl.col(counted).fill_null(0),
        pl.col("sources").fill_null("{}"),
        pl.lit(evidence.final).alias("final"),
        pl.lit(evidence.klines_sha256).alias("klines_sha256"),
    ).with_columns(_reason(settings, missing_fraction).alias("reason"))
    status = pl.when(pl.col("reason") == "").then(pl.lit("certified")).otherwise(pl.lit("refused"))
    return rows.with_columns(status.alias("status")).select(COLUMNS).sort("symbol")


#: Columns of a certificate, as they are stored.
COLUMNS = (
    "symbol",
    "status",
    "reason",
    "final",
    "expected",
    "observed",
    "zero_volume",
    *(f"{kind}_minutes" for kind in GAP_KINDS),
    "repaired",
    "sources",
    "files",
    "files_sha256",
    "revised",
    "second_source",
    "compared",
    "agreement",
    "largest_deviation_fraction",
    "klines_sha256",
)


def _reason(settings: CertificateSettings, missing_fraction: float) -> pl.Expr:
    missing = pl.sum_horizontal(f"{kind}_minutes" for kind in DEFECTS)
    disagrees = (pl.col("compared") >= settings.compared_minutes) & (
        pl.col("agreement") < settings.agreement_fraction
    )
    return (
        pl.when((pl.col("expected") > 0) & (pl.col("observed") == 0) & (missing > 0))
        .then(pl.lit("it has no klines"))
        .when(missing > missing_fraction * pl.col("expected"))
        .then(pl.format("{} of {} minutes are missing that must exist", missing, "expected"))
        .when(disagrees)
        .then(
            pl.format(
                "only {} % of {} minutes agree with {}",
                (pl.col("agreement") * 100).round(1),
                "compared",
                "second_source",
            )
        )
        .otherwise(pl.lit(""))
    )


def source_counts(klines: pl.DataFrame) -> pl.DataFrame:
    """Rows per source as JSON, per symbol."""
    counts = klines.group_by("symbol", "source").len().sort("symbol", "source")
    entry = pl.format('"{}":{}', "source", "len")
    return counts.group_by("symbol").agg((pl.lit("{") + entry.str.join(",") + pl.lit("}")).alias("sources"))


def file_hashes(files: pl.DataFrame) -> pl.DataFrame:
    """Number of verified files behind each symbol, and one hash over their checksums."""
    grouped = (
        files.sort("symbol", "file")
        .group_by("symbol", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("files"), pl.col("sha256").str.join("\n"))
    )
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in grouped["sha256"]]
    return grouped.drop("sha256").with_columns(pl.Series("files_sha256", hashes, dtype=pl.String))


def _agreement(klines: pl.DataFrame, evidence: Evidence, settings: CertificateSettings) -> pl.DataFrame:
    """How far the closes agree with the other venue's, after the day's usual ratio of the two.

    The ratio is there because the venues quote in different dollars.
    """
    ratio = pl.col("close") / pl.col("close_right")
    deviation = (ratio / ratio.median().over("symbol") - 1).abs()
    both = (
        klines.select("symbol", "open_time", "close")
        .join(evidence.reference.select("symbol", "open_time", "close"), on=["symbol", "open_time"])
        .with_columns(deviation.alias("deviation"))
    )
    return both.group_by("symbol").agg(
        pl.lit(evidence.second_source, pl.String).first().alias("second_source"),
        pl.len().cast(pl.Int64).alias("compared"),
        (pl.col("deviation") <= settings.agreement_tolerance_fraction).mean().alias("agreement"),
        pl.col("deviation").max().alias("largest_deviation_fraction"),
    )
