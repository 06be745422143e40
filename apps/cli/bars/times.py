"""Times of a bar file, whatever form they have: integers since 1970, ISO 8601 text or timestamps."""

from __future__ import annotations

import polars as pl

TIME = pl.Datetime("ms", "UTC")
_UTC_TEXT = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_NAIVE_TEXT = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
#: Below this a number is no time since 1970 in any unit: it would be 1973 in the largest.
_SMALLEST = 1e8


def parse_times(column: pl.Series) -> pl.Series:
    """A column of times in UTC, to the millisecond; null where a value is no time.

    Numbers count from 1970, each in the unit that its magnitude tells (s, ms, µs or ns). Text is ISO
    8601. A time without an offset is UTC.
    """
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    if isinstance(column.dtype, pl.Datetime):
        aware = column.dtype.time_zone is not None
        moments = column.dt.convert_time_zone("UTC") if aware else column.dt.replace_time_zone("UTC")
        return moments.cast(TIME)
    if column.dtype.is_numeric():
        return _since_epoch(column)
    words = column.cast(pl.String).str.strip_chars()
    numbers = words.cast(pl.Float64, strict=False)
    if not numbers.null_count():
        return _since_epoch(numbers)
    return pl.select(pl.coalesce(_since_epoch(numbers), _text(words))).to_series()


def _since_epoch(column: pl.Series) -> pl.Series:
    value = pl.col("value")
    milliseconds = (
        pl.when(value.abs() < _SMALLEST)
        .then(None)
        .when(value.abs() < 1e11)
        .then(value * 1000)
        .when(value.abs() < 1e14)
        .then(value)
        .when(value.abs() < 1e17)
        .then(value / 1000)
        .otherwise(value / 1e6)
    )
    # Float64 holds every millisecond and second of our era exactly; finer units are only cut to ms.
    numbers = pl.DataFrame({"value": column.cast(pl.Float64)})
    return numbers.select(milliseconds.floor().cast(pl.Int64, strict=False).cast(TIME)).to_series()


def _text(words: pl.Series) -> pl.Series:
    value = pl.col("value")
    frame = pl.DataFrame({"value": words.str.replace("T", " ").str.replace(r" ?(Z|UTC)$", "+00:00")})
    offset = value.str.replace(r" ?([+-]\d\d):?(\d\d)$", "$1$2")
    return frame.select(
        pl.coalesce(
            *(offset.str.to_datetime(f, time_unit="ms", time_zone="UTC", strict=False) for f in _UTC_TEXT),
            *(_as_utc(value.str.to_datetime(f, time_unit="ms", strict=False)) for f in _NAIVE_TEXT),
            _as_utc(value.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms"))),
        )
    ).to_series()


def _as_utc(moment: pl.Expr) -> pl.Expr:
    return moment.dt.replace_time_zone("UTC")


def time_units(column: pl.Series) -> tuple[str, ...]:
    """The units that a column counts its times in, most frequent first.

    ``s``, ``ms``, ``us`` or ``ns`` for numbers (also as text), ``text`` for dates in words,
    ``timestamp`` for a column that has no doubt of it.
    """
    if column.dtype.is_temporal():
        return ("timestamp",)
    numbers = column.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    size = pl.col("value").abs()
    unit = (
        pl.when(pl.col("value").is_null())
        .then(pl.lit("text"))
        .when(size < 1e11)
        .then(pl.lit("s"))
        .when(size < 1e14)
        .then(pl.lit("ms"))
        .when(size < 1e17)
        .then(pl.lit("us"))
        .otherwise(pl.lit("ns"))
    )
    counts = pl.DataFrame({"value": numbers}).select(unit.alias("unit")).to_series().value_counts()
    return tuple(counts.sort("count", "unit", descending=[True, False])["unit"])
