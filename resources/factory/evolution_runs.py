"""A night's search in MLflow: one run for the night, one below it for each round, with parents and children."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading.factory.evolution.generation import Generation, Round, Trial
from trading.factory.evolution.settings import EvolutionSettings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "strategies"
#: Candidates that the night's own run describes in full.
_DESCRIBED = 50


def log_generation(
    tracking_uri: str,
    artifact_root: Path | str,
    generation: Generation,
    settings: EvolutionSettings,
    *,
    name: str,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log a search and return the id of its run.

    Parameters
    ----------
    tracking_uri
        MLflow's store, for example ``sqlite:///var/mlflow.db`` or a Postgres URI.
    artifact_root
        Folder of artefacts; created when absent.
    name
        Of the night's run, the day as a rule.
    """
    client = _client(tracking_uri)
    experiment = _experiment(client, Path(artifact_root).absolute())
    night = client.create_run(experiment, tags=dict(tags or {}), run_name=name).info.run_id
    for key, value in {**asdict(settings), "seed": generation.seed}.items():
        client.log_param(night, key, value)
    for key, value in _night_metrics(generation).items():
        client.log_metric(night, key, value)
    client.log_dict(night, {"candidates": _described(generation)}, "candidates.json")
    for each in generation.rounds:
        _log_round(client, experiment, night, generation, each)
    client.set_terminated(night)
    return str(night)


def _log_round(
    client: MlflowClient, experiment: str, night: str, generation: Generation, each: Round
) -> None:
    trials = generation.trials[each.first : each.last]
    run = client.create_run(
        experiment, tags={"mlflow.parentRunId": night}, run_name=f"round {each.number}"
    ).info.run_id
    for key, value in _round_metrics(each, trials).items():
        # The same names on the night's run, step by step, draw its progress.
        client.log_metric(run, key, value)
        client.log_metric(night, f"round_{key}", value, step=each.number)
    children = {
        trial.strategy_id: {"origin": trial.proposal.origin.value, "parents": list(trial.proposal.parents)}
        for trial in trials
    }
    client.log_dict(run, {"parents": list(each.parents), "children": children}, "family.json")
    client.set_terminated(run)


def _night_metrics(generation: Generation) -> dict[str, float]:
    chosen = generation.chosen
    figures = {
        "trials": len(generation.trials),
        "crashed": generation.crashed,
        "feasible": sum(trial.feasible for trial in generation.trials),
        "candidates": len(chosen),
        "best_sharpe": generation.rounds[-1].best_sharpe if generation.rounds else math.nan,
    }
    return {key: float(value) for key, value in figures.items() if not math.isnan(value)}


def _round_metrics(each: Round, trials: tuple[Trial, ...]) -> dict[str, float]:
    origins = Counter(trial.proposal.origin for trial in trials)
    figures = {
        "trials": len(trials),
        "crashed": each.crashed,
        "feasible": each.feasible,
        "best_sharpe": each.best_sharpe,
        **{f"from_{origin}": count for origin, count in sorted(origins.items())},
    }
    for origin in sorted(origins):
        able = sum(trial.feasible for trial in trials if trial.proposal.origin is origin)
        figures[f"feasible_fraction_{origin}"] = able / origins[origin]
    return {key: float(value) for key, value in figures.items() if not math.isnan(value)}


def _described(generation: Generation) -> list[dict[str, Any]]:
    return [
        {
            "strategy_id": trial.strategy_id,
            "rules": str(trial.genome),
            "origin": trial.proposal.origin.value,
            "parents": list(trial.proposal.parents),
            "sharpe": None if math.isnan(trial.sharpe) else trial.sharpe,
            "trades": trial.trades,
        }
        for trial in generation.chosen[:_DESCRIBED]
    ]


def _experiment(client: MlflowClient, artifact_root: Path) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    location = (artifact_root / "runs" / EXPERIMENT).as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _client(tracking_uri: str) -> MlflowClient:
    # MLflow reads this when it is imported: no usage reports leave this machine.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if tracking_uri.startswith("sqlite:///"):
        Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=tracking_uri)
