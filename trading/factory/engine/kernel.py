"""The compiled back-test of many genomes over one symbol. Import it inside functions only.

The rules are those of docs/concepts/backtest-engine.md; `trading.factory.engine.reference` is the same in
plain Python. Shorts run on negated prices (see `Tape`): below, "low" is the worst price and a level is
touched from above, for either side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trading.factory.engine.compiled import compiled, inlined
from trading.factory.engine.frictions import MAXIMUM_COST_FRACTION
from trading.factory.engine.program import AND
from trading.factory.engine.tape import (
    BLOCK_BARS,
    BLOCK_FUNDING,
    BLOCK_HIGH,
    BLOCK_LOW,
    FUNDING_INDEX,
    HIGH,
    LOW,
    OPEN,
    THIN_BASE,
    THIN_QUOTE,
    Tape,
)
from trading.factory.engine.totals import (
    EQUITY,
    FEES,
    FUNDING,
    GAINS,
    HELD,
    LIQUIDATION,
    LIQUIDATIONS,
    LOSSES,
    SIGNAL,
    SLIPPAGE,
    STOP,
    TARGET,
    TIME,
    TRADED,
    TRADES,
    TRAILING,
    WINS,
)

# Kept machine code holds these values and is renewed when this file changes, not when theirs do: who
# changes one there must repeat it here.
_KEPT_WITH = (-1, 32, 0.5, (0, 1, 3, 5, 6, 7), (0, 2, 4), tuple(range(11)), tuple(range(6)))
_KEPT_FIELDS = ("prices", "blocks", "next_trading", "next_due", "day_ends", "day_close")
_ROWS, _BLOCK_ROWS = (
    (OPEN, LOW, HIGH, THIN_BASE, THIN_QUOTE, FUNDING_INDEX),
    (BLOCK_LOW, BLOCK_HIGH, BLOCK_FUNDING),
)
_TOTALS = (TRADES, WINS, LIQUIDATIONS, GAINS, LOSSES, HELD, TRADED, FEES, SLIPPAGE, FUNDING, EQUITY)
_REASONS = (SIGNAL, TIME, STOP, TRAILING, TARGET, LIQUIDATION)
_NOW = (AND, BLOCK_BARS, MAXIMUM_COST_FRACTION, _ROWS, _BLOCK_ROWS, _TOTALS, _REASONS)
if _NOW != _KEPT_WITH or Tape._fields != _KEPT_FIELDS:
    raise RuntimeError("a constant that the kernel was compiled with has changed; repeat it in _KEPT_WITH")

_ONE = np.uint64(1)
_ALL = ~np.uint64(0)
# The lowest set bit times a de Bruijn number has the bit's place in its top six bits.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACE = np.zeros(64, np.int64)
for _bit in range(64):
    _PLACE[((0x03F79D71B4CB0A89 << _bit) & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit


@compiled
def _next_set(words: Any, row: int, start: int, stop: int) -> Any:
    """First set bit at or after ``start`` in a row of words; ``stop`` where there is none before it."""
    if start >= stop:
        return stop
    word = start >> 6
    rest = words[row, word] & (_ALL << np.uint64(start & 63))
    while rest == np.uint64(0):
        word += 1
        if word * 64 >= stop:
            return stop
        rest = words[row, word]
    lowest = rest & (~rest + _ONE)
    place = (word << 6) + _PLACE[(lowest * _DE_BRUIJN) >> np.uint64(58)]
    return place if place < stop else stop


@compiled
def _evaluate(leaf: Any, codes: Any, begin: int, end: int, stack: Any, out: Any) -> None:
    """Run one postfix program over the words of its comparisons; an empty one answers no.

    Loops throughout: assigning slices would compile the text of errors that cannot happen.
    """
    count, top = out.size, -1
    for at in range(begin, end):
        code = codes[at]
        if code >= 0:
            top += 1
            for i in range(count):
                stack[top, i] = leaf[code, i]
        elif code == AND:
            top -= 1
            for i in range(count):
                stack[top, i] &= stack[top + 1, i]
        else:
            top -= 1
            for i in range(count):
                stack[top, i] |= stack[top + 1, i]
    for i in range(count):
        out[i] = stack[0, i] if top == 0 else np.uint64(0)


@compiled
def _signals(leaf: Any, codes: Any, offsets: Any, stack: Any, signals: Any) -> None:
    """Words of long entry, long exit, short entry, short exit and any entry, shape (5, words)."""
    for program in range(4):
        _evaluate(leaf, codes, offsets[program], offsets[program + 1], stack, signals[program])
    for i in range(signals.shape[1]):
        long, short = signals[0, i] & ~signals[1, i], signals[2, i] & ~signals[3, i]
        both = long & short
        signals[0, i], signals[2, i], signals[4, i] = long ^ both, short ^ both, long ^ short


@inlined
def _cost(fixed: float, impact: float, amount: float, thin: float) -> Any:
    """Half the spread, fixed slippage and square-root impact of a market order, fraction of price.

    ``impact`` is that of the whole slot, ``thin`` one over the root of the volume that ``amount`` meets.
    """
    return min(fixed + impact * math.sqrt(amount) * thin, MAXIMUM_COST_FRACTION)


@inlined
def _walk(
    prices: Any,
    blocks: Any,
    next_trading: Any,
    next_due: Any,
    short: int,
    entry: int,
    decided: int,
    price: float,
    basis: float,
    watched: bool,
    numbers: Any,
    maintenance: float,
    dearest: Any,
) -> Any:
    """From the entry bar to the exit decided in bar ``decided``: bar, price and reason of what comes first.

    ``price`` is the entry's fill and ``basis`` what stop and target are measured from, ``dearest`` of
    `_dearest`; the price returned is before costs. Reason -1 where nothing comes before the decided exit,
    whose bar and open are returned.
    """
    # Indexed by row: a view of a row would count its references, at the price of several bars.
    low, high = LOW + short, HIGH + short
    block_low, block_high, block_funding = BLOCK_LOW + short, BLOCK_HIGH + short, BLOCK_FUNDING + short
    sign = 1.0 - 2.0 * short
    base = sign * basis
    fixed = base * (1.0 - sign * numbers[0])
    target = base * (1.0 + sign * numbers[1])
    trail = 1.0 - sign * numbers[2]
    active = base * (1.0 + sign * numbers[3])
    cushion = sign * price * (1.0 - sign / numbers[5]) - sign * prices[FUNDING_INDEX, entry]
    kept = 1.0 - sign * maintenance
    level, reason, trails = fixed, STOP, numbers[3] < math.inf
    # Where even the dearest funding liquidates below the first stop, liquidation cannot come first: its level
    # is not followed, and looked up only where a price falls as low as that.
    worst = (cushion + dearest[short]) / kept
    near = worst >= fixed
    liquidation, due = -math.inf, prices.shape[1] + 1
    if near:
        liquidation = (cushion + sign * prices[FUNDING_INDEX, entry]) / kept
        due = next_due[entry + 1]
    floor = max(level, liquidation)
    peak = base if trails else math.inf
    t, last, why = entry, min(decided + 1, prices.shape[1]), -1
    if trails and peak >= active and peak * trail > fixed:
        level, reason = peak * trail, TRAILING
        floor = max(level, liquidation)
    while t < last and why < 0:
        if t >= due:
            liquidation = (cushion + sign * prices[FUNDING_INDEX, t]) / kept
            floor = max(level, liquidation)
            due = next_due[t + 1]
        block = t // BLOCK_BARS
        stop = (block + 1) * BLOCK_BARS
        if t > entry and t + BLOCK_BARS == stop and stop <= last:
            best = max(peak, blocks[block_high, block]) if trails else base
            highest = max(level, best * trail) if trails and best >= active else level
            deepest = max(highest, (cushion + blocks[block_funding, block]) / kept) if near else highest
            if blocks[block_high, block] < target and blocks[block_low, block] > deepest:
                t = stop
                if trails:
                    peak = best
                    if highest > level:
                        level, reason = highest, TRAILING
                        floor = max(level, liquidation)
                continue
        # Until the next block or payment nothing but the best price can move a level.
        stop = min(stop, last, due)
        while t < stop:
            if prices[low, t] <= floor:
                if not near and sign * prices[OPEN, t] <= worst:
                    liquidation = (cushion + sign * prices[FUNDING_INDEX, t]) / kept
                gap = not watched and t > entry and sign * prices[OPEN, t] <= liquidation
                if gap or liquidation >= level:
                    return t, prices[OPEN, t] if gap else sign * liquidation, LIQUIDATION
                if not watched:
                    return t, sign * min(sign * prices[OPEN, t], level), reason
                why = reason
                break
            if prices[high, t] >= target:
                if not watched:
                    return t, sign * target, TARGET
                why = TARGET
                break
            if prices[high, t] > peak:
                peak = prices[high, t]
                if peak >= active and peak * trail > level:
                    level, reason = peak * trail, TRAILING
                    floor = max(level, liquidation)
            t += 1
    leave = next_trading[min((decided if why < 0 else t) + 1, prices.shape[1])]
    if leave == prices.shape[1]:
        return leave, math.nan, -1
    if sign * prices[OPEN, leave] <= worst and (
        sign * prices[OPEN, leave] <= (cushion + sign * prices[FUNDING_INDEX, leave]) / kept
    ):
        why = LIQUIDATION
    return leave, prices[OPEN, leave], why


@inlined
def _leaving(signals: Any, row: int, first: int, until: int, ratio: int, decisions: int) -> Any:
    """Bar at whose close an exit is decided, and whether a signal or the time decides it."""
    stop = min(decisions, until + 1 if ratio == 1 else (until + 1) // ratio)
    k = _next_set(signals, row, first, stop)
    if k < stop:
        return (k + 1) * ratio - 1, SIGNAL
    return until, TIME


@compiled
def _mark(
    day_ends: Any, closes: Any, prices: Any, equity: Any, day: int, until: int, cash: float, quantity: float
) -> Any:
    """Write the equity of the days that end by bar ``until``.

    A position of ``quantity`` (negative for a short) is worth its value at the day's close less the
    funding index: whoever calls has taken price and index of the entry out of ``cash``.
    """
    while day < day_ends.size and day_ends[day] <= until:
        worth = cash
        if quantity != 0.0:
            worth += quantity * (closes[day] - prices[FUNDING_INDEX, day_ends[day] - 1])
        equity[day] = worth
        day += 1
    return day


@inlined
def _dearest(blocks: Any) -> Any:
    """The funding index at its largest, for longs and (negated) for shorts."""
    long, short = blocks[BLOCK_FUNDING, 0], blocks[BLOCK_FUNDING + 1, 0]
    for i in range(1, blocks.shape[1]):
        long, short = max(long, blocks[BLOCK_FUNDING, i]), max(short, blocks[BLOCK_FUNDING + 1, i])
    return long, short


@compiled
def _trade_slot(
    tape: Any,
    signals: Any,
    numbers: Any,
    hold: int,
    clock: Any,
    costs: Any,
    slot_quote: float,
    total: Any,
    equity: Any,
    trades: Any,
) -> None:
    """Back-test one genome over one symbol; see `simulate`."""
    ratio, warmup, decisions, watched = clock
    size, leverage, fee, maintenance = numbers[4], numbers[5], costs[0], costs[3]
    fixed, impact = costs[1], costs[2] * math.sqrt(slot_quote)
    prices, blocks, next_trading, next_due, day_ends, day_close = tape
    count = prices.shape[1]
    dearest = _dearest(blocks)
    cash, day, worth, closed = 1.0, 0, 1.0, 0
    wins, liquidations, bars_held = 0, 0, 0
    gains = losses = traded = slipped = fees = funding = 0.0
    k = _next_set(signals, 4, max(warmup - 1, 0) // ratio, decisions)
    while k < decisions and cash > 0.0:
        entry = (k + 1) * ratio
        if entry >= count:
            break
        if next_trading[entry] != entry:
            k = _next_set(signals, 4, k + 1, decisions)
            continue
        short = 1 if (signals[2, k >> 6] >> np.uint64(k & 63)) & _ONE else 0
        sign = 1.0 - 2.0 * short
        until = entry + hold - 1
        decided, planned = _leaving(signals, 1 + 2 * short, k + 1, until, ratio, decisions)
        value = cash * size * leverage
        cost = _cost(fixed, impact, value, prices[THIN_QUOTE, entry])
        price = prices[OPEN, entry] * (1.0 + sign * cost)
        quantity, paid = value / price, value * fee
        basis = price * (1.0 + sign * fee) if watched else price
        at, before, reason = _walk(
            prices, blocks, next_trading, next_due, short, entry, decided, price, basis, watched, numbers,
            maintenance, dearest,
        )  # fmt: skip
        if day_ends[day] <= at:
            day = _mark(day_ends, day_close, prices, equity, day, entry, cash, 0.0)
            held = sign * quantity
            rest = cash - paid - held * (price - prices[FUNDING_INDEX, entry])
            day = _mark(day_ends, day_close, prices, equity, day, at, rest, held)
        cash -= paid
        owed = sign * quantity * (prices[FUNDING_INDEX, min(at, count - 1)] - prices[FUNDING_INDEX, entry])
        traded += value
        slipped += quantity * prices[OPEN, entry] * cost
        fees += paid
        funding += owed
        bars_held += at - entry
        if at == count:
            worth = cash + sign * quantity * (day_close[-1] - price) - owed
            break
        if reason < 0:
            reason = planned
        elif reason == LIQUIDATION or not watched:
            bars_held += 1
        if reason == LIQUIDATION:
            liquidations += 1
            gain, leaving = -value / leverage - paid, before
        else:
            cost = _cost(fixed, impact, quantity, prices[THIN_BASE, at])
            leaving = before * (1.0 - sign * cost)
            exit_fee = quantity * leaving * fee
            gain = sign * quantity * (leaving - price) - owed - exit_fee - paid
            traded += quantity * leaving
            slipped += quantity * before * cost
            fees += exit_fee
            paid += exit_fee
        cash += gain + value * fee
        worth = cash
        closed += 1
        wins += gain > 0.0
        gains += max(gain, 0.0)
        losses -= min(gain, 0.0)
        if trades.shape[0] > 0:
            row = trades[closed - 1]
            row[0], row[1], row[2], row[3] = entry, at, sign, reason
            row[4], row[5], row[6] = price, leaving, quantity
            row[7], row[8], row[9] = paid, owed, gain
        k = _next_set(signals, 4, at if ratio == 1 else at // ratio, decisions)
    total[TRADES], total[WINS], total[LIQUIDATIONS], total[HELD] = closed, wins, liquidations, bars_held
    total[GAINS], total[LOSSES], total[TRADED] = gains, losses, traded
    total[FEES], total[SLIPPAGE], total[FUNDING], total[EQUITY] = fees, slipped, funding, worth
    _mark(day_ends, day_close, prices, equity, day, count, cash, 0.0)


@compiled
def simulate(
    leaf: Any,
    codes: Any,
    offsets: Any,
    numbers: Any,
    hold_bars: Any,
    clock: Any,
    tape: Any,
    costs: Any,
    slot_quote: float,
    totals: Any,
    equity: Any,
    trade_offsets: Any,
    trades: Any,
) -> None:
    """Back-test every genome over one symbol.

    Parameters
    ----------
    leaf
        Answers of the comparisons, shape (comparisons, words).
    codes, offsets, numbers
        Of `Program`.
    hold_bars
        Time exit in execution bars, shape (genomes,); more than there are where there is none.
    clock
        Execution bars per decision bar, bars without fills, decision bars, and whether stops are watched.
    tape
        Of `Tape`.
    costs
        A row of `Frictions.table`.
    totals, equity
        Written: shape (genomes, totals), zeros at first, and equity at the end of each day, shape
        (genomes, days).
    trade_offsets, trades
        Where each genome's trades are written, shape (genomes + 1,) and (trades, columns); empty
        ``trades`` records none.
    """
    stack, signals = np.empty((4, leaf.shape[1]), np.uint64), np.empty((5, leaf.shape[1]), np.uint64)
    for g in range(offsets.shape[0]):
        _signals(leaf, codes, offsets[g], stack, signals)
        rows = trades[trade_offsets[g] : trade_offsets[g + 1]]
        _trade_slot(
            tape, signals, numbers[g], hold_bars[g], clock, costs, slot_quote, totals[g], equity[g], rows
        )
