"""Whether the real nightly search gets past the promotion gate: months without an edge, and with one in the bars.

    python -m benchmarks.searched_worlds [--months N] [--planted N] [--looks N] [--workers N] [--report]

Every night of a simulated month breeds and learns as the factory does (fewer genomes, hourly bars of two symbols,
no costs) and hands its ten best to the gate; the trial ledger is empty at the start of the month. Months without an
edge are of six kinds of market. In the others the bars follow one rule of the catalogue (`planted_rule`), which
nobody tells the search. The output is kept after every month, and months that it has are not simulated again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from trading.factory.engine import metrics
from trading.factory.engine.run import backtest
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.gate.settings import GateSettings
from trading.factory.worlds.edge import planted_rule, with_edge
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from trading.factory.worlds.month import FREE, Calendar
from trading.factory.worlds.nights import search_month

SYMBOLS, WARMUP_DAYS = 2, 21
#: Looks of a night for each of its candidates.
_LOOKS_PER_CANDIDATE = 10
#: Lowest limit of DSR that the months are counted for.
LIMITS = (0.5, 0.8, 0.9, 0.95)
SHARPES = (2.0, 8.0, 16.0)
#: Days over which the true Sharpe ratio of a planted rule is measured, and the seed of that market.
TRUTH_DAYS, TRUTH_SEED = 20_000, 99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--months", type=int, default=16, help="months of each of the six kinds without an edge"
    )
    parser.add_argument("--planted", type=int, default=6, help="months of each true Sharpe ratio")
    parser.add_argument("--looks", type=int, default=200, help="genomes that a night looks at")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="only print the tables of the output file")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/searched_worlds.json"))
    arguments = parser.parse_args()
    figures = json.loads(arguments.output.read_text()) if arguments.output.exists() else {"months": []}
    if not arguments.report:
        simulate(figures, arguments)
    print(report(figures["months"]))


def simulate(figures: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Simulate the months that are missing, those without an edge and those with one by turns."""
    evolution = settings(arguments.looks)
    figures["setting"] = {
        "symbols": SYMBOLS,
        "calendar": asdict(Calendar()),
        "evolution": asdict(evolution),
        "gate": asdict(GateSettings()),
    }
    if "truth" not in figures:
        figures["truth"] = {f"{sharpe:g}": round(true_sharpe(sharpe), 2) for sharpe in (0.0, *SHARPES)}
    done = {(month["kind"], month["sharpe"], month["seed"]) for month in figures["months"]}
    wanted = [
        (kind.value, sharpe, seed, arguments.looks)
        for seed in range(max(arguments.months, arguments.planted))
        for kind, sharpe in (
            *((kind, 0.0) for kind in Kind if seed < arguments.months),
            *((Kind.CLUSTERED, sharpe) for sharpe in SHARPES if seed < arguments.planted),
        )
        if (kind.value, sharpe, seed) not in done
    ]
    with Pool(arguments.workers) as pool:
        for month in pool.imap(_month, wanted):
            print(json.dumps(month), flush=True)
            figures["months"].append(month)
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(figures, indent=1) + "\n")


def settings(looks: int) -> EvolutionSettings:
    """A small nightly search: as many rounds as the real one has in a fifth of the night."""
    candidates = looks // _LOOKS_PER_CANDIDATE
    return EvolutionSettings(
        candidates=candidates,
        looks_per_candidate=_LOOKS_PER_CANDIDATE,
        population=40,
        elites=5,
        round_size=50,
        minimum_known=100,
        ratings=False,
    )


def true_sharpe(sharpe: float) -> float:
    """Annualised Sharpe ratio of the planted rule over a history that is long enough to know it."""
    bars = with_edge(sharpe, seed=TRUTH_SEED, symbols=SYMBOLS, days=TRUTH_DAYS, warmup_days=WARMUP_DAYS)
    return float(metrics.sharpe(backtest([planted_rule()], bars, FREE).returns)[0])


def _month(which: tuple[str, float, int, int]) -> dict[str, object]:
    kind, sharpe, seed, looks = which
    calendar = Calendar()
    size = {"seed": seed, "symbols": SYMBOLS, "days": calendar.days + WARMUP_DAYS, "warmup_days": WARMUP_DAYS}
    bars = with_edge(sharpe, kind=Kind(kind), **size) if sharpe else no_edge(Kind(kind), **size)
    month = search_month(
        bars,
        settings(looks),
        replace(GateSettings(), minimum_dsr=min(LIMITS)),
        seed=seed,
        calendar=calendar,
        planted=planted_rule() if sharpe else None,
    )
    found = {name: None if math.isnan(value) else round(value, 6) for name, value in asdict(month).items()}
    return {"kind": kind, "sharpe": sharpe, "seed": seed, **found}


def report(months: Sequence[dict[str, Any]]) -> str:
    """The tables of docs/concepts/promotion-gate.md."""
    lines = []
    for sharpe in sorted({month["sharpe"] for month in months}):
        chosen = [month for month in months if month["sharpe"] == sharpe]
        title = f"true Sharpe ratio {sharpe:g}" if sharpe else "no edge"
        highest = np.array([month["best_sharpe"] or 0.0 for month in chosen])
        lines += [
            "",
            f"{len(chosen)} months, {title}; best Sharpe ratio in the search: median {np.median(highest):.1f}",
            "",
            "| limit of DSR | on searched days | unseen, to paper | unseen, live | gate, to paper | gate, live |",
            "|---|---|---|---|---|---|",
        ]
        for limit in LIMITS:
            names = ("best_searched", "best_paper", "best_live", "passed_paper", "passed_live")
            shares = [np.mean([month[name] >= limit for month in chosen]) for name in names]
            lines.append(f"| {limit} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
        if sharpe:
            alike = [month["likeness"] for month in chosen if month["likeness"] is not None]
            lines += [
                "",
                f"closest of the shortlists to the planted rule: median correlation {np.median(alike):.2f}",
            ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
