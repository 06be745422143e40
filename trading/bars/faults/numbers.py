"""Numbers that cannot be: missing, not finite, negative, or highs below lows."""

from __future__ import annotations

import math

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding, found

PRICES = ("open", "high", "low", "close")
#: Amounts that a source may lack.
OPTIONAL_AMOUNTS = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
#: Adjusted prices are products, and differ in the last digits of a float.
_FLOAT_FRACTION = 1e-9
#: Above this share of a symbol's bars, a wrong order of prices is one of columns, not of bars.
_COLUMN_FRACTION = 0.5


def price_order(bars: pl.DataFrame) -> list[Finding]:
    """Bars whose low is not the lowest, or whose high is not the highest of the four prices (block)."""
    least, most = pl.min_horizontal("open", "close", "high"), pl.max_horizontal("open", "close")
    wrong = (pl.col("low") - least > least.abs() * _FLOAT_FRACTION) | (
        most - pl.col("high") > most.abs() * _FLOAT_FRACTION
    )
    rows = bars.filter(wrong)
    if rows.is_empty():
        return []
    totals = bars.group_by("symbol").len("_total")
    rows = rows.join(totals, on="symbol", how="left", maintain_order="left")
    many = pl.len().over("symbol") > _COLUMN_FRACTION * pl.col("_total")
    return [
        *found(
            rows.filter(many),
            FaultKind.SWAPPED_COLUMNS,
            "block",
            lambda part: (
                f"{part.height} of {part['_total'][0]} bars have a high or a low inside the body: "
                "columns are swapped"
            ),
        ),
        *found(
            rows.filter(~many),
            FaultKind.HIGH_BELOW_LOW,
            "block",
            lambda part: f"{part.height} bar(s) whose high or low is inside the body",
        ),
    ]


def impossible_numbers(
    bars: pl.DataFrame, *, signed: bool = False, required_volume: bool = True
) -> list[Finding]:
    """Prices and amounts that are missing, not finite, negative or (a price) zero (block).

    Parameters
    ----------
    bars
        Optional amounts may be null, or absent as columns.
    signed
        Whether prices may be zero or negative, as a premium index is.
    required_volume
        Whether a bar without a volume is a fault.
    """
    if _plainly_right(bars, signed=signed, required_volume=required_volume):
        return []
    prices = [_broken(name, signed=signed, zero=False, null=True) for name in PRICES]
    rows = bars.filter(pl.any_horizontal(prices))
    findings = found(
        rows,
        FaultKind.IMPOSSIBLE_NUMBER,
        "block",
        lambda part: f"{part.height} bar(s) with a price that is missing, not finite or not positive",
    )
    optional = [name for name in OPTIONAL_AMOUNTS if name in bars.columns]
    volume = ["volume"] if "volume" in bars.columns else []
    below = [pl.col(name) < 0 for name in (*volume, *optional)]
    lost = [_broken(name, signed=True, zero=True, null=False) for name in optional]
    lost += [_broken(name, signed=True, zero=True, null=required_volume) for name in volume]
    if not below:
        return findings
    return [
        *findings,
        *found(
            bars.filter(pl.any_horizontal(below)),
            FaultKind.NEGATIVE_VOLUME,
            "block",
            lambda part: f"{part.height} bar(s) with a volume or number of trades below zero",
        ),
        *found(
            bars.filter(pl.any_horizontal(lost)),
            FaultKind.IMPOSSIBLE_NUMBER,
            "block",
            lambda part: (
                f"{part.height} bar(s) with a volume or number of trades that is missing or not finite"
            ),
        ),
    ]


def _plainly_right(bars: pl.DataFrame, *, signed: bool, required_volume: bool) -> bool:
    """Whether a few reductions show that no number is wrong, as they do on nearly every day."""
    for name in (*PRICES, "volume", *OPTIONAL_AMOUNTS):
        if name not in bars.columns:
            continue
        values = bars[name]
        price = name in PRICES
        if values.null_count() and (price or (name == "volume" and required_volume)):
            return False
        least, total = values.min(), values.sum()
        if least is None:  # an amount that the source does not have
            continue
        # A sum is finite only if every part is; one that overflows is looked at closely too.
        if not isinstance(least, int | float) or not math.isfinite(total):
            return False
        if (least < 0 or (price and least == 0)) and not (price and signed):
            return False
    return not bars.is_empty()


def _broken(name: str, *, signed: bool, zero: bool, null: bool) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    good = value.is_finite()
    if not signed:
        good = good & ((value >= 0) if zero else (value > 0))
    return ~good.fill_null(not null)
