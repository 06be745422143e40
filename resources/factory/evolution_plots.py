"""A night's search as pictures: PNG bytes, drawn without a display and without matplotlib's global state."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trading.factory.evolution.generation import Generation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Curves of a picture.
CURVES = 5
#: Points drawn of those that were not handed on; more only make the picture heavy.
_POINTS = 4_000
_GREY, _BLUE, _RED = "#b8bec8", "#2f6fde", "#d6392b"


def population_scatter(generation: Generation, promoted: Collection[str] = ()) -> bytes:
    """Sharpe ratio against drawdown of the trials; candidates and promoted ones are marked."""
    names = set(promoted)
    chosen = set(generation.candidates)
    groups: dict[str, list[tuple[float, float]]] = {"trials": [], "candidates": [], "promoted": []}
    for position, trial in enumerate(generation.trials):
        if np.isnan(trial.sharpe):
            continue
        point = (100 * trial.max_drawdown_fraction, trial.sharpe)
        kind = "promoted" if trial.strategy_id in names else "candidates" if position in chosen else "trials"
        groups[kind].append(point)
    step = -(-len(groups["trials"]) // _POINTS) or 1
    groups["trials"] = groups["trials"][::step]
    figure = _figure()
    axes = figure.add_subplot()
    for kind, colour, size in (("trials", _GREY, 6), ("candidates", _BLUE, 12), ("promoted", _RED, 60)):
        points = np.array(groups[kind]).reshape(-1, 2)
        marker = "*" if kind == "promoted" else "o"
        shown = f"{kind} ({len(points)}{' shown' if kind == 'trials' and step > 1 else ''})"
        axes.scatter(points[:, 0], points[:, 1], s=size, c=colour, marker=marker, label=shown, linewidths=0)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlabel("deepest drawdown, %")
    axes.set_ylabel("Sharpe ratio, annualised, before any haircut")
    axes.legend(frameon=False, loc="best")
    return _png(figure)


def equity_and_drawdown(generation: Generation, strategy_ids: Sequence[str]) -> bytes:
    """Equity of the named trials over the window, and the fall from each peak below; at most `CURVES`."""
    wanted = list(dict.fromkeys(strategy_ids))[:CURVES]
    row = {trial.strategy_id: i for i, trial in enumerate(generation.trials) if trial.strategy_id in wanted}
    figure = _figure()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for name in wanted:
        if name not in row:
            continue
        equity = np.concatenate(([1.0], np.cumprod(1 + generation.returns[row[name]])))
        above.plot(100 * (equity - 1), linewidth=1.2, label=name[:12])
        below.plot(100 * (equity / np.maximum.accumulate(equity) - 1), linewidth=1.0)
    above.axhline(0, color="black", linewidth=0.5)
    above.set_ylabel("return, %")
    below.set_ylabel("below the peak, %")
    below.set_xlabel("days of the back-test")
    if above.lines[:-1]:
        above.legend(frameon=False, loc="best")
    return _png(figure)


def _figure() -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(8, 5), dpi=90, layout="constrained")


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    # Without the version of matplotlib, so that the same search gives the same bytes.
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
