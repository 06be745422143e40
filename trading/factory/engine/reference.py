"""The back-test of one genome and one symbol in plain Python: slow, bar by bar, the oracle of the kernel.

Written from docs/concepts/backtest-engine.md, in its order and its words, and sharing nothing with the
kernel but the genome and the names of its results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import MAXIMUM_COST_FRACTION
from trading.factory.genes.genome import Genome
from trading.factory.genes.holds import holds
from trading.factory.genes.rules import Column, Rule


@dataclass(frozen=True, slots=True)
class Costs:
    """A symbol's costs as fractions: fee, spread half with slippage, Y σ of one bar, maintenance margin."""

    fee: float
    fixed: float
    impact: float
    maintenance: float
    slot_quote: float


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position. ``gain`` is net of all costs, a fraction of the slot's starting equity."""

    entry_bar: int
    exit_bar: int
    side: int
    reason: str
    entry_price: float
    exit_price: float
    quantity: float
    fees: float
    funding: float
    gain: float


@dataclass(slots=True)
class Outcome:
    """Closed trades, and the slot's equity at the end of each day; ``bars_held`` includes an open position."""

    trades: list[Trade] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    bars_held: int = 0


@dataclass(slots=True)
class _Position:
    side: int
    bar: int
    price: float
    basis: float
    quantity: float
    margin: float
    fee: float
    best: float
    funding: float = 0.0
    leaving: str = ""


def run(
    genome: Genome,
    bars: Bars,
    row: int,
    ratio: int,
    values: Mapping[Column, Sequence[float]],
    costs: Costs,
    *,
    watched: bool = False,
) -> Outcome:
    """Walk over the bars of one symbol.

    Parameters
    ----------
    ratio
        Execution bars per decision bar.
    values
        The genome's columns of the symbol, one value per decision bar.
    watched
        Stops and targets are looked at when a bar closes.
    """
    return _Slot(genome, bars, row, ratio, values, costs, watched).walk()


class _Slot:
    def __init__(
        self,
        genome: Genome,
        bars: Bars,
        row: int,
        ratio: int,
        values: Mapping[Column, Sequence[float]],
        costs: Costs,
        watched: bool,
    ) -> None:
        self.genome, self.costs, self.values, self.ratio = genome, costs, values, ratio
        self.watched = watched
        self.minutes, self.warmup = bars.minutes, bars.warmup_bars
        self.open, self.high = bars.open[row].tolist(), bars.high[row].tolist()
        self.low, self.close = bars.low[row].tolist(), bars.close[row].tolist()
        self.volume, self.rate = bars.volume[row].tolist(), bars.funding_rate[row].tolist()
        self.day_ends = set(bars.day_ends.tolist())
        self.cash = 1.0
        self.position: _Position | None = None
        self.ordered = 0
        self.outcome = Outcome()

    def walk(self) -> Outcome:
        newest = math.nan
        for bar, close in enumerate(self.close):
            exists = not math.isnan(close)
            if self.position is not None and bar > self.position.bar and self.rate[bar] != 0.0:
                price = self.open[bar] if exists else newest
                self.position.funding += self.position.side * self.position.quantity * price * self.rate[bar]
            if exists and self.volume[bar] > 0:
                self._trade(bar)
            self.ordered = 0
            if exists:
                newest = close
                if self.watched and self.position is not None and not self.position.leaving:
                    self._look(bar, close)
            self._decide(bar)
            if self.position is not None:
                self.outcome.bars_held += 1
            if bar + 1 in self.day_ends:
                self.outcome.equity.append(self._worth(newest))
        return self.outcome

    def _trade(self, bar: int) -> None:
        """What happens in a bar in which something can trade."""
        position = self.position
        if position is None:
            if self.ordered and bar >= self.warmup and self.cash > 0:
                self._enter(bar, self.ordered)
                if not self.watched:
                    self._within(bar)
            return
        liquidation = self._liquidation(position)
        below = position.side * self.open[bar] <= position.side * liquidation
        if below and (position.leaving or not self.watched):
            self._close(bar, self.open[bar], "liquidation")
        elif position.leaving:
            self._close(bar, self.open[bar], position.leaving)
        elif not self.watched:
            self._within(bar)

    def _enter(self, bar: int, side: int) -> None:
        value = self.cash * self.genome.size_fraction * self.genome.leverage
        price = self.open[bar] * (1 + side * self._cost(value, self.open[bar], bar))
        fee = value * self.costs.fee
        self.cash -= fee
        basis = price * (1 + side * self.costs.fee) if self.watched else price
        self.position = _Position(
            side, bar, price, basis, value / price, value / self.genome.leverage, fee, best=basis
        )

    def _within(self, bar: int) -> None:
        """Stop or liquidation, then target, inside the bar; the best price counts from the next bar on."""
        position, genome = self.position, self.genome
        assert position is not None  # noqa: S101 - the callers hold one
        side, opened = position.side, self.open[bar]
        worst, best = (self.low[bar], self.high[bar]) if side > 0 else (self.high[bar], self.low[bar])
        stop, reason = self._stop(position)
        liquidation = self._liquidation(position)
        if side * liquidation >= side * stop and side * worst <= side * liquidation:
            self._close(bar, liquidation, "liquidation")
        elif side * worst <= side * stop:
            self._close(bar, min(opened, stop) if side > 0 else max(opened, stop), reason)
        elif genome.target_fraction is not None and self._reached(best, genome.target_fraction):
            self._close(bar, position.basis * (1 + side * genome.target_fraction), "target")
        elif side * best > side * position.best:
            position.best = best

    def _look(self, bar: int, close: float) -> None:
        """The same at a close: what is found is filled at the next open, except a liquidation."""
        position, genome = self.position, self.genome
        assert position is not None  # noqa: S101 - the caller holds one
        side = position.side
        stop, reason = self._stop(position)
        liquidation = self._liquidation(position)
        if side * liquidation >= side * stop and side * close <= side * liquidation:
            self._close(bar, liquidation, "liquidation")
        elif side * close <= side * stop:
            position.leaving = reason
        elif genome.target_fraction is not None and self._reached(close, genome.target_fraction):
            position.leaving = "target"
        elif side * close > side * position.best:
            position.best = close

    def _stop(self, position: _Position) -> tuple[float, str]:
        """The stop that is nearer to the price, and which it is."""
        side, genome = position.side, self.genome
        stop, reason = position.basis * (1 - side * genome.stop_fraction), "stop"
        if genome.trailing_fraction is not None and genome.trailing_after_fraction is not None:
            reached = position.basis * (1 + side * genome.trailing_after_fraction)
            trailing = position.best * (1 - side * genome.trailing_fraction)
            if side * position.best >= side * reached and side * trailing > side * stop:
                stop, reason = trailing, "trailing"
        return stop, reason

    def _reached(self, best: float, fraction: float) -> bool:
        position = self.position
        assert position is not None  # noqa: S101 - the caller holds one
        return position.side * best >= position.side * position.basis * (1 + position.side * fraction)

    def _liquidation(self, position: _Position) -> float:
        """Price at which what is left of the margin is the maintenance margin."""
        left = (position.margin - position.funding) / position.quantity
        return (position.price - position.side * left) / (1 - position.side * self.costs.maintenance)

    def _close(self, bar: int, price: float, reason: str) -> None:
        position = self.position
        assert position is not None  # noqa: S101 - the callers hold one
        fee = 0.0
        if reason == "liquidation":
            fill, change = price, -position.margin
        else:
            cost = self._cost(position.quantity * price, price, bar)
            fill = price * (1 - position.side * cost)
            fee = position.quantity * fill * self.costs.fee
            change = position.side * position.quantity * (fill - position.price) - fee - position.funding
        self.cash += change
        # The bar in which it is closed counts as held unless that happened at its open, as decided before.
        self.outcome.bars_held += reason == "liquidation" or (
            reason not in ("signal", "time") and not self.watched
        )
        self.outcome.trades.append(
            Trade(
                position.bar,
                bar,
                position.side,
                reason,
                position.price,
                fill,
                position.quantity,
                position.fee + fee,
                position.funding,
                change - position.fee,
            )
        )
        self.position = None

    def _decide(self, bar: int) -> None:
        """Orders at the close of a decision bar, and the time exit at any close."""
        genome, position = self.genome, self.position
        decision, rest = divmod(bar + 1, self.ratio)
        decision -= 1
        closes = rest == 0
        if position is not None:
            rules = genome.long if position.side > 0 else genome.short
            assert rules is not None  # noqa: S101 - the position came from them
            if not position.leaving and closes and self._says(rules.exit, decision):
                position.leaving = "signal"
            hours = genome.time_exit_hours
            if not position.leaving and hours is not None:
                position.leaving = "time" if (bar - position.bar + 1) * self.minutes >= hours * 60 else ""
        elif closes:
            sides = [
                side
                for side, rules in ((1, genome.long), (-1, genome.short))
                if rules is not None
                and self._says(rules.entry, decision)
                and not self._says(rules.exit, decision)
            ]
            self.ordered = sides[0] if len(sides) == 1 else 0

    def _says(self, rule: Rule | None, decision: int) -> bool:
        return rule is not None and holds(rule, self.values, decision)

    def _cost(self, value: float, price: float, bar: int) -> float:
        share = value * self.costs.slot_quote / (price * self.volume[bar])
        return min(self.costs.fixed + self.costs.impact * math.sqrt(share), MAXIMUM_COST_FRACTION)

    def _worth(self, price: float) -> float:
        position = self.position
        if position is None:
            return self.cash
        return self.cash + position.side * position.quantity * (price - position.price) - position.funding
