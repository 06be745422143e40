"""What the promotion gate lets through: months without an edge, and rules with a known one.

    python -m benchmarks.worlds [--quick] [--months N] [--resume | --report] [--output benchmarks/results/worlds.json]

Months without an edge are simulated at the level of bars: 500 genomes a day for 30 days on hourly bars of
two symbols, back-tested by the population kernel without costs, on an empty ledger of trials at the start of
the month. The rule with an edge is simulated at the level of daily returns, among candidates that correlate
as those of a month without an edge did. Every seed is in the output, which is kept after every month.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from trading.factory.engine.run import backtest
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.trials.count import TrialCount
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from trading.factory.worlds.month import FREE, Calendar, simulate
from trading.factory.worlds.planted import Planted, confidence, longest_odds

GENOME_SEED, SYMBOLS, WARMUP_DAYS, PER_DAY = 1, 2, 21, 500
#: Limits of DSR that the months are counted for.
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SHARPES = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
WINDOW_DAYS = (90, 180, 365, 730, 1460, 2920)
POWER_SEED = 2
#: Independent trials by luck that the planted rule competes with: what a month of 15,000 comes to.
PLANTED_TRIALS = 3_000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=17, help="months of each of the six kinds")
    parser.add_argument(
        "--repeats", type=int, default=60, help="planted rules of each cell of the power table"
    )
    parser.add_argument("--quick", action="store_true", help="a small run, to see that it works")
    parser.add_argument("--report", action="store_true", help="only print the tables of the output file")
    parser.add_argument("--resume", action="store_true", help="keep the months that the output file has")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/worlds.json"))
    arguments = parser.parse_args()
    if arguments.report:
        print(report(json.loads(arguments.output.read_text())))
        return
    months, repeats, per_day = (
        (1, 5, 20) if arguments.quick else (arguments.months, arguments.repeats, PER_DAY)
    )
    calendar = Calendar()
    genomes = generate(
        np.random.default_rng(GENOME_SEED),
        per_day * calendar.searched,
        timeframes=[Timeframe.H1],
        ratings=False,
    )
    figures: dict[str, Any] = {"months": []}
    if arguments.resume and arguments.output.exists():
        figures = json.loads(arguments.output.read_text())
    figures["setting"] = {
        "genomes_a_day": per_day,
        "symbols": SYMBOLS,
        "genome_seed": GENOME_SEED,
        "calendar": asdict(calendar),
        "gate": asdict(GateSettings()),
    }
    done = {(month["kind"], month["seed"]) for month in figures["months"]}
    wanted = [(kind, seed) for seed in range(months) for kind in Kind if (kind.value, seed) not in done]
    with Pool(initializer=_share, initargs=(genomes, calendar)) as pool:
        for month in pool.imap(_month, wanted):
            print(json.dumps(month), flush=True)
            figures["months"].append(month)
            figures["no_edge"] = summary(figures["months"])
            _keep(figures, arguments.output)
    figures["planted"] = []
    for row in power(genomes[:per_day], calendar, repeats):
        figures["planted"].append(row)
        _keep(figures, arguments.output)


#: What the processes of the pool share: set once in each.
_shared: dict[str, Any] = {}


def _share(genomes: Sequence[Genome], calendar: Calendar) -> None:
    _shared.update(genomes=genomes, calendar=calendar)


def _month(which: tuple[Kind, int]) -> dict[str, object]:
    (kind, seed), genomes, calendar = which, _shared["genomes"], _shared["calendar"]
    bars = no_edge(
        kind, seed=seed, symbols=SYMBOLS, days=calendar.days + WARMUP_DAYS, warmup_days=WARMUP_DAYS
    )
    lenient = replace(GateSettings(), minimum_dsr=min(LIMITS))
    month = simulate(bars, genomes, lenient, seed=seed, calendar=calendar)
    return {"kind": kind.value, "seed": seed, **asdict(month)}


def summary(months: Sequence[dict[str, float]]) -> dict[str, object]:
    """Share of months in which anything passes, by limit of DSR: by DSR alone, and by the whole gate."""

    def share(name: str, limit: float) -> float:
        return round(float(np.mean([month[name] >= limit for month in months])), 4)

    return {
        "months": len(months),
        "promoting": [
            {
                "minimum_dsr": limit,
                "dsr_alone_paper": share("best_paper", limit),
                "dsr_alone_live": share("best_live", limit),
                "gate_paper": share("passed_paper", limit),
                "gate_live": share("passed_live", limit),
            }
            for limit in LIMITS
        ],
    }


def power(genomes: Sequence[Genome], calendar: Calendar, repeats: int) -> list[dict[str, object]]:
    """Share of planted rules promoted within the paper window, by true Sharpe ratio and length of back-test."""
    bars = no_edge(
        Kind.CLUSTERED,
        seed=POWER_SEED,
        symbols=SYMBOLS,
        days=calendar.days + WARMUP_DAYS,
        warmup_days=WARMUP_DAYS,
    )
    field = backtest(genomes, bars, FREE).returns
    recorded = len(genomes) * calendar.searched
    ledger = TrialCount(recorded, recorded, PLANTED_TRIALS, 0.0)
    rows = []
    for sharpe in SHARPES:
        for window_days in WINDOW_DAYS:
            days = window_days + calendar.paper
            world = Planted(sharpe, window_days, calendar.paper, field, ledger)
            rng = np.random.default_rng([POWER_SEED, int(sharpe), window_days])
            row: dict[str, object] = {"sharpe": sharpe, "window_days": window_days, "repeats": repeats}
            settings = replace(GateSettings(), minimum_dsr=min(LIMITS))
            found = np.array([confidence(world, settings, rng) for _ in range(repeats)])
            row["promoted"] = {str(limit): float(np.mean(found >= limit)) for limit in LIMITS}
            row["bound_of_this_search"] = round(longest_odds(sharpe, days, PLANTED_TRIALS), 4)
            row["bound_of_one_trial"] = round(longest_odds(sharpe, days, 1.0), 4)
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def report(figures: dict[str, Any]) -> str:
    """The tables of docs/concepts/promotion-gate.md."""
    noise = figures["no_edge"]
    lines = [
        f"Share of {noise['months']} months in which anything passes:",
        "",
        "| limit of DSR | DSR alone, to paper | DSR alone, live | whole gate, to paper | whole gate, live |",
        "|---|---|---|---|---|",
    ]
    names = ("dsr_alone_paper", "dsr_alone_live", "gate_paper", "gate_live")
    for row in noise["promoting"]:
        shares = " | ".join(f"{row[name]:.1%}" for name in names)
        lines.append(f"| {row['minimum_dsr']} | {shares} |")
    limit = str(figures["setting"]["gate"]["minimum_dsr"])
    cells = {(row["sharpe"], row["window_days"]): row for row in figures.get("planted", ())}
    windows = sorted({window for _, window in cells})
    lines += ["", f"| true Sharpe ratio | {' | '.join(f'{window} days' for window in windows)} |"]
    lines.append(f"|---{'|---' * len(windows)}|")
    for sharpe in sorted({sharpe for sharpe, _ in cells}):
        shown = [cells.get((sharpe, window)) for window in windows]
        shares = [
            "–" if row is None else f"{row['promoted'][limit]:.0%} of {row['bound_of_this_search']:.0%}"
            for row in shown
        ]
        lines.append(f"| {sharpe:g} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _keep(figures: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
