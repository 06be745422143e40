"""Two times of every kline: the minute that it is of, and the span in which its value was believed."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

#: What a kline says; where it came from and when are no part of its value.
VALUES = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_base",
    "taker_buy_quote",
)
_KEY = ["symbol", "open_time"]
_STAMP = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, slots=True)
class Merged:
    """A partition brought up to date.

    Attributes
    ----------
    klines
        Rows of the ``klines`` dataset, sorted by symbol and time.
    replaced
        Rows of the ``kline_revisions`` dataset: the values that gave way.
    late
        Rows that the stored partition should have had, and did not.
    """

    klines: pl.DataFrame
    replaced: pl.DataFrame
    late: int


def merge(
    stored: pl.DataFrame,
    fresh: pl.DataFrame,
    *,
    stored_before_ms: int,
    fetched_at_ms: int,
    partition_sha256: str,
) -> Merged:
    """Put what was fetched in place of what was stored, forgetting nothing.

    Parameters
    ----------
    stored, fresh
        Rows of the ``klines`` dataset of one day, unique by symbol and time.
    stored_before_ms
        End of what had been asked for when ``stored`` was fetched.
    fetched_at_ms
        When ``fresh`` was fetched.
    partition_sha256
        SHA-256 of the partition that held ``stored``.

    Returns
    -------
    Merged
        An unchanged value keeps the time at which it became known. A changed one is known from the
        fetch on, and so is one that was missing though its minute had been asked for. A stored row that
        the source no longer has stays: a source may lose data, we do not.
    """
    both = fresh.join(stored.select(*_KEY, *VALUES, "known_at"), on=_KEY, how="left", suffix="_stored")
    absent = pl.col("known_at_stored").is_null()
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_stored")) for name in VALUES)
    late = absent & (pl.col("open_time").dt.epoch("ms") < stored_before_ms)
    fetched = pl.max_horizontal(pl.lit(fetched_at_ms).cast(_STAMP), pl.col("known_at"))
    known_at = (
        pl.when(~absent & same)
        .then("known_at_stored")
        .when(~absent | late)
        .then(fetched)
        .otherwise("known_at")
        .alias("known_at")
    )
    changed = both.filter(~absent & ~same).select(*_KEY, pl.col("source").alias("replaced_by"))
    replaced = stored.join(changed, on=_KEY, how="inner").with_columns(
        pl.lit(fetched_at_ms).cast(_STAMP).alias("known_until"),
        pl.lit(partition_sha256).alias("partition_sha256"),
    )
    kept = stored.join(fresh.select(_KEY), on=_KEY, how="anti")
    current = both.with_columns(known_at).select(fresh.columns)
    return Merged(
        klines=pl.concat([kept, current]).sort(_KEY),
        replaced=replaced.select(
            *_KEY, "known_until", *VALUES, "source", "known_at", "partition_sha256", "replaced_by"
        ),
        late=int(both.select(late.sum()).item() or 0),
    )


def remembered(before: pl.DataFrame, replaced: pl.DataFrame) -> pl.DataFrame:
    """All replaced values of a day, each believed in one span: ``kline_revisions`` rows, sorted.

    A run that was killed before it stored the new klines replaces the same values again; the span
    that was recorded last is the one that ended.
    """
    everything = pl.concat([before, replaced])
    return everything.unique([*_KEY, "known_at"], keep="last").sort(*_KEY, "known_until")


def as_known(klines: pl.DataFrame, revisions: pl.DataFrame, at_ms: int) -> pl.DataFrame:
    """The klines as they were known at a moment: rows of the ``klines`` dataset, sorted.

    Parameters
    ----------
    klines, revisions
        Rows of the ``klines`` and ``kline_revisions`` datasets, of any days.
    at_ms
        The moment, UTC. Values that became known at it count as known.
    """
    moment = pl.lit(at_ms).cast(_STAMP)
    since = pl.col("known_at") <= moment
    believed = revisions.filter(since & (pl.col("known_until") > moment)).select(klines.columns)
    return pl.concat([klines.filter(since), believed]).sort(_KEY)
