"""The votes of TradingView's technical ratings, library TechnicalRating v3 (``tv_lib_v3``).

One row per component: when it counts (its key series exists), when it buys (+1), when it sells (-1).
Thresholds are strict; if both conditions held, buy would win. A comparison with a missing value is
false, so a component whose key exists votes 0 when another input is missing.

Prices and ticks are decimals, so values do tie on paper (a close with its average, %R with -80 in a range
of five ticks), and floats miss the tie by the last bit. Differences within rounding are therefore equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Component:
    """One voter.

    Attributes
    ----------
    value
        The column of the indicators that stands for the component in a table.
    key
        The component is missing, not neutral, while this is null.
    """

    name: str
    value: str
    key: pl.Expr
    buy: pl.Expr
    sell: pl.Expr

    def vote(self) -> pl.Expr:
        """+1, 0 or -1, null when missing."""
        voted = pl.when(self.buy).then(1).when(self.sell).then(-1).otherwise(0)
        return pl.when(self.key.is_not_null()).then(voted).cast(pl.Int8).alias(f"vote_{self.name}")


#: Share of the price, and points of an oscillator, below which a difference is rounding.
_PRICE_ROUNDING = 1e-12
_POINT_ROUNDING = 1e-9

#: Indicators whose earlier bars the rules read, with the number of bars.
EARLIER = (
    ("rsi_14", 1),
    ("stoch_d", 1),
    ("cci_20", 1),
    ("adx_14", 1),
    ("awesome", 1),
    ("awesome", 2),
    ("momentum_10", 1),
    ("williams_r_14", 1),
    ("bull_power_13", 1),
    ("bear_power_13", 1),
)


def earlier(name: str, bars: int = 1) -> pl.Expr:
    """The column that holds ``name`` of ``bars`` bars before, in the same symbol."""
    return pl.col(f"{name}@{bars}")


def _dearer(left: pl.Expr, right: pl.Expr | float) -> pl.Expr:
    """Left > right by more than rounding; both in quote currency."""
    return (left - right) > _PRICE_ROUNDING * pl.col("close")


def _cheaper(left: pl.Expr, right: pl.Expr | float) -> pl.Expr:
    return (left - right) < -_PRICE_ROUNDING * pl.col("close")


def _above(left: pl.Expr, right: pl.Expr | float) -> pl.Expr:
    """Left > right by more than rounding; both on an oscillator's scale."""
    return (left - right) > _POINT_ROUNDING


def _below(left: pl.Expr, right: pl.Expr | float) -> pl.Expr:
    return (left - right) < -_POINT_ROUNDING


def _average(name: str) -> Component:
    average, close = pl.col(name), pl.col("close")
    return Component(name, name, key=average, buy=_dearer(close, average), sell=_cheaper(close, average))


def _ichimoku() -> Component:
    close, conversion, base = pl.col("close"), pl.col("ichimoku_conversion"), pl.col("ichimoku_base")
    lead_a, lead_b = pl.col("ichimoku_lead_a"), pl.col("ichimoku_lead_b")
    rungs = ((lead_a, lead_b), (base, lead_a), (conversion, base), (close, conversion))
    return Component(
        "ichimoku",
        "ichimoku_base",
        key=lead_b,
        buy=pl.all_horizontal(_dearer(upper, lower) for upper, lower in rungs),
        sell=pl.all_horizontal(_cheaper(upper, lower) for upper, lower in rungs),
    )


def _reversal(name: str, column: str, oversold: float, overbought: float) -> Component:
    """Buys when oversold and rising, sells when overbought and falling."""
    value, before = pl.col(column), earlier(column)
    return Component(
        name,
        column,
        key=before,
        buy=_below(value, oversold) & _above(value, before),
        sell=_above(value, overbought) & _below(value, before),
    )


def _turned_up(k: pl.Expr, d: pl.Expr) -> pl.Expr:
    return _below(k, 20) & _below(d, 20) & _above(k, d)


def _turned_down(k: pl.Expr, d: pl.Expr) -> pl.Expr:
    return _above(k, 80) & _above(d, 80) & _below(k, d)


def _stochastics() -> tuple[Component, Component]:
    close, trend = pl.col("close"), pl.col("ema_50")
    k, d, rsi_k, rsi_d = (pl.col(name) for name in ("stoch_k", "stoch_d", "stoch_rsi_k", "stoch_rsi_d"))
    plain = Component(
        "stochastic", "stoch_k", key=earlier("stoch_d"), buy=_turned_up(k, d), sell=_turned_down(k, d)
    )
    of_rsi = Component(
        "stoch_rsi",
        "stoch_rsi_k",
        key=trend,
        buy=_cheaper(close, trend) & _turned_up(rsi_k, rsi_d),
        sell=_dearer(close, trend) & _turned_down(rsi_k, rsi_d),
    )
    return plain, of_rsi


def _adx() -> Component:
    adx, plus, minus = (pl.col(name) for name in ("adx_14", "plus_di_14", "minus_di_14"))
    strong = _above(adx, 20) & _above(adx, earlier("adx_14"))
    return Component(
        "adx", "adx_14", key=adx, buy=strong & _above(plus, minus), sell=strong & _below(plus, minus)
    )


def _awesome() -> Component:
    """Buys on a cross above zero, or above zero on a turn up after a fall (a saucer)."""
    now, one, two = pl.col("awesome"), earlier("awesome"), earlier("awesome", 2)
    crossed_up = _dearer(now, 0) & ~_dearer(one, 0)
    crossed_down = _cheaper(now, 0) & ~_cheaper(one, 0)
    saucer_up = _dearer(now, 0) & _dearer(one, 0) & _dearer(now, one) & _dearer(two, one)
    saucer_down = _cheaper(now, 0) & _cheaper(one, 0) & _cheaper(now, one) & _cheaper(two, one)
    return Component(
        "awesome", "awesome", key=one, buy=crossed_up | saucer_up, sell=crossed_down | saucer_down
    )


def _bull_bear() -> Component:
    close, trend = pl.col("close"), pl.col("ema_50")
    bull, bear = pl.col("bull_power_13"), pl.col("bear_power_13")
    return Component(
        "bull_bear",
        "bull_power_13",
        key=trend,
        buy=_dearer(close, trend) & _cheaper(bear, 0) & _dearer(bear, earlier("bear_power_13")),
        sell=_cheaper(close, trend) & _dearer(bull, 0) & _cheaper(bull, earlier("bull_power_13")),
    )


def _oscillators() -> tuple[Component, ...]:
    stochastic, stoch_rsi = _stochastics()
    momentum, momentum_before = pl.col("momentum_10"), earlier("momentum_10")
    line, signal, ultimate = pl.col("macd"), pl.col("macd_signal"), pl.col("ultimate")
    return (
        _reversal("rsi", "rsi_14", 30, 70),
        stochastic,
        _reversal("cci", "cci_20", -100, 100),
        _adx(),
        _awesome(),
        Component(
            "momentum",
            "momentum_10",
            key=momentum_before,
            buy=_dearer(momentum, momentum_before),
            sell=_cheaper(momentum, momentum_before),
        ),
        Component("macd", "macd", key=signal, buy=_dearer(line, signal), sell=_cheaper(line, signal)),
        stoch_rsi,
        _reversal("williams_r", "williams_r_14", -80, -20),
        _bull_bear(),
        Component("ultimate", "ultimate", key=ultimate, buy=_above(ultimate, 70), sell=_below(ultimate, 30)),
    )


MOVING_AVERAGES: tuple[Component, ...] = (
    *(_average(f"{kind}_{length}") for length in (10, 20, 30, 50, 100, 200) for kind in ("sma", "ema")),
    _average("hma_9"),
    _average("vwma_20"),
    _ichimoku(),
)
OSCILLATORS: tuple[Component, ...] = _oscillators()

#: Names of the votes, in the order of the published table.
MOVING_AVERAGE_VOTES = tuple(component.name for component in MOVING_AVERAGES)
OSCILLATOR_VOTES = tuple(component.name for component in OSCILLATORS)
