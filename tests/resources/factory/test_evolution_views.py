"""A search as runs of MLflow, as pictures, and as metadata that Dagster takes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from resources.factory.evolution_metadata import TABLE_ROWS, gate_table, search_metadata
from resources.factory.evolution_plots import equity_and_drawdown, population_scatter
from resources.factory.evolution_runs import EXPERIMENT, log_generation
from tests.trading.factory.evolution.evolution_worlds import dips, world
from trading.factory.evolution.evolve import evolve
from trading.factory.evolution.generation import Generation
from trading.factory.evolution.settings import EvolutionSettings
from trading.model.check import at_least, at_most
from trading.model.decision import Check

SETTINGS = EvolutionSettings(
    candidates=10, looks_per_candidate=6, population=10, elites=3, round_size=20, minimum_known=20
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def generation() -> Generation:
    return evolve(world(dips), [], SETTINGS, 5)


@pytest.mark.slow
def test_mlflow_keeps_a_run_for_the_night_and_one_below_it_for_each_round(
    generation: Generation, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    night = log_generation(
        uri, tmp_path / "artefacts", generation, SETTINGS, name="2026-01-31", tags={"a": "b"}
    )
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == night]
    assert sorted(run.info.run_name for run in below) == ["round 0", "round 1", "round 2"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    top = client.get_run(night)
    assert top.info.run_name == "2026-01-31"
    assert top.data.params["population"] == "10"
    assert top.data.params["seed"] == "5"
    assert top.data.metrics["trials"] == 60
    assert top.data.tags["a"] == "b"
    assert [point.value for point in client.get_metric_history(night, "round_trials")] == [20, 20, 20]
    second = next(run for run in below if run.info.run_name == "round 1")
    folder = client.download_artifacts(second.info.run_id, "family.json", str(tmp_path))
    family = json.loads(Path(folder).read_text())
    assert family["parents"] == list(generation.rounds[1].parents)
    assert family["children"].keys() == {trial.strategy_id for trial in generation.trials[20:40]}
    for child in family["children"].values():
        assert set(child["parents"]) <= set(family["parents"])


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, resources.factory.evolution_runs, resources.factory.evolution_metadata\n"
        "import resources.factory.lifecycle, resources.factory.review, trading.factory.evolution.evolve\n"
        "heavy = {'mlflow', 'matplotlib', 'pymoo', 'numba', 'scipy', 'sklearn'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pictures_are_png_and_the_same_each_time(generation: Generation) -> None:
    best = generation.chosen[0].strategy_id
    plain = population_scatter(generation)
    marked = population_scatter(generation, [best])
    assert plain.startswith(PNG)
    assert plain == population_scatter(generation)
    assert plain != marked
    curves = equity_and_drawdown(generation, [best, "unknown", best])
    assert curves.startswith(PNG)
    assert curves != equity_and_drawdown(generation, [generation.trials[0].strategy_id])
    assert max(map(len, (plain, marked, curves))) < 120_000


def test_pictures_of_nothing() -> None:
    empty = Generation(trials=(), returns=np.empty((0, 0)), rounds=(), candidates=(), seed=1)
    assert population_scatter(empty).startswith(PNG)
    assert equity_and_drawdown(empty, []).startswith(PNG)
    shown = search_metadata(empty, {}, [], independent_trials=1)
    assert shown["trials"].value == 0
    assert "best_sharpe" not in shown
    assert "best_sharpe_of_noise" not in shown


def checks(value: float) -> list[Check]:
    return [at_least("dsr", value, 0.95), at_most("pbo", None, 0.5)]


def test_the_gate_as_a_table() -> None:
    lines = gate_table({"a" * 32: checks(0.97), "b" * 32: checks(0.4)[:1]}).splitlines()
    assert lines == [
        "| strategy | dsr | pbo |",
        "|---|---|---|",
        "| `aaaaaaaaaaaa` | ✓ 0.97 (≥ 0.95) | ✗ unknown (≤ 0.5) |",
        "| `bbbbbbbbbbbb` | ✗ 0.4 (≥ 0.95) | – |",
    ]
    many = gate_table({f"{i:032x}": checks(0.5) for i in range(TABLE_ROWS + 3)})
    assert many.endswith("3 more came to the gate.")
    assert gate_table({}) == "No candidate came to the gate."


def test_metadata_says_what_luck_would_show(generation: Generation, tmp_path: Path) -> None:
    best = generation.chosen[0].strategy_id
    shown = search_metadata(generation, {best: checks(0.97)}, [best], independent_trials=1000)
    assert shown["trials"].value == 60
    assert shown["best_sharpe"].value == max(trial.sharpe for trial in generation.chosen)
    # Unit variance and 1,000 trials give 3.2551 (docs/concepts/selection.md), here over 60 days.
    assert shown["best_sharpe_of_noise"].value == pytest.approx(3.2551 * (365 / 59) ** 0.5, rel=1e-4)
    picture = shown["population"].value
    assert picture.startswith("![Sharpe ratio against drawdown](data:image/png;base64,")
    assert base64.b64decode(picture.split("base64,")[1].rstrip(")")).startswith(PNG)

    @dg.asset
    def night() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=shown)

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        result = dg.materialize([night], instance=instance)
    stored = result.asset_materializations_for_node("night")[0].metadata
    assert stored["promoted"].value == 1
    assert stored["gate"].value.startswith("| strategy | dsr |")
