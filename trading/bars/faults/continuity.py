"""Whether each bar opens where the one before it closed: misprints and rows of another coin do not.

On a market that never shuts, a bar's first trade comes at most moments after the last trade of the bar
before it. Over 3.3 million real bars (one minute to one hour, crashes included) no open lay further
from the close before it than 2.4 usual ranges and, at the same time, half of the ranges of the two bars.
Misprints do, because the price comes back; the measure is the usual range of a bar, so that one limit
holds for every coin and interval.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding, found

#: A move between bars that is larger than this many usual ranges is not the market's.
_BREAK_RANGES = 6.0
#: The same for a move that the next bar takes back.
_REVERTED_RANGES = 4.0
#: From here on a move is odd enough to be shown.
_ODD_RANGES = 1.0
#: A move must also be this part of the larger of the two bars' own ranges: bars are wide in a crash.
_OF_OWN_RANGE = 0.5
#: The least usual range: below it, moves of a few ticks would count.
_LEAST_RANGE = 0.0003
#: The least usual range while fewer bars than `_SURE_BARS` tell it.
_LEAST_UNSURE_RANGE = 0.0017
_SURE_BARS = 30
#: Bars around a bar that tell its usual range, or volume.
_AROUND = 21
#: A bar is wide when its range is this many usual ones, and several times its neighbours'.
_WIDE_RANGES = 12.0
_WIDE_OF_NEIGHBOURS = 6.0
#: What may take a move between two bars back: the moves beside it, and what the two bars did themselves.
_OTHER_MOVES = ("_move_before", "_move_after", "_body", "_body_before")
#: In real data a wide bar's volume is at least a fifth of its width, both in multiples of the usual.
_VOLUME_OF_WIDTH = 0.1


def breaks(arranged: pl.DataFrame) -> list[Finding]:
    """Bars that do not open where the one before closed.

    Returns
    -------
    list of Finding
        ``spike`` (block) where the price comes back, which is a misprint of a bar, of its open or of
        its close; ``wrong_symbol`` (block) where it stays away; ``price_break`` (warn) for a smaller
        move that is still odd, such as after a bar that was stored before it had closed, and for any
        after a bar without trades: its close is old, and a market that was halted opens elsewhere.
    """
    away = pl.col("_move").abs()
    own_range = pl.max_horizontal(pl.col("_range"), pl.col("_range").shift()).fill_null(0.0)
    judged = _measured(arranged, away, (away > _OF_OWN_RANGE * own_range) & pl.col("_own"), _ODD_RANGES)
    if judged is None:
        return []
    ranges = away / pl.col("_usual")
    back = (pl.max_horizontal(*(_taken_back(other) for other in _OTHER_MOVES)) / pl.col("_usual")).fill_null(
        0.0
    )
    judged = judged.with_columns(ranges.alias("_ranges"), back.alias("_back"))
    spikes = pl.col("_back") > _REVERTED_RANGES
    others = ~spikes & (pl.col("_ranges") > _BREAK_RANGES) & ~pl.col("_after_silence")
    odd = ~spikes & ~others & (pl.col("_ranges") > _ODD_RANGES) & (away > 3 * pl.col("_least"))
    return [
        *found(judged.filter(spikes), FaultKind.SPIKE, "block", _reason("the price comes back: a misprint")),
        *found(
            judged.filter(others),
            FaultKind.WRONG_SYMBOL,
            "block",
            _reason("it stays there: rows of another coin?"),
        ),
        *found(
            judged.filter(odd),
            FaultKind.PRICE_BREAK,
            "warn",
            _reason(
                "a market that was silent, a bar that was stored before it closed, or two sources sewn together?"
            ),
        ),
    ]


def wide_bars(arranged: pl.DataFrame) -> list[Finding]:
    """Bars with a wick or body far beyond the usual that hardly anybody traded in (warn).

    A crash is wide too, but it never comes without volume. Bars without a volume are left out.
    """
    if "volume" not in arranged.columns:
        return []
    width = pl.col("_range")
    neighbours = pl.max_horizontal(width.shift(), width.shift(-1))
    lone = (width > _WIDE_OF_NEIGHBOURS * neighbours) & pl.col("_own")
    judged = _measured(arranged, width, lone, _WIDE_RANGES)
    if judged is None:
        return []
    ranges = width / pl.col("_usual")
    judged = judged.with_columns(ranges.alias("_ranges")).filter(
        ranges > _WIDE_RANGES,
        pl.col("volume") < _VOLUME_OF_WIDTH * ranges * pl.col("_usual_volume"),
    )
    return found(
        judged,
        FaultKind.SPIKE,
        "warn",
        lambda part: (
            f"{part.height} bar(s) up to {float(part.select(pl.col('_ranges').max()).item()):.0f} times as wide as usual without the volume "
            "that such a move has: a misprinted high or low?"
        ),
    )


def _measured(
    arranged: pl.DataFrame, size: pl.Expr, candidate: pl.Expr, least_ranges: float
) -> pl.DataFrame | None:
    """Candidates larger than so many usual ranges, with what is usual at each and what is beside it.

    What is usual is measured only for symbols that have a candidate: nearly always none, and None then.
    """
    odd = arranged.select("_run", size.alias("_size"), candidate.alias("_candidate")).filter(
        pl.col("_candidate") & (pl.col("_size") > least_ranges * _LEAST_RANGE)
    )
    if odd.is_empty():
        return None
    seen = pl.when(pl.col("_range") > 0).then(pl.col("_range"))
    medians = arranged.select("_run", seen).filter(_of(odd)).group_by("_run").agg(pl.col("_range").median())
    odd = odd.join(medians, on="_run", how="left").filter(
        (pl.col("_size") > least_ranges * pl.col("_range")) | pl.col("_range").is_null()
    )
    if odd.is_empty():
        return None
    sure = seen.count().over("_run") >= _SURE_BARS
    within = pl.col("_run") == pl.col("_run").shift(-1)
    body = pl.when((pl.col("open") > 0) & (pl.col("close") > 0)).then(
        (pl.col("close") / pl.col("open")).log()
    )
    volume = pl.col("volume") if "volume" in arranged.columns else pl.lit(None, pl.Float64)
    return (
        arranged.filter(_of(odd))
        .with_columns(
            pl.max_horizontal(
                seen.median().over("_run"),
                seen.rolling_median(_AROUND, min_samples=1).over("_run"),
                pl.when(sure).then(_LEAST_RANGE).otherwise(_LEAST_UNSURE_RANGE),
            ).alias("_usual"),
            volume.rolling_median(3 * _AROUND, min_samples=1).over("_run").alias("_usual_volume"),
            seen.min().over("_run").alias("_least"),
            pl.when("_next").then(pl.col("_move").shift()).alias("_move_before"),
            pl.when(within).then(pl.col("_move").shift(-1)).alias("_move_after"),
            ((volume.shift() == 0) & (volume.max().over("_run") > 0))
            .fill_null(False)
            .alias("_after_silence"),
            body.alias("_body"),
            pl.when("_next").then(body.shift()).alias("_body_before"),
            candidate.alias("_candidate"),
        )
        .filter("_candidate")
    )


def _of(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("_run").is_in(rows["_run"].unique().implode())


def _taken_back(name: str) -> pl.Expr:
    """How much of the move another one took back; null where it went the same way."""
    move, other = pl.col("_move"), pl.col(name)
    return pl.when(move.sign() * other.sign() < 0).then(pl.min_horizontal(move.abs(), other.abs()))


def _reason(meaning: str) -> Callable[[pl.DataFrame], str]:
    def words(part: pl.DataFrame) -> str:
        worst = part.row(int(part["_ranges"].arg_max() or 0), named=True)
        return (
            f"{part.height} bar(s) whose open is away from the close before, the worst by "
            f"{abs(worst['_move']):.2%} at {worst['open_time']:%Y-%m-%d %H:%M}, {worst['_ranges']:.1f} times "
            f"the usual range of a bar; {meaning}"
        )

    return words
