"""Indicators as plain loops over lists, written from their formulas; NaN where missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

NAN = math.nan
Series = list[float]


@dataclass
class Bars:
    high: Series
    low: Series
    close: Series
    volume: Series
    opened: list[int]


def windows(values: Series, length: int, function: Callable[[Series], float]) -> Series:
    out = []
    for end in range(1, len(values) + 1):
        window = values[end - length : end] if end >= length else []
        out.append(function(window) if window and not any(map(math.isnan, window)) else NAN)
    return out


def mean(values: Series) -> float:
    return math.fsum(values) / len(values)


def sma(values: Series, length: int) -> Series:
    return windows(values, length, mean)


def wma(values: Series, length: int) -> Series:
    weights = list(range(1, length + 1))
    return windows(
        values, length, lambda w: math.fsum(x * k for x, k in zip(w, weights, strict=True)) / sum(weights)
    )


def smoothed(values: Series, length: int, alpha: float) -> Series:
    """Recursive average from the mean of the first ``length`` values after the leading NaN."""
    out: Series = []
    seed: Series = []
    current = NAN
    for value in values:
        if math.isnan(value):
            out.append(NAN)
        elif len(seed) < length:
            seed.append(value)
            current = mean(seed) if len(seed) == length else NAN
            out.append(current)
        else:
            current += alpha * (value - current)
            out.append(current)
    return out


def ema(values: Series, length: int) -> Series:
    return smoothed(values, length, 2.0 / (length + 1))


def lag(values: Series, bars: int) -> Series:
    return ([NAN] * bars + values)[: len(values)]


def minus(left: Series, right: Series) -> Series:
    return [a - b for a, b in zip(left, right, strict=True)]


def rsi(b: Bars, length: int = 14) -> Series:
    change = minus(b.close, lag(b.close, 1))
    gain = smoothed([max(c, 0.0) if not math.isnan(c) else NAN for c in change], length, 1.0 / length)
    loss = smoothed([max(-c, 0.0) if not math.isnan(c) else NAN for c in change], length, 1.0 / length)
    return [100.0 * g / (g + x) if not math.isnan(g) else NAN for g, x in zip(gain, loss, strict=True)]


def true_range(b: Bars) -> Series:
    out = [NAN]
    for i in range(1, len(b.close)):
        out.append(max(b.high[i] - b.low[i], abs(b.high[i] - b.close[i - 1]), abs(b.low[i] - b.close[i - 1])))
    return out


def directional(b: Bars, length: int = 14) -> tuple[Series, Series, Series]:
    """(+DI, -DI, ADX): Wilder's sums start from the first length - 1 moves, as in TA-Lib."""
    ranges, plus_di, minus_di, dx, adx = true_range(b), [NAN], [NAN], [NAN], [NAN]
    sum_plus = sum_minus = sum_range = 0.0
    for i in range(1, len(b.close)):
        up, down = b.high[i] - b.high[i - 1], b.low[i - 1] - b.low[i]
        plus, less = (up if up > down and up > 0 else 0.0), (down if down > up and down > 0 else 0.0)
        decay = 1.0 - 1.0 / length if i >= length else 1.0
        sum_plus, sum_minus = sum_plus * decay + plus, sum_minus * decay + less
        sum_range = sum_range * decay + ranges[i]
        if i < length:
            plus_di.append(NAN), minus_di.append(NAN), dx.append(NAN), adx.append(NAN)
            continue
        plus_di.append(100.0 * sum_plus / sum_range)
        minus_di.append(100.0 * sum_minus / sum_range)
        dx.append(100.0 * abs(plus_di[-1] - minus_di[-1]) / (plus_di[-1] + minus_di[-1]))
    return plus_di, minus_di, smoothed(dx, length, 1.0 / length)


def place(close: Series, high: Series, low: Series, length: int) -> Series:
    top, bottom = windows(high, length, max), windows(low, length, min)
    return [100.0 * (c - lo) / (hi - lo) for c, hi, lo in zip(close, top, bottom, strict=True)]


def stoch_k(b: Bars) -> Series:
    return sma(place(b.close, b.high, b.low, 14), 3)


def stoch_rsi_k(b: Bars) -> Series:
    strength = rsi(b)
    return sma(place(strength, strength, strength, 14), 3)


def mid(b: Bars, length: int) -> Series:
    top, bottom = windows(b.high, length, max), windows(b.low, length, min)
    return [(hi + lo) / 2.0 for hi, lo in zip(top, bottom, strict=True)]


def cci(b: Bars) -> Series:
    def of(window: Series) -> float:
        centre = mean(window)
        return (window[-1] - centre) / (0.015 * mean([abs(x - centre) for x in window]))

    return windows(b.close, 20, of)


def ultimate(b: Bars) -> Series:
    ranges = true_range(b)
    bought = [NAN] + [b.close[i] - min(b.low[i], b.close[i - 1]) for i in range(1, len(b.close))]
    parts = []
    for length in (7, 14, 28):
        up, whole = windows(bought, length, math.fsum), windows(ranges, length, math.fsum)
        parts.append([u / w for u, w in zip(up, whole, strict=True)])
    return [100.0 * (4 * a + 2 * m + z) / 7.0 for a, m, z in zip(*parts, strict=True)]


def vwma(b: Bars) -> Series:
    value = windows([c * v for c, v in zip(b.close, b.volume, strict=True)], 20, math.fsum)
    return [x / v for x, v in zip(value, windows(b.volume, 20, math.fsum), strict=True)]


def vwap(b: Bars) -> Series:
    out: Series = []
    value = traded = 0.0
    day = None
    for i, opened in enumerate(b.opened):
        if opened // 86_400_000 != day:
            day, value, traded = opened // 86_400_000, 0.0, 0.0
        value += (b.high[i] + b.low[i] + b.close[i]) / 3.0 * b.volume[i]
        traded += b.volume[i]
        out.append(value / traded)
    return out


def macd(b: Bars) -> Series:
    return minus(ema(b.close, 12), ema(b.close, 26))


def macd_signal(b: Bars) -> Series:
    return ema(macd(b), 9)


def psar(b: Bars) -> Series:
    """Wilder's stop: the first bar's direction from the first two bars' directional movement."""
    if len(b.close) < 2:
        return [NAN] * len(b.close)
    down_move, up_move = b.low[0] - b.low[1], b.high[1] - b.high[0]
    long = not (down_move > 0 and down_move > up_move)
    stop, extreme = (b.low[0], b.high[1]) if long else (b.high[0], b.low[1])
    step, out = 0.02, [NAN]
    for i in range(1, len(b.close)):
        last = i - 1 if i > 1 else 1
        if (long and b.low[i] <= stop) or (not long and b.high[i] >= stop):
            long, stop = not long, extreme
            bound = b.low if not long else b.high
            worst = max(b.high[last], b.high[i]) if not long else min(b.low[last], b.low[i])
            stop = max(stop, worst) if not long else min(stop, worst)
            out.append(stop)
            step, extreme = 0.02, bound[i]
        else:
            out.append(stop)
            if long and b.high[i] > extreme:
                extreme, step = b.high[i], min(0.2, step + 0.02)
            elif not long and b.low[i] < extreme:
                extreme, step = b.low[i], min(0.2, step + 0.02)
        stop += step * (extreme - stop)
        worst = min(b.low[last], b.low[i]) if long else max(b.high[last], b.high[i])
        stop = min(stop, worst) if long else max(stop, worst)
    return out


def qqe(b: Bars) -> tuple[Series, Series]:
    line = ema(rsi(b), 5)
    move = [abs(x) for x in minus(line, lag(line, 1))]
    reach = [4.236 * x for x in ema(ema(move, 27), 27)]
    out: Series = []
    long = short = NAN
    trend = 1
    for i, now in enumerate(line):
        if math.isnan(reach[i]):
            out.append(NAN)
            continue
        if now > short:
            trend = 1
        elif now < long:
            trend = -1
        before = line[i - 1]
        long = max(long, now - reach[i]) if before > long and now > long else now - reach[i]
        short = min(short, now + reach[i]) if before < short and now < short else now + reach[i]
        out.append(long if trend == 1 else short)
    return line, out


def awesome(b: Bars) -> Series:
    middle = [(hi + lo) / 2.0 for hi, lo in zip(b.high, b.low, strict=True)]
    return minus(sma(middle, 5), sma(middle, 34))


ORACLES: dict[str, Callable[[Bars], Series]] = {
    "close": lambda b: b.close,
    "volume": lambda b: b.volume,
    **{f"sma_{n}": lambda b, n=n: sma(b.close, n) for n in (10, 20, 30, 50, 100, 200)},
    **{f"ema_{n}": lambda b, n=n: ema(b.close, n) for n in (10, 20, 30, 50, 100, 200)},
    "hma_9": lambda b: wma([2 * x - y for x, y in zip(wma(b.close, 4), wma(b.close, 9), strict=True)], 3),
    "vwma_20": vwma,
    "vwap": vwap,
    "ichimoku_conversion": lambda b: mid(b, 9),
    "ichimoku_base": lambda b: mid(b, 26),
    "ichimoku_lead_a": lambda b: lag([(x + y) / 2.0 for x, y in zip(mid(b, 9), mid(b, 26), strict=True)], 26),
    "ichimoku_lead_b": lambda b: lag(mid(b, 52), 26),
    "rsi_14": rsi,
    "stoch_k": stoch_k,
    "stoch_d": lambda b: sma(stoch_k(b), 3),
    "stoch_rsi_k": stoch_rsi_k,
    "stoch_rsi_d": lambda b: sma(stoch_rsi_k(b), 3),
    "cci_20": cci,
    "adx_14": lambda b: directional(b)[2],
    "plus_di_14": lambda b: directional(b)[0],
    "minus_di_14": lambda b: directional(b)[1],
    "atr_14": lambda b: smoothed(true_range(b), 14, 1.0 / 14),
    "awesome": awesome,
    "momentum_10": lambda b: minus(b.close, lag(b.close, 10)),
    "macd": macd,
    "macd_signal": macd_signal,
    "macd_histogram": lambda b: minus(macd(b), macd_signal(b)),
    "macd_histogram_previous": lambda b: lag(minus(macd(b), macd_signal(b)), 1),
    "macd_lift": lambda b: minus(macd(b), lag(macd(b), 1)),
    "williams_r_14": lambda b: [x - 100.0 for x in place(b.close, b.high, b.low, 14)],
    "bull_power_13": lambda b: minus(b.high, ema(b.close, 13)),
    "bear_power_13": lambda b: minus(b.low, ema(b.close, 13)),
    "ultimate": ultimate,
    "psar": psar,
    "qqe_line": lambda b: qqe(b)[0],
    "qqe_trail": lambda b: qqe(b)[1],
    "volume_sma_9": lambda b: sma(b.volume, 9),
    "volume_sma_20": lambda b: sma(b.volume, 20),
}
