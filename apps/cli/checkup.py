"""The checks of `tidemill doctor`: each looks at one thing and says how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from apps.cli.version import PACKAGES, installed_version

if TYPE_CHECKING:
    from resources.platform import Platform

_GIB = 2**30
_MINIMUM_FREE_BYTES = _GIB
_LARGEST_DRIFT_MS = 2_000
#: Sources that live in a time of their own: no drift against this machine's clock can be told.
_OWN_TIME = ("sandbox", "files")


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and the fix where one is needed."""

    name: str
    level: Level
    detail: str
    fix: str = ""


def examine() -> list[Finding]:
    """Run every check. One that raises has failed and never hides the others."""
    found = [_guarded(check) for check in (_python, _packages, _talib, _configuration)]
    if found[-1].level is Level.FAIL:
        return found  # nothing else can be built without settings
    return found + [
        _guarded(check) for check in (_disk, _lake, _ledger, _kill_flag, _source, _slack, _dagster, _graph)
    ]


def _guarded(check: Callable[[], Finding]) -> Finding:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check()
    except Exception as error:  # whatever it is, it is the finding
        return Finding(name, Level.FAIL, f"{type(error).__name__}: {error}", "mend what the message names")


def _platform() -> Platform:
    from resources.platform import open_platform

    return open_platform()


def _python() -> Finding:
    return Finding("python", Level.OK, f"{sys.version.split()[0]} ({sys.executable})")


def _packages() -> Finding:
    found = {name: installed_version(name) for name in PACKAGES}
    missing = [name for name, version in found.items() if version == "not installed"]
    if missing:
        return Finding(
            "packages", Level.FAIL, f"missing: {', '.join(missing)}", "run make run, which installs the lock"
        )
    return Finding("packages", Level.OK, ", ".join(f"{name} {version}" for name, version in found.items()))


def _talib() -> Finding:
    import numpy as np
    import talib

    last = talib.SMA(np.arange(1.0, 6.0), timeperiod=5)[-1]
    if last != 3.0:
        return Finding("talib", Level.FAIL, f"SMA of 1..5 is {last}, not 3", "reinstall ta-lib from the lock")
    return Finding("talib", Level.OK, f"C library {talib.__ta_version__.decode().split(' ')[0]} computes")


def _configuration() -> Finding:
    from resources.settings import config_path, load_settings

    load_settings()
    return Finding("configuration", Level.OK, str(config_path()))


def _disk() -> Finding:
    folder = Path(os.environ["TIDEMILL_HOME"]) / "var"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"tidemill")
    free = shutil.disk_usage(folder).free
    detail = f"{folder} is writable, {free / _GIB:.1f} GiB free"
    if free < _MINIMUM_FREE_BYTES:
        return Finding("disk", Level.FAIL, detail, "free at least 1 GiB, or point lake.uri elsewhere")
    return Finding("disk", Level.OK, detail)


def _lake() -> Finding:
    from warehouse.datasets.market import KLINES

    platform = _platform()
    days = platform.lake.days(KLINES)
    if not days:
        return Finding("lake", Level.WARN, f"{platform.settings.lake_uri} is empty", "run tidemill run daily")
    return Finding(
        "lake", Level.OK, f"{platform.settings.lake_uri}: klines of {len(days)} days to {days[-1]}"
    )


def _ledger() -> Finding:
    from warehouse.ledger.migrate import applied_versions

    platform = _platform()
    with platform.ledger.read() as tx:
        versions = applied_versions(tx)
    return Finding("ledger", Level.OK, f"{platform.ledger.place}, version {versions[-1]}")


def _kill_flag() -> Finding:
    from warehouse.flags.kill_flag import merged
    from warehouse.ledger import controls

    platform = _platform()
    with platform.ledger.read() as tx:
        current = merged(platform.kill_flag, controls.current(tx))
    if current.halted:
        return Finding(
            "kill flag", Level.WARN, f"halted: {current.reason}", "tidemill resume, once the reason is gone"
        )
    return Finding("kill flag", Level.OK, "off")


def _source() -> Finding:
    platform = _platform()
    name = platform.settings.market_data.source
    begun = time.time()
    theirs = platform.market.now_ms()
    took = time.time() - begun
    if name in _OWN_TIME:
        return Finding("source", Level.OK, f"{name} answers in {took * 1000:.0f} ms, in its own time")
    drift = theirs - (begun + took / 2) * 1000
    detail = f"{name} answers in {took * 1000:.0f} ms, its clock is {drift:+.0f} ms from ours"
    if abs(drift) > _LARGEST_DRIFT_MS:
        return Finding("source", Level.WARN, detail, "synchronise this machine's clock (NTP)")
    return Finding("source", Level.OK, detail)


def _slack() -> Finding:
    slack = _platform().settings.alerts.slack
    if not slack.enabled:
        return Finding("slack", Level.OK, "switched off; alerts go to the log")
    if not os.environ.get("TIDEMILL_SLACK_TOKEN"):
        fix = "export TIDEMILL_SLACK_TOKEN, or set alerts.slack.enabled to false"
        return Finding("slack", Level.FAIL, "enabled, but TIDEMILL_SLACK_TOKEN is not set", fix)
    return Finding("slack", Level.OK, f"alerts go to {slack.channel}")


def _dagster() -> Finding:
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        count = instance.get_runs_count()
        storage = type(instance.run_storage).__name__
    return Finding("dagster", Level.OK, f"home {os.environ['DAGSTER_HOME']}, {storage}, {count} runs")


def _graph() -> Finding:
    from dagster import Definitions

    from pipelines.live import defs

    Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    return Finding(
        "graph",
        Level.OK,
        f"{len(graph.materializable_asset_keys)} assets, {len(graph.asset_check_keys)} checks",
    )
