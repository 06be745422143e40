"""Whether volumes fit the prices: a bar's value over its volume is a price inside the bar."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding, found

#: The venue rounds values to eight decimals, so that an average price may leave the bar by a trifle.
_ROUNDING_FRACTION = 1e-6
_AMOUNTS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
#: High over low of a bar that is too wide to be one, if it is not alone.
_WIDE = 1.5
_LEAST_ROWS = 5
#: An amount this near to open and close, in so many of the wide bars, is a price.
_NEAR_FRACTION = 0.1
_PRICE_LIKE_FRACTION = 0.8


def amounts_outside(bars: pl.DataFrame) -> list[Finding]:
    """Bars whose amounts contradict their prices or each other (block).

    Holds for real bars without exception: ``low <= quote_volume / volume <= high``, the same for
    what takers bought, and takers bought no more than was traded. It is what swapped columns of
    amounts and a misprinted bar break. Bars without the amounts are left out.
    """
    outside: list[pl.Expr] = []
    for base, quote in (("volume", "quote_volume"), ("taker_buy_base", "taker_buy_quote")):
        if {base, quote} <= set(bars.columns):
            # Products, not quotients: nothing was traded at 0 / 0.
            least = pl.col(base) * pl.col("low") * (1 - _ROUNDING_FRACTION)
            most = pl.col(base) * pl.col("high") * (1 + _ROUNDING_FRACTION)
            outside.append(((pl.col(quote) < least) | (pl.col(quote) > most)).fill_null(False))
    for part, whole in (("taker_buy_base", "volume"), ("taker_buy_quote", "quote_volume")):
        if {part, whole} <= set(bars.columns):
            outside.append((pl.col(part) > pl.col(whole) * (1 + _ROUNDING_FRACTION)).fill_null(False))
    if not outside:
        return []
    return found(
        bars.filter(pl.any_horizontal(outside)),
        FaultKind.SWAPPED_COLUMNS,
        "block",
        lambda rows: (
            f"{rows.height} bar(s) whose value over volume is no price inside the bar, or where takers "
            "bought more than was traded: amounts are swapped, or belong to other prices"
        ),
    )


def amounts_as_prices(bars: pl.DataFrame) -> list[Finding]:
    """Amounts that stand where a high or a low belongs, and the other way round (block).

    A high swapped with a volume leaves the order of prices intact where volumes are large. The bars are
    impossibly wide then, and what is called an amount is a price of the bar.
    """
    amounts = [name for name in _AMOUNTS if name in bars.columns]
    wide = bars.filter(pl.col("high") > _WIDE * pl.col("low"))
    if wide.is_empty() or not amounts:
        return []
    least = pl.min_horizontal("open", "close") * (1 - _NEAR_FRACTION)
    most = pl.max_horizontal("open", "close") * (1 + _NEAR_FRACTION)
    near = [pl.col(name).is_between(least, most).fill_null(False) for name in amounts]
    share = pl.max_horizontal(*(flag.mean().over("symbol") for flag in near))
    rows = wide.filter(share > _PRICE_LIKE_FRACTION, pl.len().over("symbol") >= _LEAST_ROWS)
    return found(
        rows,
        FaultKind.SWAPPED_COLUMNS,
        "block",
        lambda part: (
            f"{part.height} bar(s) as wide as {_WIDE:g} times their low, with an amount that is one of their "
            "prices: a high or low and an amount are swapped"
        ),
    )
