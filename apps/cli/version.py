"""`tidemill version`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from apps.cli.output import Json, line, print_json

PACKAGES = ("dagster", "duckdb", "polars", "pandas", "numpy", "ta-lib", "scikit-learn", "mlflow")

app = typer.Typer()


@app.command()
def version(as_json: Json = False) -> None:
    """Show the version of Tidemill and of the libraries that its numbers rest on."""
    packages = {name: installed_version(name) for name in PACKAGES}
    own = installed_version("tidemill")
    if as_json:
        print_json({"tidemill": own, "packages": packages})
        return
    line(f"tidemill {own}")
    line(", ".join(f"{name} {number}" for name, number in packages.items()))


def installed_version(package: str) -> str:
    """Version of an installed package, or ``not installed`` (Tidemill itself, in a bare checkout)."""
    try:
        return installed(package)
    except PackageNotFoundError:
        return "not installed"
