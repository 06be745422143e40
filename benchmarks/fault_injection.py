"""Twelve kinds of faults put into real bars: what exactly is done to them, and how much of it."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from resources.market_data.archive.layout import kline_day
from resources.market_data.archive.shelf import Shelf
from resources.market_data.archive.zips import csv_inside
from trading.bars.faults.finding import FaultKind
from trading.bars.faults.judgement import Context, judge
from trading.errors import BadData
from trading.model.series import Series

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
#: A misprint is at least this many times the widest of what is usual around it; less may be the market.
LEAST_SPIKE = 10.0


@dataclass(frozen=True)
class Window:
    """One symbol's real bars of a day or month, beside those of two other symbols.

    ``donor`` holds the bars of a fourth symbol at the same times; it is not part of the frame.
    """

    symbol: str
    bars: pl.DataFrame
    others: pl.DataFrame
    donor: pl.DataFrame
    context: Context


@dataclass(frozen=True)
class Outcome:
    """Whether a fault was caught (blocked, or for a gap: counted to the bar), and called by its name."""

    variant: str
    caught: bool
    named: bool


Injector = Callable[[Window, np.random.Generator], tuple[str, pl.DataFrame, Context]]


def gap(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Take out one run of bars: one bar up to a tenth of them, anywhere, the edges included."""
    size = int(random.integers(1, max(2, window.bars.height // 10)))
    start = int(random.integers(0, window.bars.height - size + 1))
    kept = pl.concat([window.bars.head(start), window.bars.slice(start + size)])
    return "run", kept, window.context


def duplicate(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Put in 1 to 30 bars twice, as they are or with another volume."""
    rows = window.bars[_rows(window.bars.height, random, 30)]
    if random.random() < 0.5:
        return "equal", pl.concat([window.bars, rows]), window.context
    return "differing", pl.concat([window.bars, rows.with_columns(pl.col("volume") * 1.5)]), window.context


def unit_switch(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Count the time in microseconds: in all bars, or from some bar on."""
    first = 0 if random.random() < 0.5 else int(random.integers(1, window.bars.height))
    times = window.bars["open_time"].to_physical()
    switched = pl.int_range(window.bars.height, eager=True) >= first
    moved = (times * 1000).zip_with(switched, times).cast(window.bars.schema["open_time"])
    return ("from_a_bar" if first else "all"), window.bars.with_columns(moved), window.context


def swapped_columns(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Exchange two columns of prices or amounts: in all bars, or from some bar on (at least sixty)."""
    known = [name for name in (*PRICES, *AMOUNTS) if window.bars[name].null_count() < window.bars.height]
    one, two = random.choice(known, size=2, replace=False)
    first = 0
    if window.bars.height > 60 and random.random() < 0.5:
        first = int(random.integers(0, window.bars.height - 60))
    swapped = pl.int_range(window.bars.height, eager=True) >= first
    columns = [window.bars[b].zip_with(swapped, window.bars[a]).alias(a) for a, b in ((one, two), (two, one))]
    pair = "/".join(sorted((one, two), key=(*PRICES, *AMOUNTS).index))
    return pair, window.bars.with_columns(columns), window.context


def spike(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Misprint one bar: all four prices, or its close or its open with the high or low it needs.

    By a factor whose logarithm is 10 to 1000 times the widest of the usual range of the window, the
    usual range of the bars around, and the own ranges of the bar and its neighbours; a hundredfold at
    most, up or down.
    """
    bars = window.bars
    row = _moved_row(bars, random)
    width = (bars["high"] / bars["low"]).log()
    near = width.slice(max(0, row - 15), 31)
    usual = max(_median(width), _median(near), _largest(width.slice(max(0, row - 1), 3)), 0.0003)
    size = min(usual * math.exp(random.uniform(math.log(LEAST_SPIKE), math.log(1000))), math.log(100))
    factor = math.exp(size if random.random() < 0.5 else -size)
    variant = str(random.choice(["bar", "close", "open"]))
    values = {name: float(bars[name][row]) for name in PRICES}
    for name in PRICES if variant == "bar" else (variant,):
        values[name] *= factor
    values["high"], values["low"] = max(values.values()), min(values.values())
    return variant, _with_row(bars, row, values), window.context


def stale_repeat(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Repeat a bar in the 1 to 60 bars after it, or put a stretch of 10 to 60 bars in again later."""
    bars = window.bars
    if random.random() < 0.5:
        row = _moved_row(bars.head(bars.height - 1), random)
        size = int(random.integers(1, min(60, bars.height - row - 1) + 1))
        source = np.full(size, row)
        return "bar", _overwritten(bars, row + 1, source), window.context
    size = int(random.integers(10, min(60, bars.height // 3) + 1))
    first = int(random.integers(0, bars.height - 2 * size + 1))
    to = int(random.integers(first + size, bars.height - size + 1))
    return "stretch", _overwritten(bars, to, np.arange(first, first + size)), window.context


def negative_volume(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Turn the sign of the volume of 1 to 30 bars that have one."""
    traded = np.flatnonzero((window.bars["volume"] > 0).to_numpy())
    rows = traded[_rows(len(traded), random, 30)]
    hit = pl.int_range(window.bars.height, eager=True).is_in(rows.tolist())
    return "sign", window.bars.with_columns(_negated(hit)), window.context


def high_below_low(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Exchange high and low of 1 to 30 bars whose price moved."""
    moved = np.flatnonzero((window.bars["high"] > window.bars["low"]).to_numpy())
    rows = moved[_rows(len(moved), random, 30)]
    hit = pl.int_range(window.bars.height, eager=True).is_in(rows.tolist())
    high, low = window.bars["high"], window.bars["low"]
    exchanged = window.bars.with_columns(
        low.zip_with(hit, high).alias("high"), high.zip_with(hit, low).alias("low")
    )
    return "bars", exchanged, window.context


def unclosed_bar(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """End at some bar that is still forming: fetched 2 to 98 % into it, with that part of its volume."""
    row = int(random.integers(1, window.bars.height))
    done = float(random.uniform(0.02, 0.98))
    last = {name: float(window.bars[name][row]) for name in (*PRICES, "volume")}
    close = float(random.uniform(last["low"], last["high"]))
    forming = {
        "close": close,
        "high": max(last["open"], close),
        "low": min(last["open"], close),
        "volume": last["volume"] * done,
    }
    opened = int(window.bars["open_time"].to_physical()[row])
    context = replace(window.context, as_of_ms=opened + int(done * window.context.interval_ms))
    return "last", _with_row(window.bars.head(row + 1), row, forming), context


def wrong_symbol(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Rows of another coin at the same times: one, a run or all; the other coin beside them or not."""
    donor = window.donor.join(window.bars.select("open_time"), on="open_time")
    share = str(random.choice(["one", "run", "all"]))
    size = {"one": 1, "all": donor.height}.get(share) or int(random.integers(1, donor.height + 1))
    start = int(random.integers(0, donor.height - size + 1))
    rows = donor.slice(start, size).with_columns(pl.lit(window.symbol).alias("symbol"))
    kept = window.bars.join(rows.select("open_time"), on="open_time", how="anti")
    mixed = pl.concat([kept, rows.select(kept.columns)])
    if random.random() < 0.5:
        return f"{share}_donor_beside", pl.concat([mixed, window.donor.select(kept.columns)]), window.context
    return f"{share}_alone", mixed, window.context


def wick(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Misprint only the high or the low of one bar, as far as `spike` does: a real crash looks like it."""
    row = _moved_row(window.bars, random)
    width = (window.bars["high"] / window.bars["low"]).log()
    usual = max(_median(width), _median(width.slice(max(0, row - 15), 31)), float(width[row]), 0.0003)
    size = min(usual * math.exp(random.uniform(math.log(LEAST_SPIKE), math.log(1000))), math.log(100))
    name, factor = ("high", math.exp(size)) if random.random() < 0.5 else ("low", math.exp(-size))
    return "wick", _with_row(window.bars, row, {name: float(window.bars[name][row]) * factor}), window.context


def frozen_bar(window: Window, random: np.random.Generator) -> tuple[str, pl.DataFrame, Context]:
    """Keep a bar as it was while it formed, with the bars after it as they are."""
    _, bars, context = unclosed_bar(window, random)
    frozen = pl.concat([bars, window.bars.slice(bars.height)])
    return "frozen_bar", frozen, replace(context, as_of_ms=window.context.as_of_ms)


#: What bars alone cannot prove: at most a warning, and not part of what must be caught.
BEYOND_PROOF: tuple[Injector, ...] = (wick, frozen_bar)

INJECTORS: dict[FaultKind, Injector] = {
    FaultKind.GAP: gap,
    FaultKind.DUPLICATE: duplicate,
    FaultKind.UNIT_SWITCH: unit_switch,
    FaultKind.SWAPPED_COLUMNS: swapped_columns,
    FaultKind.SPIKE: spike,
    FaultKind.STALE_REPEAT: stale_repeat,
    FaultKind.NEGATIVE_VOLUME: negative_volume,
    FaultKind.HIGH_BELOW_LOW: high_below_low,
    FaultKind.UNCLOSED_BAR: unclosed_bar,
    FaultKind.WRONG_SYMBOL: wrong_symbol,
}


def injected(kind: FaultKind, window: Window, random: np.random.Generator) -> Outcome:
    """Put one fault of a kind into the window and judge it."""
    variant, bars, context = INJECTORS[kind](window, random)
    frame = pl.concat([bars, window.others.select(bars.columns)])
    found = [finding for finding in judge(frame, context) if finding.symbol == window.symbol]
    if kind is FaultKind.GAP:
        missing = sum(finding.count for finding in found if finding.kind is kind)
        start, end = context.window_ms or (0, 0)
        right = missing == (end - start) // context.interval_ms - bars.height
        return Outcome(variant, right, right)
    blocking = {finding.kind for finding in found if finding.severity == "block"}
    return Outcome(variant, bool(blocking), kind in blocking)


def shown(inject: Injector, window: Window, random: np.random.Generator) -> tuple[str, bool]:
    """What was injected, and whether anything is said of it, a warning included."""
    variant, bars, context = inject(window, random)
    frame = pl.concat([bars, window.others.select(bars.columns)])
    return variant, any(finding.symbol == window.symbol for finding in judge(frame, context))


def truncated_file(content: bytes, symbol: str, day: date, random: np.random.Generator) -> Outcome:
    """Cut a zip off at any byte; the archive's own reader must refuse it."""
    file = kline_day(Series.SPOT, symbol, day)
    cut = zipped(content, file.entry)
    cut = cut[: int(random.integers(1, len(cut)))]
    try:
        csv_inside(cut, file)
    except BadData:
        return Outcome("cut", caught=True, named=True)
    return Outcome("cut", caught=False, named=False)


def bad_checksum(
    content: bytes, symbol: str, day: date, random: np.random.Generator, folder: Path
) -> Outcome:
    """Change 1 to 8 bytes of a zip, or publish another file's checksum; the shelf must not take it."""
    file = kline_day(Series.SPOT, symbol, day)
    whole = zipped(content, file.entry)
    expected = hashlib.sha256(whole).hexdigest()
    variant = "bytes" if random.random() < 0.5 else "checksum"
    if variant == "bytes":
        changed = bytearray(whole)
        for place in _rows(len(whole), random, 8):
            changed[place] ^= int(random.integers(1, 256))
        whole = bytes(changed)
    else:
        expected = hashlib.sha256(whole + b"another file").hexdigest()
    shelf = Shelf(folder)
    shelf.part(file).write_bytes(whole)
    refused = not shelf.accept(file, expected) and shelf.held(file) is None
    return Outcome(variant, refused, refused)


def zipped(content: bytes, entry: str) -> bytes:
    """The content as the one file of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(entry), content)
    return buffer.getvalue()


def _rows(height: int, random: np.random.Generator, most: int) -> np.ndarray:
    return np.sort(random.choice(height, size=int(random.integers(1, min(most, height) + 1)), replace=False))


def _moved_row(bars: pl.DataFrame, random: np.random.Generator) -> int:
    """A row whose price moved and that was traded in: a repeat or misprint of others says nothing."""
    moved = ((bars["high"] > bars["low"]) & (bars["volume"] > 0)).to_numpy()
    return int(random.choice(np.flatnonzero(moved)))


def _negated(hit: pl.Series) -> pl.Expr:
    return pl.when(hit).then(-pl.col("volume")).otherwise(pl.col("volume")).alias("volume")


def _median(values: pl.Series) -> float:
    seen = values.filter(values > 0).median()
    return float(seen) if isinstance(seen, float) else 0.0


def _largest(values: pl.Series) -> float:
    largest = values.max()
    return float(largest) if isinstance(largest, float) else 0.0


def _with_row(bars: pl.DataFrame, row: int, values: dict[str, float]) -> pl.DataFrame:
    hit = pl.int_range(bars.height, eager=True) == row
    return bars.with_columns(
        pl.when(hit).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


def _overwritten(bars: pl.DataFrame, start: int, source: np.ndarray) -> pl.DataFrame:
    """The values of the source rows in the rows from ``start`` on, at their own times."""
    order = np.arange(bars.height)
    order[start : start + len(source)] = source
    return bars[order].with_columns(bars["open_time"])
