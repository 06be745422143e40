"""Judge a day's trials together: filters, the haircut for their number, and who goes on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from trading.errors import BadData
from trading.factory import metrics
from trading.factory.backtest import simulate
from trading.factory.conditions import conditions
from trading.factory.genome import Genome
from trading.factory.panel import Panel
from trading.factory.settings import FactorySettings
from trading.indicators.columns import FloatArray

_TIMESTAMP = pl.Datetime("ms", "UTC")
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "strategy_id": pl.String,
    "rank": pl.Int32,
    "status": pl.String,
    "reason": pl.String,
    "genome": pl.String,
    "trades": pl.Int64,
    "sharpe": pl.Float64,
    "total_return_fraction": pl.Float64,
    "max_drawdown_fraction": pl.Float64,
    "win_fraction": pl.Float64,
    "fees_fraction": pl.Float64,
    "deflated_sharpe_probability": pl.Float64,
    "trials": pl.Int64,
    "window_start": _TIMESTAMP,
    "window_end": _TIMESTAMP,
}
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Trial:
    """One genome's result; Sharpe ratios are per hour, ``returns`` hourly. NaN where unknown."""

    genome: Genome
    returns: FloatArray
    trades: int = 0
    sharpe: float = _NAN
    gross_sharpe: float = _NAN
    total_return: float = _NAN
    drawdown: float = _NAN
    wins: float = _NAN
    fees: float = _NAN
    deflated: float = _NAN
    rank: int | None = None
    status: str = "rejected"
    reason: str = ""


def evaluate(
    panel: Panel,
    genomes: Sequence[Genome],
    settings: FactorySettings,
    *,
    fee_bps: float,
    slippage_bps: float,
) -> pl.DataFrame:
    """Back-test every genome and decide which go on paper.

    Parameters
    ----------
    fee_bps, slippage_bps
        Paid on each side of a trade, basis points; slippage includes half the spread.

    Returns
    -------
    polars.DataFrame
        In the schema of `strategies`, a row per genome, sorted by id: also those that did not
        trade or could not be tested. ``trials`` is their number, the one that the deflated Sharpe
        probability uses: correlated trials count in full, which errs on the strict side. The
        reason is the first test that a trial failed: ``not_tested: …``, ``too_few_trades``,
        ``low_sharpe``, ``low_win_fraction``, ``return_out_of_range``, ``deep_drawdown``, then for
        ranked ones ``explained_by_luck``, ``correlated_with: …``, ``quota_full``; or ``survivor``.

    Raises
    ------
    BadData
        If a genome comes twice: the count of trials would be wrong.
    """
    if len({genome.strategy_id for genome in genomes}) != len(genomes):
        raise BadData("genomes: one comes twice; each distinct genome is one trial")
    trials = [_run(genome, panel, fee_bps, slippage_bps) for genome in genomes]
    trials = _deflate(trials)
    trials = [replace(trial, reason=trial.reason or _failed_filter(trial, settings)) for trial in trials]
    ranked = _select(sorted((t for t in trials if not t.reason), key=_best_first), settings)
    rejected = [trial for trial in trials if trial.reason]
    start, end = panel.window
    records = [
        (
            t.genome.strategy_id, t.rank, t.status, t.reason, t.genome.json, t.trades,
            metrics.annualised(t.sharpe), t.total_return, t.drawdown, t.wins, t.fees, t.deflated,
            len(genomes), start, end,
        )
        for t in (*ranked, *rejected)
    ]  # fmt: skip
    frame = pl.DataFrame(records, schema=_SCHEMA, orient="row")
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("strategy_id")


def _run(genome: Genome, panel: Panel, fee_bps: float, slippage_bps: float) -> Trial:
    try:
        entries, exits = conditions(genome, panel)
        result = simulate(panel, entries, exits, genome, fee_bps=fee_bps, slippage_bps=slippage_bps)
        gross = simulate(panel, entries, exits, genome, fee_bps=0.0, slippage_bps=0.0)
    except (ArithmeticError, ValueError, BadData) as error:  # it was tried, so it stays in the count
        return Trial(genome, np.empty(0), reason=f"not_tested: {error}")
    if not np.isfinite(result.equity).all():
        return Trial(genome, np.empty(0), reason="not_tested: equity is not finite")
    return Trial(
        genome=genome,
        returns=result.returns,
        trades=int(result.trade_return.size),
        sharpe=metrics.sharpe(result.returns),
        gross_sharpe=metrics.sharpe(gross.returns),
        total_return=float(result.equity[-1]) - 1,
        drawdown=metrics.maximum_drawdown(result.equity),
        wins=metrics.win_fraction(result.trade_return),
        fees=result.fees_fraction,
    )


def _deflate(trials: list[Trial]) -> list[Trial]:
    """Add to each trial the probability that it beats the best that luck would show among all of them.

    The spread of luck is the variance of the trials' Sharpe ratios, taken before costs (overtraders lose
    by cost, not by luck) and at most 1 / (periods - 1), the sampling variance of a Sharpe ratio of 0: what
    the trials spread beyond it are true differences, and a bar that rises with them could never be
    passed by the edge that causes them. Where the trials' mean is above 0 it is added to the bar:
    what a rising market gave to all of them was not found by any.
    """
    gross = np.array([trial.gross_sharpe for trial in trials if math.isfinite(trial.gross_sharpe)])
    if gross.size == 0:
        return trials
    periods = max(trial.returns.size for trial in trials)
    sampling = 1 / (periods - 1)
    variance = min(float(gross.var(ddof=1)), sampling) if gross.size > 1 else sampling
    mean = max(0.0, float(gross.mean())) if len(trials) > 1 else 0.0
    bar = metrics.expected_maximum_sharpe(len(trials), variance, mean)
    return [_deflated(trial, bar) for trial in trials]


def _deflated(trial: Trial, bar: float) -> Trial:
    if not math.isfinite(trial.sharpe):
        return trial
    skewness, kurtosis = metrics.skewness_and_kurtosis(trial.returns)
    periods = trial.returns.size
    probability = metrics.probabilistic_sharpe(trial.sharpe, bar, periods, skewness, kurtosis)
    return replace(trial, deflated=probability)


def _failed_filter(trial: Trial, settings: FactorySettings) -> str:
    """The first filter that the trial fails, or nothing. NaN fails: every test asks for what is wanted."""
    low, high = settings.minimum_return_fraction, settings.maximum_return_fraction
    passed = {
        "too_few_trades": trial.trades >= settings.minimum_trades,
        "low_sharpe": metrics.annualised(trial.sharpe) >= settings.minimum_sharpe,
        "low_win_fraction": trial.wins >= settings.minimum_win_fraction,
        "return_out_of_range": low <= trial.total_return <= high,
        "deep_drawdown": trial.drawdown <= settings.maximum_drawdown_fraction,
    }
    return next((reason for reason, good in passed.items() if not good), "")


def _best_first(trial: Trial) -> tuple[float, float, str]:
    luck = trial.deflated if math.isfinite(trial.deflated) else -1.0
    return -luck, -trial.sharpe, trial.genome.strategy_id


def _select(ranked: list[Trial], settings: FactorySettings) -> list[Trial]:
    survivors: list[Trial] = []
    judged = []
    for rank, trial in enumerate(ranked, start=1):
        reason, status = _refusal(trial, survivors, settings), "rejected"
        if not reason:
            reason, status = "survivor", "paper"
            survivors.append(trial)
        judged.append(replace(trial, rank=rank, status=status, reason=reason))
    return judged


def _refusal(trial: Trial, survivors: list[Trial], settings: FactorySettings) -> str:
    if not trial.deflated >= settings.minimum_deflated_probability:
        return "explained_by_luck"
    if len(survivors) >= settings.maximum_survivors:
        return "quota_full"
    for other in survivors:
        if not np.corrcoef(trial.returns, other.returns)[0, 1] <= settings.maximum_correlation:
            return f"correlated_with: {other.genome.strategy_id}"
    return ""
