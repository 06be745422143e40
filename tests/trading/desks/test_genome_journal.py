"""What the genome desk does on paper, tick by tick, is what the back-test of its strategies did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tests.trading_scenario import instrument, snapshot, view
from trading.costs.model import CostModel
from trading.desks.genome import GenomeDesk, GenomeDeskSettings
from trading.execution.matching import match
from trading.execution.planner import plan
from trading.factory.engine.bars import Bars, bars_from_frame
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.minutes import bars_of_minutes
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.engine.signals import Signals, signals
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Genome, Side, Timeframe
from trading.factory.paper import waits_for
from trading.ledger.accounting import apply_fill
from trading.model.decision import Action, Decision, Direction, Outcome, VerdictKind
from trading.model.order import Order
from trading.model.series import Market
from trading.model.snapshot import BestClose, PaperStrategy, Position
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

START = datetime(2026, 3, 2, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DAYS, TICK_MS, MINUTE_MS = 3, 900_000, 60_000
SYMBOLS = ("AAAUSDT", "BBBUSDT")
#: Without impact, and on a fine tick: a back-test knows neither the volume of a minute nor ticks.
COSTS = CostModel(impact_coefficient=0)
TICK_SIZE = Decimal("1e-9")
DESK = GenomeDesk(GenomeDeskSettings(max_positions_per_strategy=10, max_open_positions=1000))
LIMITS = RiskLimits(
    max_position_fraction=1,
    max_portfolio_exposure_fraction=1,
    max_open_positions=1000,
    max_daily_loss_fraction=1,
)
#: Reason codes of the desk in the back-test's words.
REASONS = {
    "exit_signal": "signal",
    "time_exit": "time",
    "stop_loss": "stop",
    "trailing_stop": "trailing",
    "take_profit": "target",
}
Trip = tuple[int, int, str]


def minutes(seed: int) -> pl.DataFrame:
    """Klines of a few days with every tenth minute absent, but never a whole quarter of an hour."""
    rng = np.random.default_rng(seed)
    frames = []
    for symbol in SYMBOLS:
        count = DAYS * 1440
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0012, count)))
        opens = np.concatenate(([100.0], close[:-1]))
        wick = np.abs(rng.normal(0, 0.0005, (2, count)))
        frame = pl.DataFrame(
            {
                "symbol": symbol,
                "open_time": pl.Series(START_MS + np.arange(count) * MINUTE_MS).cast(
                    pl.Datetime("ms", "UTC")
                ),
                "open": opens,
                "high": np.maximum(opens, close) * (1 + wick[0]),
                "low": np.minimum(opens, close) * (1 - wick[1]),
                "close": close,
                "volume": rng.lognormal(10, 0.5, count),
            }
        )
        frames.append(frame.filter(pl.Series((rng.random(count) > 0.1) | (np.arange(count) % 15 == 0))))
    return pl.concat(frames)


@dataclass
class Paper:
    """The paper account, one tick after the other, by the functions that trade for real."""

    genomes: list[Genome]
    klines: pl.DataFrame
    bars: Bars
    market: Market = Market.SPOT
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    resting: list[Order] = field(default_factory=list)
    cash: Decimal = Decimal(1_000_000)

    def journal(self) -> Iterator[Decision]:
        """Every fired decision that became an order."""
        for bar in range(self.bars.count):
            now_ms = START_MS + (bar + 1) * TICK_MS
            self._fill(now_ms)
            decided = self.decided(bar, now_ms)
            yield from (decision for decision in decided if decision.outcome is Outcome.FIRED)

    def _fill(self, now_ms: int) -> None:
        first = pl.lit(now_ms - TICK_MS), pl.lit(now_ms)
        closed = self.klines.filter(pl.col("open_time").dt.epoch("ms").is_between(*first, closed="left"))
        for order in self.resting:
            (fill,) = match(order, closed, COSTS, instrument(order.symbol, tick_size=TICK_SIZE))
            key = (order.strategy_id, order.symbol)
            booked, _ = apply_fill(
                self.positions.get(key),
                fill,
                desk=DESK.name,
                strategy_id=order.strategy_id,
                shorts=order.market is not Market.SPOT,
            )
            self.positions[key] = booked
            self.cash += fill.quantity * fill.price * (-1 if order.side == "buy" else 1) - fill.fee
        self.resting = []

    def decided(self, bar: int, now_ms: int) -> Iterator[Decision]:
        """Everything that the desk looked at at a close; what fired becomes an order."""
        held = tuple(item for item in self.positions.values() if item.quantity)
        closes = self.bars.close[:, bar]
        views = [
            view(symbol, close=float(close), bar_close_ms=now_ms, spot_close=float(close))
            for symbol, close in zip(SYMBOLS, closes, strict=True)
        ]
        taken = snapshot(
            *views,
            bar_close_ms=now_ms,
            taken_at_ms=now_ms,
            strategies=tuple(self._strategy(genome, bar, held) for genome in self.genomes),
            instruments={symbol: instrument(symbol, market=self.market) for symbol in SYMBOLS},
            market=self.market,
            portfolio={
                "positions": held, "cash": self.cash,
                "equity": Decimal(1_000_000), "equity_day_start": Decimal(1_000_000),
            },
        )  # fmt: skip
        decided = DESK.decide(taken)
        verdicts = judge(decided, taken, LIMITS, now_ms)
        assert {verdict.kind for verdict in verdicts} <= {VerdictKind.APPROVED}
        self.resting = list(plan(decided, verdicts, taken, "paper", now_ms))
        yield from decided

    def _strategy(self, genome: Genome, bar: int, held: tuple[Position, ...]) -> PaperStrategy:
        said = Signals((), (), (), ())
        if (bar + 1) % (genome.timeframe.minutes // 15) == 0:
            said = signals(genome, first_bars(self.bars, bar + 1))
        best = tuple(
            BestClose(item.symbol, self._best_close(item, bar))
            for item in held
            if item.strategy_id == genome.strategy_id
        )
        return PaperStrategy(
            genome.strategy_id,
            genome.desk_view,
            said.enter_long,
            said.leave_long,
            best,
            short_entry_symbols=said.enter_short,
            short_exit_symbols=said.leave_short,
        )

    def _best_close(self, position: Position, bar: int) -> float:
        entered = (position.opened_at_ms - START_MS) // TICK_MS
        closes = self.bars.close[SYMBOLS.index(position.symbol), entered : bar + 1]
        return float(closes.min() if position.quantity < 0 else closes.max())


def first_bars(bars: Bars, count: int) -> Bars:
    cut = {
        name: np.ascontiguousarray(getattr(bars, name)[:, :count])
        for name in ("open", "high", "low", "close", "volume", "funding_rate")
    }
    return Bars(bars.symbols, bars.first_open_ms, bars.minutes, **cut)


def trips(decisions: list[Decision]) -> dict[tuple[str, str], list[Trip]]:
    """Entry bar, exit bar and reason of every closed position: what a close decides, the next bar fills."""
    opened: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], list[Trip]] = {}
    for decision in decisions:
        key, bar = (decision.strategy_id, decision.symbol), (decision.bar_close_ms - START_MS) // TICK_MS
        if decision.action is Action.ENTER:
            assert key not in opened
            opened[key] = bar
        else:
            found.setdefault(key, []).append((opened.pop(key), bar, REASONS[decision.reason_code]))
    return found


def back_tested(genomes: list[Genome], population: Population) -> dict[tuple[str, str], list[Trip]]:
    found: dict[tuple[str, str], list[Trip]] = {}
    for trade in population.trade_list().to_dicts():
        key = (genomes[trade["genome"]].strategy_id, trade["symbol"])
        entry, leave = (
            (int(trade[f"{end}_time"].timestamp() * 1000) - START_MS) // TICK_MS for end in ("entry", "exit")
        )
        found.setdefault(key, []).append((entry, leave, trade["reason"]))
    return found


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, Bars, list[Genome]]:
    """Minutes, their bars, and genomes of every kind."""
    klines = minutes(4)
    end = START + timedelta(days=DAYS)
    bars = bars_from_frame(bars_of_minutes(klines, 15), START, end, minutes=15)
    drawn = generate(
        np.random.default_rng(7), 400, timeframes=[Timeframe.M15, Timeframe.M30, Timeframe.H1], ratings=False
    )
    return klines, bars, drawn


def leaving_for_every_reason(candidates: list[Genome], bars: Bars, side: str) -> list[Genome]:
    """Of each reason, the one of the candidates that leaves a side for it most often."""
    trades = back_test(candidates, bars).trade_list().filter(pl.col("side") == side)
    chosen: dict[int, None] = {}
    for reason in REASONS.values():
        listed = trades.filter(pl.col("reason") == reason)
        chosen |= dict.fromkeys(listed["genome"].value_counts(sort=True)["genome"].head(1).to_list())
    return [candidates[place] for place in chosen]


def back_test(genomes: list[Genome], bars: Bars) -> Population:
    costs = Frictions.of(COSTS, slot_quote=20_000.0, maintenance_fraction=0.01)
    return backtest(genomes, bars, costs, watched=True, record_trades=True)


def within(journal: dict[tuple[str, str], list[Trip]], bars: Bars) -> dict[tuple[str, str], list[Trip]]:
    """Trips that end within the bars: what was decided at the last close is filled after the end."""
    ended = {key: [trip for trip in closed if trip[1] < bars.count] for key, closed in journal.items()}
    return {key: closed for key, closed in ended.items() if closed}


def reasons_of(found: dict[tuple[str, str], list[Trip]]) -> Counter[str]:
    return Counter(reason for closed in found.values() for *_, reason in closed)


def test_the_journal_is_the_back_test_decision_by_decision(
    market: tuple[pl.DataFrame, Bars, list[Genome]],
) -> None:
    klines, bars, drawn = market
    genomes = leaving_for_every_reason([genome for genome in drawn if not waits_for(genome)], bars, "long")
    expected = back_tested(genomes, back_test(genomes, bars))
    journal = trips(list(Paper(genomes, klines, bars).journal()))
    assert within(journal, bars) == expected
    reasons = reasons_of(expected)
    assert reasons.keys() == set(REASONS.values())
    assert sum(reasons.values()) > 60


@pytest.mark.parametrize("side", [Side.SHORT, Side.BOTH])
def test_so_it_is_for_shorts_on_futures(market: tuple[pl.DataFrame, Bars, list[Genome]], side: Side) -> None:
    """Each on an account of its own: an account of several does not hold a contract both ways."""
    klines, bars, drawn = market
    candidates = [genome for genome in drawn if genome.side is side and not waits_for(genome, Market.USDM)]
    genomes = leaving_for_every_reason(candidates, bars, "short")
    expected = back_tested(genomes, back_test(genomes, bars))
    decisions = [
        decision for genome in genomes for decision in Paper([genome], klines, bars, Market.USDM).journal()
    ]
    assert within(trips(decisions), bars) == expected
    assert reasons_of(expected).keys() == set(REASONS.values())
    entered = Counter(decision.direction for decision in decisions if decision.action is Action.ENTER)
    assert entered[Direction.SHORT] > 20
    assert (entered[Direction.LONG] > 5) is (side is Side.BOTH)


def test_on_spot_a_short_is_a_skipped_candidate(market: tuple[pl.DataFrame, Bars, list[Genome]]) -> None:
    klines, bars, drawn = market
    (genome, *_) = leaving_for_every_reason(
        [item for item in drawn if item.side is Side.SHORT], bars, "short"
    )
    account = Paper([genome], klines, bars)
    skipped = [item for bar in range(60) for item in account.decided(bar, START_MS + (bar + 1) * TICK_MS)]
    assert {(item.outcome, item.reason_code) for item in skipped} == {(Outcome.SKIPPED, "no_shorts_on_spot")}
