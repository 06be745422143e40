"""A small Tidemill for the tests of the graph: a home folder, a market whose clock the test sets.

Import the fixtures into a conftest. The market is simulated, has four symbols without random
silences, and stands still until a test moves its clock; `built` has run the daily pipeline once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from resources.platform import Platform, open_platform
from trading.simulation.settings import MarketSettings
from warehouse.ledger.backend import Ledger

ROOT = Path(__file__).resolve().parent.parent
DESK = ROOT / "tests" / "turnstile_desk.py"

#: The day that is open in the market of the tests; its history begins `HISTORY` days earlier.
OPEN_DAY = date(2025, 3, 10)
HISTORY = 5
LAST_DAY = OPEN_DAY - timedelta(days=1)
FIRST_DAY = OPEN_DAY - timedelta(days=HISTORY)

OWN_VARIABLES = ("TIDEMILL_CONFIG", "TIDEMILL_LEDGER_URL", "TIDEMILL_SOURCE", "TIDEMILL_SLACK_TOKEN")


def at(clock: str, day: date = OPEN_DAY) -> int:
    """Milliseconds since the epoch of a time of day, ``HH:MM``, UTC."""
    moment = datetime.fromisoformat(f"{day.isoformat()}T{clock}").replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


@dataclass(frozen=True)
class Home:
    """A home folder with its own configuration, lake, ledger and Dagster instance."""

    root: Path
    ledger_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point a process at this home."""
        folder = str(self.root)
        found = {
            "TIDEMILL_HOME": folder,
            "DAGSTER_HOME": folder,
            "DAGSTER_STATE": f"{folder}/var/dagster",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        return found | ({"TIDEMILL_LEDGER_URL": self.ledger_url} if self.ledger_url else {})

    @contextmanager
    def entered(self) -> Iterator[Platform]:
        """Point this process at the home."""
        with pytest.MonkeyPatch.context() as patch:
            for name in OWN_VARIABLES:
                patch.delenv(name, raising=False)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            platform = open_platform()
            assert platform.settings.path("x") == self.root / "x", "another home is open"
            yield platform

    @contextmanager
    def instance(self) -> Iterator[tuple[Platform, dg.DagsterInstance]]:
        """Point this process at the home and open its Dagster instance."""
        with self.entered() as platform, dg.DagsterInstance.get() as instance:
            yield platform, instance

    def copy(self, root: Path, *, ledger: bool = True, ledger_url: str = "") -> Home:
        """A twin in another folder, without runs; without a ledger when asked so.

        Partitions are hard links: the lake replaces files and never writes into one.
        """
        (root / "var").mkdir(parents=True)
        for name in ("config", "dagster.yaml"):
            source = self.root / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
        shutil.copytree(self.root / "var" / "lake", root / "var" / "lake", copy_function=os.link)
        state = self.root / "var" / "fresh_dagster"
        if state.exists():
            shutil.copytree(state, root / "var" / "fresh_dagster")
            shutil.copytree(state, root / "var" / "dagster")
        if ledger and (self.root / "var" / "ledger.duckdb").exists():
            shutil.copy(self.root / "var" / "ledger.duckdb", root / "var" / "ledger.duckdb")
        return Home(root, ledger_url)

    def configure(self, **changes: Any) -> None:
        """Replace top-level sections of the configuration."""
        path = self.root / "config" / "tidemill.yaml"
        content = yaml.safe_load(path.read_text()) | changes
        path.write_text(yaml.safe_dump(content))


def make_home(root: Path, configuration: Mapping[str, Any]) -> Home:
    """A fresh home folder with the instance settings of this project."""
    (root / "config").mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", root / "dagster.yaml")
    (root / "config" / "tidemill.yaml").write_text(yaml.safe_dump(dict(configuration)))
    return Home(root)


def configuration(market_data: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A configuration that trades on every bar, with little to compute."""
    return {
        "market_data": {"source": "sandbox", **market_data},
        "history_days": HISTORY,
        "desks": [{"use": f"{DESK}:Turnstile"}],
        "risk": {"max_spread_bps": 1000},
        "factory": {
            "window_days": 7,
            "gate": {"unseen_fraction": 0.15},
            "evolution": {
                "candidates": 8,
                "looks_per_candidate": 12,
                "population": 4,
                "elites": 1,
                "round_size": 32,
                "minimum_trades": 1,
            },
        },
        **changes,
    }


@pytest.fixture(scope="session")
def exchange() -> Iterator[EmbeddedSandbox]:
    """A simulated exchange whose clock stands still; tests set it with `exchange.clock.set`."""
    market = MarketSettings(count=4, venue_outage_probability=0, symbol_outage_probability=0)
    clock = ClockSettings(start=f"{OPEN_DAY}T00:20:00", speed=0.0)
    with EmbeddedSandbox(SandboxSettings(market=market, clock=clock)) as sandbox:
        yield sandbox


def run_job(instance: dg.DagsterInstance, name: str, **options: Any) -> dg.ExecuteInProcessResult:
    """Execute a job of the graph in this process."""
    from pipelines.live import defs

    options.setdefault("raise_on_error", False)
    return defs.resolve_job_def(name).execute_in_process(instance=instance, **options)


def decide(
    instance: dg.DagsterInstance, bar_close_ms: int, *, tags: Mapping[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """Run the decision job for one bar close."""
    config = {"ops": {"take_snapshot": {"config": {"bar_close_ms": bar_close_ms}}}}
    return run_job(instance, "decision", run_config=config, tags=dict(tags or {}))


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the run's first failed step says, without Dagster's wrapping."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            assert error is not None
            return (error.cause or error).message
    return ""


def rows(ledger: Ledger, sql: str, **params: Any) -> list[dict[str, Any]]:
    """Rows of one query on the ledger."""
    with ledger.read() as tx:
        return tx.query(sql, params)


@pytest.fixture(scope="session")
def built(exchange: EmbeddedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the daily pipeline has run at 00:20 of `OPEN_DAY`. Copy it; never write to it."""
    from pipelines.runs import run_daily

    base = tmp_path_factory.getbasetemp()
    # Workers of one test run share what the first of them built.
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    with (root.parent / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "complete").exists():
            home = make_home(root, configuration({"sandbox": {"base_url": exchange.base_url}}))
            with home.instance():
                pass  # an instance without runs, to be copied: making its databases takes a second
            shutil.copytree(root / "var" / "dagster", root / "var" / "fresh_dagster")
            exchange.clock.set(at("00:20"))
            with home.entered():
                outcome = run_daily(None, lambda what, done, total: None)
            assert outcome.succeeded, outcome.runs
            (root / "complete").touch()
    return Home(root)


def twin(home: Home, root: Path, exchange: EmbeddedSandbox, **options: Any) -> Home:
    """A copy of a home that looks at this process's exchange; see `Home.copy` for the options."""
    copy = home.copy(root, **options)
    copy.configure(market_data={"source": "sandbox", "sandbox": {"base_url": exchange.base_url}})
    return copy


@pytest.fixture
def home(built: Home, exchange: EmbeddedSandbox, tmp_path: Path) -> Home:
    """A twin of the built home for one test, the market's clock at 00:20."""
    exchange.clock.set(at("00:20"))
    return twin(built, tmp_path / "home", exchange)
