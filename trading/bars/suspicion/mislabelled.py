"""Whether bars are another market's under a wrong name, such as spot sold as futures."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding

#: Two markets of one coin close at the same price now and then, and never trade the same volume.
_EQUAL_FRACTION = 0.9
_LEAST_BARS = 20


def mislabelled(bars: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Symbols whose bars are those of the other market (block).

    Parameters
    ----------
    bars, reference
        Columns ``symbol``, ``open_time``, ``close`` and ``volume``: the bars, and the same symbols' of
        the market that they should not be.
    """
    both = bars.join(
        reference.select("symbol", "open_time", "close", "volume"),
        on=["symbol", "open_time"],
        suffix="_other",
    )
    shares = both.group_by("symbol", maintain_order=True).agg(
        pl.len().alias("bars"),
        (pl.col("close") == pl.col("close_other")).mean().alias("closes"),
        (pl.col("volume") == pl.col("volume_other")).mean().alias("volumes"),
    )
    findings = []
    for symbol, count, closes, volumes in shares.iter_rows():
        if count >= _LEAST_BARS and min(closes, volumes) >= _EQUAL_FRACTION:
            findings.append(
                Finding(
                    FaultKind.MISLABELLED,
                    "block",
                    symbol,
                    bars.filter(pl.col("symbol") == symbol).head(3),
                    count,
                    f"{closes:.1%} of the closes and {volumes:.1%} of the volumes of {count} common bars equal "
                    "the other market's: these bars are that market's",
                )
            )
    return findings
