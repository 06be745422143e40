"""The judgement of a frame of bars: every detector that applies, once."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trading.bars.faults.amounts import amounts_as_prices, amounts_outside
from trading.bars.faults.continuity import breaks, wide_bars
from trading.bars.faults.finding import Finding
from trading.bars.faults.holes import holes
from trading.bars.faults.neighbours import arrange
from trading.bars.faults.numbers import impossible_numbers, price_order
from trading.bars.faults.orientation import swapped_open_close
from trading.bars.faults.repeats import repeats
from trading.bars.faults.times import duplicates, off_grid, unclosed, without_wrong_units


@dataclass(frozen=True, slots=True)
class Context:
    """What cannot be known from bars alone.

    Attributes
    ----------
    interval_ms
        Length of a bar.
    as_of_ms
        When the bars were fetched; None leaves open whether the last one had closed.
    window_ms
        First expected open time and the exclusive end; None for the symbols' own.
    previous
        The last bars before these, one or more per symbol; the more, the surer the judgement of the
        first bars (an hour of minutes is enough).
    tolerated_gap_fraction
        Share of its bars that a symbol may lack before it blocks.
    continuous
        Whether the market never shuts; False leaves holes and neighbours unjudged.
    signed
        Whether prices may be zero or negative, as a premium index is; its neighbours are not judged.
    """

    interval_ms: int
    as_of_ms: int | None = None
    window_ms: tuple[int, int] | None = None
    previous: pl.DataFrame | None = None
    tolerated_gap_fraction: float = 0.02
    continuous: bool = True
    signed: bool = False


def judge(bars: pl.DataFrame, context: Context) -> list[Finding]:
    """Every fault of the bars, those that block first.

    Parameters
    ----------
    bars
        Columns ``symbol``, ``open_time`` (a timestamp), ``open``, ``high``, ``low``, ``close``, and
        where known ``volume``, ``quote_volume``, ``trades``, ``taker_buy_base``, ``taker_buy_quote``;
        one interval, any order, any number of symbols.

    Returns
    -------
    list of Finding
        Empty when nothing is wrong. Zero-volume bars are data; a venue's silence and a crash at most
        warn.
    """
    timely, findings = without_wrong_units(bars)
    findings += impossible_numbers(bars, signed=context.signed, required_volume="volume" in bars.columns)
    findings += price_order(bars)
    findings += amounts_outside(bars)
    findings += amounts_as_prices(bars)
    arranged = arrange(timely, context.interval_ms, context.previous)
    findings += off_grid(arranged, context.interval_ms)
    findings += duplicates(arranged)
    findings += repeats(arranged)
    if context.as_of_ms is not None:
        findings += unclosed(arranged, context.interval_ms, context.as_of_ms)
    if context.continuous:
        findings += holes(arranged, context.interval_ms, context.window_ms, context.tolerated_gap_fraction)
        if not context.signed:
            findings += breaks(arranged)
            findings += wide_bars(arranged)
            findings += swapped_open_close(arranged)
    return sorted(findings, key=lambda finding: finding.severity != "block")
