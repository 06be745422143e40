"""The registry: MLflow keeps the record, scoring never imports it, damage is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import timedelta

import pytest

from resources.models.registry import ModelRegistry
from tests.trading.confidence.conftest import make_labelled
from trading.confidence.settings import ConfidenceSettings
from trading.confidence.training import train
from trading.errors import BadData

SETTINGS = ConfidenceSettings(maximum_iterations=15, learning_rate=0.2, bootstrap_samples=200)


@pytest.fixture(scope="module", autouse=True)
def _mlflow_warnings():
    """MLflow's own deprecations are not ours to fix; anything else stays an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*noload.*")
        yield


@pytest.fixture(scope="module")
def skilled():
    return train(make_labelled(600, 10, seed=1, edge=1.0), SETTINGS, seed=1)


@pytest.fixture(scope="module")
def unskilled():
    return train(make_labelled(600, 10, seed=2, edge=0.0), SETTINGS, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def _registry(folder) -> ModelRegistry:
    return ModelRegistry(f"sqlite:///{folder}/mlflow.db", folder / "artefacts")


def test_only_a_model_with_skill_becomes_champion(folder, skilled, unskilled):
    registry = _registry(folder)
    assert registry.champion(verify=True) is None
    assert not unskilled.has_skill
    assert registry.log_and_register(unskilled, {"week": "1"}) == "1"
    assert registry.champion(verify=True) is None
    assert registry.log_and_register(skilled, {"week": "2"}) == "2"
    champion = registry.champion(verify=True)
    assert champion is not None
    assert (champion.model_version, champion.model_name) == ("2", "ml_confidence")
    assert registry.champion() is champion  # loaded once
    sample = make_labelled(3, 10, seed=9, edge=1.0)
    assert champion.trained.probability(sample).tolist() == skilled.probability(sample).tolist()
    assert registry.log_and_register(unskilled) == "3"
    assert registry.champion(verify=True).model_version == "2"


def test_mlflow_holds_metrics_parameters_evidence_and_alias(folder, skilled):
    registry = _registry(folder)
    with registry._client() as client:
        found = client.get_model_version_by_alias("ml_confidence", "champion")
        run = client.get_run(found.run_id)
        assert run.data.metrics["test_brier"] == pytest.approx(skilled.evaluation.brier)
        assert run.data.metrics["train_rows"] == skilled.train.rows
        assert run.data.params["horizon_bars"] == "12"
        assert run.data.tags["week"] == "2"
        names = {item.path for item in client.list_artifacts(run.info.run_id, "model")}
    assert "model/evidence.json" in names
    assert any(name.endswith(".pickle") for name in names)


def test_an_old_day_gets_the_model_of_its_time(folder, skilled):
    registry = _registry(folder)
    known = skilled.trained_through
    assert registry.champion(as_of=known).model_version == "2"
    assert registry.champion(as_of=known - timedelta(hours=1)) is None


def test_loading_the_champion_imports_no_mlflow(folder):
    code = (
        "import sys; from resources.models.registry import ModelRegistry\n"
        f"m = ModelRegistry('sqlite:///{folder}/mlflow.db', r'{folder}/artefacts').champion()\n"
        "assert m.model_version == '2'\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_damage_and_foreign_versions_are_refused(folder, tmp_path):
    import shutil

    def damaged(change):
        target = tmp_path / change.__name__
        shutil.copytree(folder / "artefacts", target / "artefacts")
        change(target / "artefacts" / "promoted" / "ml_confidence")
        with pytest.raises(BadData) as caught:
            ModelRegistry(f"sqlite:///{folder}/mlflow.db", target / "artefacts").champion()
        return str(caught.value)

    def flipped_byte(export):
        path = next(export.glob("*.pickle"))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))

    def missing(export):
        next(export.glob("*.pickle")).unlink()

    def other_library(export):
        path = export / "champion.json"
        path.write_text(path.read_text().replace('"scikit-learn": "1', '"scikit-learn": "0'))

    def cut_manifest(export):
        (export / "champion.json").write_text('{"model_name": ')

    assert "SHA-256" in damaged(flipped_byte)
    assert "missing" in damaged(missing)
    assert "train again" in damaged(other_library)
    assert "not a model manifest" in damaged(cut_manifest)


def test_an_export_that_disagrees_with_the_registry_is_found(folder):
    registry = _registry(folder)
    with registry._client() as client:
        client.delete_registered_model_alias("ml_confidence", "champion")
    with pytest.raises(BadData, match="registry says None"):
        registry.champion(verify=True)
    with registry._client() as client:
        client.set_registered_model_alias("ml_confidence", "champion", "2")


def test_a_newer_model_with_skill_replaces_the_champion_but_not_the_past(folder, skilled):
    registry = _registry(folder)
    later = replace(skilled, trained_through=skilled.trained_through + timedelta(days=7))
    assert registry.log_and_register(later) == "4"
    assert registry.champion(verify=True).model_version == "4"
    assert registry.champion(as_of=skilled.trained_through).model_version == "2"
