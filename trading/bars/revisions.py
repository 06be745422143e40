"""Two times of every row of a series: the moment that it is of, and the span in which its value was believed."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

#: What a kline of traded prices says; where it came from and when are no part of its value.
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
_STAMP = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rows of a series say, and of which moment.

    Attributes
    ----------
    time
        Column of the moment; with ``symbol`` it identifies a row.
    values
        Columns that are the row's value: a difference in any of them is a correction.
    details
        Columns that describe the value and may be told later, or by one source only; a difference in
        them corrects nothing.
    """

    time: str
    values: tuple[str, ...]
    details: tuple[str, ...] = ()

    @property
    def key(self) -> list[str]:
        """Columns that identify a row."""
        return ["symbol", self.time]

    @property
    def told(self) -> tuple[str, ...]:
        """Everything that a row says."""
        return (*self.values, *self.details)


KLINE = Subject("open_time", VALUES)


@dataclass(frozen=True, slots=True)
class Merged:
    """A partition brought up to date.

    Attributes
    ----------
    rows
        Rows of the series' dataset, sorted by symbol and time.
    replaced
        The values that gave way: rows of the ``kline_revisions`` dataset for klines, and its columns with
        the series' own time and values for others.
    late
        Rows that the stored partition should have had, and did not.
    """

    rows: pl.DataFrame
    replaced: pl.DataFrame
    late: int


def merge(
    stored: pl.DataFrame,
    fresh: pl.DataFrame,
    *,
    stored_before_ms: int,
    fetched_at_ms: int,
    partition_sha256: str,
    subject: Subject = KLINE,
) -> Merged:
    """Put what was fetched in place of what was stored, forgetting nothing.

    Parameters
    ----------
    stored, fresh
        Rows of the series' dataset of one day, unique by symbol and time, with ``source`` and ``known_at``.
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
    key, values = subject.key, subject.values
    both = fresh.join(stored.select(*key, *values, "known_at"), on=key, how="left", suffix="_stored")
    absent = pl.col("known_at_stored").is_null()
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_stored")) for name in values)
    late = absent & (pl.col(subject.time).dt.epoch("ms") < stored_before_ms)
    fetched = pl.max_horizontal(pl.lit(fetched_at_ms).cast(_STAMP), pl.col("known_at"))
    known_at = (
        pl.when(~absent & same)
        .then("known_at_stored")
        .when(~absent | late)
        .then(fetched)
        .otherwise("known_at")
        .alias("known_at")
    )
    changed = both.filter(~absent & ~same).select(*key, pl.col("source").alias("replaced_by"))
    replaced = stored.join(changed, on=key, how="inner").with_columns(
        pl.lit(fetched_at_ms).cast(_STAMP).alias("known_until"),
        pl.lit(partition_sha256).alias("partition_sha256"),
    )
    kept = stored.join(fresh.select(key), on=key, how="anti")
    current = both.with_columns(known_at).select(fresh.columns)
    return Merged(
        rows=pl.concat([kept, current]).sort(key),
        replaced=replaced.select(
            *key, "known_until", *subject.told, "source", "known_at", "partition_sha256", "replaced_by"
        ),
        late=int(both.select(late.sum()).item() or 0),
    )


def remembered(before: pl.DataFrame, replaced: pl.DataFrame, subject: Subject = KLINE) -> pl.DataFrame:
    """All replaced values of a day, each believed in one span, in the columns of both frames, sorted.

    A run that was killed before it stored the new klines replaces the same values again; the span
    that was recorded last is the one that ended.
    """
    everything = pl.concat([before, replaced])
    return everything.unique([*subject.key, "known_at"], keep="last").sort(*subject.key, "known_until")


def as_known(
    rows: pl.DataFrame, revisions: pl.DataFrame, at_ms: int, subject: Subject = KLINE
) -> pl.DataFrame:
    """A series as it was known at a moment: rows of its dataset, sorted.

    Parameters
    ----------
    rows, revisions
        Rows of the series' dataset, and the values that gave way, of any days.
    at_ms
        The moment, UTC. Values that became known at it count as known.
    """
    moment = pl.lit(at_ms).cast(_STAMP)
    since = pl.col("known_at") <= moment
    believed = revisions.filter(since & (pl.col("known_until") > moment)).select(rows.columns)
    return pl.concat([rows.filter(since), believed]).sort(subject.key)
