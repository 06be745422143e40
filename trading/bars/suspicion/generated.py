"""Whether bars look made up: several statistics in which every market differs from a random walk.

Returns of markets have fat tails and cluster in volatility, volumes persist and rise with the size of
moves (Cont, "Empirical properties of asset returns: stylized facts and statistical issues", 2001), and
prices lie on a grid of ticks. One statistic alone proves nothing: a coin at a coarse tick has thin tails
for a while, adjusted prices have many digits. Several at once are suspicious.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.bars.faults.finding import FaultKind, Finding

#: Fewer bars than this tell no distribution.
LEAST_BARS = 500
#: So many of the five statistics must speak for made-up data; both, where there is no volume.
_SUSPICIOUS, _SUSPICIOUS_WITHOUT_VOLUME = 3, 2
#: Prices that tell how many digits there are.
_SAMPLE_BARS = 2000
_LAGS = 10
_SIGNIFICANT_DIGITS = 9

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a symbol's bars.

    Attributes
    ----------
    value, limit
        What was measured, and the least (for ``digits``: the most) that markets have.
    odd
        Whether the value is outside the limit.
    """

    name: str
    value: float
    limit: float
    odd: bool


def statistics(bars: pl.DataFrame) -> list[Statistic]:
    """What can be measured of one symbol's bars, in order of time; none below 500 bars.

    Returns
    -------
    list of Statistic
        ``tails``: excess kurtosis of returns, 0 for a normal distribution. ``clustering``: mean
        autocorrelation of absolute returns at lags 1 to 10. ``volume_memory``: autocorrelation of
        log volume at lag 1. ``volume_of_moves``: rank correlation of a bar's range and volume.
        ``digits``: significant digits that prices need. The last three only where there is volume.
    """
    prices = bars.filter(pl.min_horizontal("open", "high", "low", "close") > 0)
    if prices.height < LEAST_BARS:
        return []
    close = prices["close"].to_numpy()
    returns = np.diff(np.log(close))
    size = np.abs(returns)
    found = [
        _at_least("tails", _excess_kurtosis(returns), 1.0),
        _at_least(
            "clustering", float(np.mean([_correlation(size[lag:], size[:-lag]) for lag in _lags()])), 0.04
        ),
    ]
    traded = prices.filter(pl.col("volume") > 0) if "volume" in prices.columns else prices.clear()
    if traded.height >= LEAST_BARS:
        volume = np.log(traded["volume"].to_numpy())
        width = np.log(traded["high"].to_numpy() / traded["low"].to_numpy())
        found += [
            _at_least("volume_memory", _correlation(volume[1:], volume[:-1]), 0.1),
            _at_least("volume_of_moves", _correlation(_ranks(width), _ranks(volume)), 0.1),
        ]
        digits = float(_digits(traded["close"].head(_SAMPLE_BARS)))
        found.append(Statistic("digits", digits, _SIGNIFICANT_DIGITS, odd=digits > _SIGNIFICANT_DIGITS))
    return found


def suspected(bars: pl.DataFrame) -> list[Finding]:
    """Symbols whose bars look made up (warn): three of five statistics are unlike any market's.

    ``bars`` are in order of time within each symbol.
    """
    findings = []
    for part in bars.partition_by("symbol", maintain_order=True):
        measured = statistics(part)
        odd = [one for one in measured if one.odd]
        enough = _SUSPICIOUS if len(measured) > _SUSPICIOUS_WITHOUT_VOLUME else _SUSPICIOUS_WITHOUT_VOLUME
        if len(odd) < enough:
            continue
        words = ", ".join(f"{one.name} {one.value:.3g} (markets: {_side(one)} {one.limit:g})" for one in odd)
        findings.append(
            Finding(
                FaultKind.GENERATED,
                "warn",
                part["symbol"][0],
                part.clear(),
                part.height,
                f"{len(odd)} of {len(measured)} statistics are unlike a market's: {words}",
            )
        )
    return findings


def _at_least(name: str, value: float, limit: float) -> Statistic:
    return Statistic(name, value, limit, odd=not value >= limit)


def _side(statistic: Statistic) -> str:
    return "at most" if statistic.name == "digits" else "at least"


def _lags() -> range:
    return range(1, _LAGS + 1)


def _excess_kurtosis(values: Values) -> float:
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    return float(np.mean(centred**4)) / variance**2 - 3 if variance > 0 else 0.0


def _correlation(one: Values, two: Values) -> float:
    one, two = one - one.mean(), two - two.mean()
    scale = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / scale if scale > 0 else 0.0


def _ranks(values: Values) -> Values:
    return pl.Series(values).rank().to_numpy()


def _digits(prices: pl.Series) -> int:
    """Significant digits that nine tenths of the prices do with."""
    shown = prices.cast(pl.String).str.replace(r"e.*$", "").str.replace(".", "", literal=True)
    return int(shown.str.strip_chars("0").str.len_chars().quantile(0.9) or 0)
