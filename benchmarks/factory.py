"""The population back-test: strategy-bars a second with all frictions, whole runs, and a peer on the same rules.

    python -m benchmarks.factory [--quick] [--peer-python PATH] [--output FILE]

A strategy-bar is one genome over one execution bar of one symbol. ``kernel`` is measured over columns that
are already there; ``whole`` from bars to metrics in a process of its own, with its peak memory. Where other
programs run too, the figures per processor second say more than those per second.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from trading.factory.engine.bars import Bars
from trading.factory.engine.columns import Decisions
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.engine.tape import tape
from trading.factory.engine.task import Part, Task, batches, symbol_blocks
from trading.factory.engine.totals import TOTALS
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Genome, Rules, Timeframe
from trading.factory.genes.rules import Column, Relation, Threshold

RUNS = 3
_FIRST_MS = 1_767_225_600_000
#: Execution bars in minutes, and the timeframe that decides on them: no genome decides faster than 5 minutes.
CLOCKS = {1: Timeframe.M5, 5: Timeframe.M5, 60: Timeframe.H1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the symbols and genomes")
    parser.add_argument("--peer-python", type=Path, help="interpreter of an environment with vectorbt")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--whole", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    genomes, symbols = (50, 5) if arguments.quick else (500, 50)
    if arguments.whole:
        print(json.dumps(_whole(arguments.whole, genomes, symbols)))
        return
    figures: dict[str, object] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    for minutes in CLOCKS:
        figures[f"kernel_{minutes}m"] = kernel(minutes, genomes, min(symbols, 8 if minutes < 60 else 50))
    for minutes in (5, 1):
        figures[f"whole_{minutes}m"] = _in_process(minutes, quick=arguments.quick)
    figures["vectorbt"] = (
        peer(arguments.peer_python) if arguments.peer_python else "not measured: no --peer-python"
    )
    print(json.dumps(figures, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1))


def market(
    symbols: int, days: int, minutes: int, *, volatility: float = 0.0006, funding_rate: float = 1e-4
) -> Bars:
    """Random walks with lognormal volume and funding every eight hours; ``volatility`` is that of a minute."""
    rng = np.random.default_rng(0)
    shape, scale = (symbols, days * 1440 // minutes), volatility * np.sqrt(minutes)
    close = 100 * np.exp(np.cumsum(rng.normal(0, scale, shape), axis=1))
    opens = np.concatenate((np.full((symbols, 1), 100.0), close[:, :-1]), axis=1)
    wick = np.abs(rng.normal(0, scale / 2, (2, *shape)))
    high, low = np.maximum(opens, close) * (1 + wick[0]), np.minimum(opens, close) * (1 - wick[1])
    funding = np.zeros(shape)
    funding[:, :: 480 // minutes] = funding_rate
    names = tuple(f"S{place:03d}USDT" for place in range(symbols))
    return Bars(names, _FIRST_MS, minutes, opens, high, low, close, rng.lognormal(8, 0.5, shape), funding)


def population(genomes: int, timeframe: Timeframe) -> list[Genome]:
    return generate(np.random.default_rng(1), genomes, timeframes=[timeframe], ratings=False)


def kernel(minutes: int, genomes: int, symbols: int) -> dict[str, object]:
    """Strategy-bars a second of comparisons and trading, all processors, columns given."""
    bars = market(symbols, 90, minutes)
    chosen = population(genomes, CLOCKS[minutes])
    backtest(chosen[:2], bars, Frictions())  # compiles, or loads what is kept
    (batch,) = batches(chosen, bars, 10**9)
    task = Task([batch], bars, Frictions().table(symbols, minutes), 10_000.0, genomes, record_trades=False)
    blocks = list(symbol_blocks(bars, [batch], os.cpu_count() or 1, 10**8))
    prepared = []
    for rows in blocks:
        decisions = Decisions(bars, rows, batch.minutes)
        given = {column: decisions.column(column) for column in batch.program.columns}
        tapes = [tape(bars, row) for row in range(rows.start, rows.stop)]
        shape = (genomes, len(tapes), len(TOTALS)), (len(tapes), genomes, bars.day_ends.size)
        prepared.append(
            (
                rows,
                given.__getitem__,
                decisions.count,
                tapes,
                Part(np.zeros(shape[0]), np.empty(shape[1]), {}),
            )
        )

    def trade(place: int) -> None:
        task.trade(batch, *prepared[place])

    seconds, busy = [], []
    for _ in range(RUNS):
        begun, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(trade, range(len(blocks))))
        seconds.append(time.perf_counter() - begun)
        busy.append(time.process_time() - used)
    count = genomes * symbols * bars.count
    trades = sum(int(part.totals[:, :, 0].sum()) for *_, part in prepared)
    return {
        "decides_every": str(CLOCKS[minutes]),
        "strategy_bars": count,
        "trades": trades,
        "bars_per_trade": round(count / max(trades, 1), 1),
        "best_seconds": round(min(seconds), 3),
        "strategy_bars_per_second": round(count / min(seconds) / 1e6) * 10**6,
        "strategy_bars_per_processor_second": round(count / min(busy) / 1e6) * 10**6,
    }


def _in_process(minutes: int, *, quick: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.factory", "--whole", str(minutes)]
    answer = subprocess.run(
        [*command, "--quick"] if quick else command, check=True, capture_output=True, text=True
    )
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def _whole(minutes: int, genomes: int, symbols: int) -> dict[str, object]:
    bars = market(symbols, 90, minutes)
    chosen = population(genomes, CLOCKS[minutes])
    backtest(chosen[:2], market(1, 3, minutes), Frictions())
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    result = backtest(chosen, bars, Frictions())
    result.metrics()
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    count = genomes * symbols * bars.count
    return {
        "genomes": genomes,
        "symbols": symbols,
        "strategy_bars": count,
        "seconds": round(seconds, 2),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "strategy_bars_per_second": round(count / seconds / 1e6) * 10**6,
        "peak_memory_gib": round(after.ru_maxrss / 2**20, 2),
    }


_PEER = """
import json, sys, time
import numpy as np, pandas as pd, vectorbt as vbt
given = np.load(sys.argv[1])
opens, high, low, close = (pd.DataFrame(given[name].T) for name in ("open", "high", "low", "close"))
best, answer = 1e9, None
for _ in range(2):  # the first compiles
    begun = time.perf_counter()
    for length, stop, target in given["rules"]:
        moved = close - close.shift(int(length))
        up, down = (moved > 0) & (moved.shift(1) <= 0), (moved < 0) & (moved.shift(1) >= 0)
        result = vbt.Portfolio.from_signals(
            close, up.shift(1, fill_value=False), down.shift(1, fill_value=False), price=opens, open=opens,
            high=high, low=low, sl_stop=stop, tp_stop=target, fees=0.001, slippage=0.0003, size=0.1,
            size_type="percent", init_cash=1.0, upon_opposite_entry="ignore", freq="1h",
        )
        answer = result.trades.closed.count().sum(), float(result.value().iloc[-1].mean())
    best = min(best, time.perf_counter() - begun)
print(json.dumps({"version": vbt.__version__, "seconds": best, "trades": int(answer[0]), "equity": answer[1]}))
"""


def peer(python: Path) -> dict[str, object]:
    """The same momentum rules here and in vectorbt: how fast, and, where no stop is near, the same result."""
    lengths, stops, targets = (5, 10, 15, 20, 25, 30), (0.01, 0.015, 0.02, 0.025), (0.02, 0.03, 0.04, 0.05)
    grid = [(length, stop, target) for length in lengths for stop in stops for target in targets]
    busy = _against(python, market(20, 90, 60, funding_rate=0), grid)
    calm = _against(python, market(20, 90, 60, funding_rate=0, volatility=5e-5), [(10, 0.025, 0.05)])
    ratio = busy["vectorbt_seconds"] / busy["seconds"]
    return {"ratio": round(ratio, 1), "with_stops": busy, "stops_out_of_reach": calm}


def _against(python: Path, bars: Bars, grid: list[tuple[int, float, float]]) -> dict[str, Any]:
    genomes = []
    for length, stop, target in grid:
        momentum = Column.of("momentum", length=length)
        up, down = (
            Threshold(momentum, relation, 0) for relation in (Relation.CROSSES_ABOVE, Relation.CROSSES_BELOW)
        )
        exits = {"stop_fraction": stop, "target_fraction": target}
        rules = Rules(up, down)
        genomes.append(Genome(timeframe=Timeframe.H1, long=rules, size_fraction=0.1, leverage=1, **exits))
    frictions = Frictions(fee_bps=10, spread_bps=4, slippage_bps=1, impact_coefficient=0)
    backtest(genomes, bars, frictions)
    seconds = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        result = backtest(genomes, bars, frictions)
        seconds.append(time.perf_counter() - begun)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "bars.npz"
        prices = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
        np.savez(given, rules=np.array(grid), **prices)
        answer = subprocess.run([python, "-c", _PEER, given], check=True, capture_output=True, text=True)
    theirs = json.loads(answer.stdout)
    return {
        "strategy_bars": len(genomes) * len(bars.symbols) * bars.count,
        "seconds": round(min(seconds), 4),
        "trades_of_last_rule": int(result.total("trades")[-1]),
        "equity_of_last_rule": float(result.equity[-1, -1]),
        "vectorbt_version": theirs["version"],
        "vectorbt_seconds": round(theirs["seconds"], 3),
        "vectorbt_trades_of_last_rule": theirs["trades"],
        "vectorbt_equity_of_last_rule": theirs["equity"],
    }


if __name__ == "__main__":
    main()
