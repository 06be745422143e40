"""Small markets and genomes, and the kernel beside the reference engine over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from trading.factory.engine import reference
from trading.factory.engine.bars import Bars
from trading.factory.engine.columns import Decisions, decision_ratio
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.engine.totals import HELD
from trading.factory.genes.genome import Genome, Rules, Timeframe
from trading.factory.genes.rules import Column, Direction, Slope

MIDNIGHT_MS = 1_767_225_600_000
FREE = Frictions(
    fee_bps=0, spread_bps=0, slippage_bps=0, impact_coefficient=0, maintenance_fraction=0, slot_quote=1
)
RISES = Slope(Column.of("close"), Direction.RISING, 1)
FALLS = Slope(Column.of("close"), Direction.FALLING, 1)


def genome(**changes: Any) -> Genome:
    """Buys when the close rises, leaves when it falls; stop 2.5 %, tenth of the slot, no leverage."""
    plain: dict[str, Any] = {
        "timeframe": Timeframe.H1,
        "long": Rules(RISES, FALLS),
        "stop_fraction": 0.025,
        "size_fraction": 0.1,
        "leverage": 1,
    }
    return Genome(**(plain | changes))


def bars_of(
    rows: Sequence[tuple[float, ...] | None],
    *,
    minutes: int = 60,
    funding: dict[int, float] | None = None,
    **more: Any,
) -> Bars:
    """One symbol's bars from (open, high, low, close) with volume 1,000, or five numbers; None is missing."""
    filled = [(np.nan,) * 5 if row is None else (*row, 1000.0)[:5] for row in rows]
    columns = np.array(filled, dtype=np.float64).T.reshape(5, 1, -1)
    rates = np.zeros((1, len(rows)))
    for bar, rate in (funding or {}).items():
        rates[0, bar] = rate
    return Bars(("AUSDT",), MIDNIGHT_MS, minutes, *np.ascontiguousarray(columns), rates, **more)


def random_bars(
    rng: np.random.Generator,
    *,
    symbols: int,
    count: int,
    minutes: int,
    volatility: float = 0.01,
    holes: float = 0.0,
    silent: float = 0.0,
    jumps: float = 0.0,
    funding: float = 0.0,
    tick: float = 0.0,
    warmup_bars: int = 0,
) -> Bars:
    """Random walks whose opens may gap by up to 60 %, with holes, silent bars and funding payments."""
    shape = (symbols, count)
    gap = np.where(rng.random(shape) < jumps, rng.uniform(-0.9, 0.5, shape), 0.0)
    move = rng.normal(0, volatility, shape)
    close = 100 * np.exp(np.cumsum(gap + move, axis=1))
    opens = np.concatenate((np.full((symbols, 1), 100.0), close[:, :-1]), axis=1) * np.exp(gap)
    wick = np.abs(rng.normal(0, volatility, (2, *shape)))
    high, low = np.maximum(opens, close) * (1 + wick[0]), np.minimum(opens, close) / (1 + wick[1])
    if tick:
        opens, high, low, close = (
            np.maximum(np.round(x / tick), 1) * tick for x in (opens, high, low, close)
        )
    volume = np.where(rng.random(shape) < silent, 0.0, rng.lognormal(6, 1, shape))
    missing = rng.random(shape) < holes
    for values in (opens, high, low, close, volume):
        values[missing] = np.nan
    rates = np.where(rng.random(shape) < 0.1, rng.normal(0, funding, shape), 0.0)
    names = tuple(f"S{s}USDT" for s in range(symbols))
    return Bars(names, MIDNIGHT_MS, minutes, opens, high, low, close, volume, rates, warmup_bars=warmup_bars)


def oracle(
    genome: Genome, bars: Bars, row: int, frictions: Frictions, *, watched: bool = False
) -> reference.Outcome:
    """The reference engine's answer for one genome and symbol."""
    fee, fixed, impact, maintenance = frictions.table(len(bars.symbols), bars.minutes)[row].tolist()
    costs = reference.Costs(fee, fixed, impact, maintenance, frictions.slot_quote)
    ratio = decision_ratio(bars, genome.timeframe.minutes)
    decisions = Decisions(bars, slice(row, row + 1), genome.timeframe.minutes)
    values = {column: decisions.column(column)[0].tolist() for column in genome.columns}
    return reference.run(genome, bars, row, ratio, values, costs, watched=watched)


def agree(
    genomes: Sequence[Genome], bars: Bars, frictions: Frictions, *, watched: bool = False
) -> Population:
    """Run both engines; fail where a trade, a day's equity or a count differs."""
    population = backtest(genomes, bars, frictions, record_trades=True, workers=1, watched=watched)
    listed = population.trade_list()
    step = bars.minutes * 60_000
    equity = np.zeros_like(population.equity)
    for g, one in enumerate(genomes):
        for row, symbol in enumerate(bars.symbols):
            expected = oracle(one, bars, row, frictions, watched=watched)
            found = listed.filter(pl.col("genome") == g, pl.col("symbol") == symbol)
            where = f"{one}\n{symbol}\n{found}\n{expected.trades}"
            assert found.height == len(expected.trades), where
            for name in ("entry", "exit"):
                bar = (found[f"{name}_time"].dt.epoch("ms") - bars.first_open_ms) // step
                assert bar.to_list() == [getattr(t, f"{name}_bar") for t in expected.trades], where
            assert found["reason"].to_list() == [t.reason for t in expected.trades], where
            assert found["side"].to_list() == ["long" if t.side > 0 else "short" for t in expected.trades], (
                where
            )
            for name in ("entry_price", "exit_price", "quantity", "fees", "funding", "gain"):
                wanted = [getattr(t, name) for t in expected.trades]
                np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=1e-12, err_msg=where)
            equity[g] += expected.equity
            assert population.totals[g, row, HELD] == expected.bars_held, where
    np.testing.assert_allclose(population.equity, equity / len(bars.symbols), rtol=1e-9)
    return population


def trades(population: Population) -> list[dict[str, Any]]:
    """The recorded trades as rows."""
    return population.trade_list().to_dicts()


def changed(frictions: Frictions, **values: Any) -> Frictions:
    """Frictions with other values."""
    return dataclasses.replace(frictions, **values)
