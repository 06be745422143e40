"""What must stand in the environment before Dagster, MLflow or the settings are imported."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def find_home(folder: Path) -> Path:
    """The folder that relative paths start from: ``folder`` if it is set up for Tidemill, else the project."""
    own = (folder / "config" / "tidemill.yaml").is_file() or (folder / "dagster.yaml").is_file()
    return folder if own else PROJECT_ROOT


def shipped_file(name: str) -> Path:
    """A file such as workspace.yaml: the home folder's own, or the project's."""
    own = Path(os.environ["TIDEMILL_HOME"]) / name
    return own if own.is_file() else PROJECT_ROOT / name


def prepare() -> None:
    """Set the defaults that are not set yet, so that a user's own settings always win."""
    given = os.environ.get("TIDEMILL_HOME")
    home = Path(given).resolve() if given else find_home(Path.cwd().resolve())
    os.environ["TIDEMILL_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_HOME", str(shipped_file("dagster.yaml").parent))
    state = Path(os.environ.setdefault("DAGSTER_STATE", str(home / "var" / "dagster")))
    state.mkdir(parents=True, exist_ok=True)
    for switch, off in (
        ("DAGSTER_DISABLE_TELEMETRY", "yes"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("GX_ANALYTICS_ENABLED", "false"),
        ("DO_NOT_TRACK", "true"),
    ):
        os.environ.setdefault(switch, off)
