"""A promoted model on disk: immutable bytes named by their SHA-256, and a manifest that points to them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trading.confidence.training import TrainedConfidence
from trading.errors import BadData

_LIBRARIES = ("scikit-learn", "numpy", "polars")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is promoted: registry name and version, and the bytes that are the model.

    Attributes
    ----------
    calibration
        How its probabilities were calibrated: method, and the span of the rows that it was fitted on. Empty
        in a manifest of an earlier version.
    """

    model_name: str
    model_version: str
    sha256: str
    trained_through: datetime
    python: str
    libraries: dict[str, str]
    calibration: dict[str, str] = field(default_factory=dict)


def serialise(trained: TrainedConfidence) -> bytes:
    """The model as bytes; the same model gives the same bytes under the same libraries."""
    return pickle.dumps(trained, protocol=5)


def manifest_of(trained: TrainedConfidence, payload: bytes, model_name: str, model_version: str) -> Manifest:
    """Describe a payload, with the libraries that it must be read with."""
    return Manifest(
        model_name=model_name,
        model_version=model_version,
        sha256=hashlib.sha256(payload).hexdigest(),
        trained_through=trained.trained_through,
        python=".".join(platform.python_version_tuple()[:2]),
        libraries={name: version(name) for name in _LIBRARIES},
        calibration={
            "method": trained.calibrator.kind,
            "first": trained.calibration.first.isoformat(),
            "last": trained.calibration.last.isoformat(),
        },
    )


def payload_path(folder: Path, sha256: str) -> Path:
    """Where the bytes with this hash lie."""
    return folder / f"{sha256}.pickle"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replace the manifest at ``path``."""
    record = {
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "sha256": manifest.sha256,
        "trained_through": manifest.trained_through.isoformat(),
        "python": manifest.python,
        "libraries": manifest.libraries,
        "calibration": manifest.calibration,
    }
    write_atomically(path, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises `BadData`, naming the file, when it is not one."""
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        return Manifest(
            model_name=record["model_name"],
            model_version=record["model_version"],
            sha256=record["sha256"],
            trained_through=datetime.fromisoformat(record["trained_through"]),
            python=record["python"],
            libraries=record["libraries"],
            calibration=record.get("calibration", {}),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path}: not a model manifest ({error!r}); train again to replace it") from error


def version_path(folder: Path, model_version: str) -> Path:
    """Where the manifest of a promoted version lies."""
    return folder / f"version-{int(model_version):06d}.json"


def find_manifest(folder: Path, model: str) -> Manifest | None:
    """The manifest of ``<name>:<version>``, as decisions name models; None when it is not there.

    Parameters
    ----------
    folder
        Of all promoted models, one folder each.
    """
    name, separator, number = model.rpartition(":")
    if not separator or not number.isdecimal():
        return None
    path = version_path(folder / name, number)
    return read_manifest(path) if path.exists() else None


def load(folder: Path, manifest: Manifest) -> TrainedConfidence:
    """Load the promoted bytes after checking their hash and the libraries they need.

    Raises
    ------
    BadData
        If the file is absent or differs from the manifest's hash, or other versions of Python or
        scikit-learn wrote it: a pickle read by another version may predict something else.
    """
    path = payload_path(folder, manifest.sha256)
    try:
        payload = path.read_bytes()
    except FileNotFoundError as error:
        raise BadData(f"{path}: the promoted model is missing; train again") from error
    found = hashlib.sha256(payload).hexdigest()
    if found != manifest.sha256:
        raise BadData(f"{path}: SHA-256 is {found}, the manifest says {manifest.sha256}; train again")
    here = {name: version(name) for name in _LIBRARIES}
    python = ".".join(platform.python_version_tuple()[:2])
    if manifest.libraries.get("scikit-learn") != here["scikit-learn"] or manifest.python != python:
        raise BadData(
            f"{path}: written with Python {manifest.python} and {manifest.libraries}, "
            f"here are Python {python} and {here}; train again"
        )
    trained = pickle.loads(payload)  # noqa: S301 - hash checked above
    if not isinstance(trained, TrainedConfidence):
        raise BadData(f"{path}: holds a {type(trained).__name__}, not a confidence model; train again")
    return trained
