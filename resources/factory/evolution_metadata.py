"""What Dagster's UI shows of a night's search: pictures, the gate's table, and what luck alone would show."""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from resources.factory.evolution_plots import equity_and_drawdown, population_scatter
from trading.factory.evolution.generation import Generation
from trading.model.decision import Check
from trading.statistics.performance import CRYPTO_DAYS_PER_YEAR, annualised
from trading.statistics.trials import expected_maximum_sharpe

#: Strategies that the gate's table shows.
TABLE_ROWS = 20


def search_metadata(
    generation: Generation,
    checks: Mapping[str, Sequence[Check]],
    promoted: Collection[str],
    *,
    independent_trials: float,
) -> dict[str, dg.MetadataValue]:
    """Metadata of the asset that ran a search.

    Parameters
    ----------
    checks
        The gate's checks by strategy id, best first.
    promoted
        Ids that passed.
    independent_trials
        What the trial ledger counts, over all nights; at least 1.
    """
    days = generation.returns.shape[1] if generation.returns.size else 0
    best = max((trial.sharpe for trial in generation.chosen), default=math.nan)
    shown = [*promoted, *(trial.strategy_id for trial in generation.chosen)]
    values: dict[str, dg.MetadataValue] = {
        "trials": dg.MetadataValue.int(len(generation.trials)),
        "crashed": dg.MetadataValue.int(generation.crashed),
        "candidates": dg.MetadataValue.int(len(generation.candidates)),
        "promoted": dg.MetadataValue.int(len(promoted)),
        "independent_trials": dg.MetadataValue.float(float(independent_trials)),
        "gate": dg.MetadataValue.md(gate_table(checks)),
        "population": _picture("Sharpe ratio against drawdown", population_scatter(generation, promoted)),
        "best_curves": _picture("Equity and drawdown", equity_and_drawdown(generation, shown)),
    }
    if not math.isnan(best):
        values["best_sharpe"] = dg.MetadataValue.float(best)
    if days > 1:
        # Under no edge a Sharpe ratio per day has a variance of 1 / (days - 1).
        noise = expected_maximum_sharpe(independent_trials, 1 / (days - 1))
        values["best_sharpe_of_noise"] = dg.MetadataValue.float(annualised(noise, CRYPTO_DAYS_PER_YEAR))
    return values


def gate_table(checks: Mapping[str, Sequence[Check]]) -> str:
    """Markdown: a row per strategy and a column per check, each with value, limit and outcome."""
    shown = dict(list(checks.items())[:TABLE_ROWS])
    names = list(dict.fromkeys(check.name for row in shown.values() for check in row))
    if not names:
        return "No candidate came to the gate."
    lines = [f"| strategy | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for strategy_id, row in shown.items():
        by_name = {check.name: check for check in row}
        cells = [_cell(by_name.get(name)) for name in names]
        lines.append(f"| `{strategy_id[:12]}` | {' | '.join(cells)} |")
    if len(checks) > len(shown):
        lines.append(f"\n{len(checks) - len(shown)} more came to the gate.")
    return "\n".join(lines)


def _cell(check: Check | None) -> str:
    if check is None:
        return "–"
    sign = check.detail.split(" ", 1)[0]
    return f"{'✓' if check.passed else '✗'} {_text(check.value)} ({sign} {_text(check.limit)})"


def _text(value: float | str | None) -> str:
    if value is None:
        return "unknown"
    return value.replace("|", "\\|") if isinstance(value, str) else f"{value:.3g}"


def _picture(title: str, png: bytes) -> dg.MetadataValue:
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")
