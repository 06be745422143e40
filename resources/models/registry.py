"""The model registry: MLflow keeps the record, a hashed export keeps the daily path free of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from resources.models import artifact
from trading.confidence.training import TrainedConfidence, evidence
from trading.errors import BadData

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHAMPION = "champion"
_SHA_TAG = "tidemill.sha256"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A promoted model, ready to score, under its registered name and version."""

    trained: TrainedConfidence
    model_name: str
    model_version: str
    sha256: str


class ModelRegistry:
    """Registers every trained model in MLflow and serves the promoted one.

    Only a model with skill is promoted to the alias ``champion``; one without is registered with
    its evidence and left there. Promotion exports the model under its SHA-256 beside a manifest, so
    that scoring neither imports MLflow (seconds) nor opens its database.

    Parameters
    ----------
    tracking_uri
        MLflow's store, for example ``sqlite:///var/mlflow.db`` or a Postgres URI.
    artifact_root
        Folder of artefacts and exports; created when absent.
    model_name
        Registered model and experiment.
    """

    def __init__(
        self, tracking_uri: str, artifact_root: Path | str, model_name: str = "ml_confidence"
    ) -> None:
        self.tracking_uri = tracking_uri
        self.artifact_root = Path(artifact_root).absolute()
        self.model_name = model_name
        self._loaded: dict[str, LoadedModel] = {}

    @property
    def export_folder(self) -> Path:
        """Where promoted models and their manifests lie."""
        return self.promoted_folder / self.model_name

    @property
    def promoted_folder(self) -> Path:
        """Where the promoted models of every name lie, a folder each."""
        return self.artifact_root / "promoted"

    def log_and_register(self, trained: TrainedConfidence, tags: Mapping[str, str] | None = None) -> str:
        """Log a run with parameters, metrics and evidence, register a version, promote it if it has skill.

        Returns
        -------
        str
            The version in the registry, promoted or not.
        """
        payload = artifact.serialise(trained)
        facts = evidence(trained)
        with self._client() as client:
            run = client.create_run(self._experiment(client), tags=dict(tags or {}))
            run_id = run.info.run_id
            for name, value in facts["settings"].items():
                client.log_param(run_id, name, value)
            client.log_param(run_id, "seed", trained.seed)
            for name, value in _metrics(facts).items():
                client.log_metric(run_id, name, value)
            client.log_dict(run_id, facts, "model/evidence.json")
            described = artifact.manifest_of(trained, payload, self.model_name, "unregistered")
            with TemporaryDirectory() as folder:
                stored = artifact.payload_path(Path(folder), described.sha256)
                stored.write_bytes(payload)
                client.log_artifact(run_id, str(stored), "model")
            client.set_terminated(run_id)
            registered = client.create_model_version(
                self.model_name,
                source=f"{run.info.artifact_uri}/model",
                run_id=run_id,
                tags={_SHA_TAG: described.sha256, "has_skill": str(trained.has_skill).lower()},
            )
            version = str(registered.version)
            if trained.has_skill:
                client.set_registered_model_alias(self.model_name, CHAMPION, version)
        if trained.has_skill:
            manifest = artifact.manifest_of(trained, payload, self.model_name, version)
            artifact.write_atomically(artifact.payload_path(self.export_folder, manifest.sha256), payload)
            artifact.write_manifest(artifact.version_path(self.export_folder, version), manifest)
            artifact.write_manifest(self.export_folder / f"{CHAMPION}.json", manifest)
        return version

    def champion(self, as_of: datetime | None = None, *, verify: bool = False) -> LoadedModel | None:
        """The promoted model, or None while none has been promoted. Loaded once per process.

        Parameters
        ----------
        as_of
            Where given, the newest promoted model that had seen nothing after this time, so that
            an old day is scored by the model of its time; None when there was none yet.
        verify
            Compare the export with MLflow's alias (imports MLflow, opens its store).

        Raises
        ------
        BadData
            If the export is damaged, needs other libraries, or disagrees with the registry.
        """
        manifest = self._newest_manifest() if as_of is None else self._manifest_as_of(as_of)
        if verify:
            self._verify(self._newest_manifest())
        if manifest is None:
            return None
        if manifest.sha256 not in self._loaded:
            trained = artifact.load(self.export_folder, manifest)
            self._loaded[manifest.sha256] = LoadedModel(
                trained, manifest.model_name, manifest.model_version, manifest.sha256
            )
        return self._loaded[manifest.sha256]

    def _newest_manifest(self) -> artifact.Manifest | None:
        path = self.export_folder / f"{CHAMPION}.json"
        return artifact.read_manifest(path) if path.exists() else None

    def _manifest_as_of(self, as_of: datetime) -> artifact.Manifest | None:
        paths = sorted(self.export_folder.glob("version-*.json"))
        seen = [m for m in map(artifact.read_manifest, paths) if m.trained_through <= as_of]
        return max(seen, key=lambda m: (m.trained_through, int(m.model_version)), default=None)

    def _verify(self, manifest: artifact.Manifest | None) -> None:
        with self._client() as client:
            registered = self._aliased(client)
        exported = (manifest.model_version, manifest.sha256) if manifest else None
        if registered != exported:
            raise BadData(
                f"{self.export_folder}: exported champion is {exported}, the registry says "
                f"{registered}; run the training job again to promote one model in both"
            )

    def _aliased(self, client: MlflowClient) -> tuple[str, str | None] | None:
        if not client.search_registered_models(f"name = '{self.model_name}'"):
            return None
        if CHAMPION not in client.get_registered_model(self.model_name).aliases:
            return None
        found = client.get_model_version_by_alias(self.model_name, CHAMPION)
        return str(found.version), found.tags.get(_SHA_TAG)

    def _experiment(self, client: MlflowClient) -> str:
        if not client.search_registered_models(f"name = '{self.model_name}'"):
            client.create_registered_model(self.model_name)
        found = client.get_experiment_by_name(self.model_name)
        if found is not None:
            return str(found.experiment_id)
        location = (self.artifact_root / "runs" / self.model_name).as_uri()
        return str(client.create_experiment(self.model_name, artifact_location=location))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        # MLflow reads this when it is imported: no usage reports leave this machine.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if self.tracking_uri.startswith("sqlite:///"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        yield MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)


def _metrics(facts: dict[str, Any]) -> dict[str, float]:
    """The numbers of the evidence, flat; an unknown one (null) is left out."""
    flat = {f"test_{name}": value for name, value in facts["evaluation"].items() if name != "reliability"}
    for part in ("train", "calibration", "test"):
        flat[f"{part}_rows"] = facts[part]["rows"]
        flat[f"{part}_positive_fraction"] = facts[part]["positive_fraction"]
    return {name: float(value) for name, value in flat.items() if value is not None}
