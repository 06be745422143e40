"""Make the pictures of docs/images anew: python -m tests.ui.screenshots [--home FOLDER].

Without a folder a daily run on the project's own configuration comes first, which takes minutes. The
market stands still at a moment at which several desks trade.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml
from PIL import Image
from playwright.sync_api import Page

from tests.dagster_service import ROOT, DagsterService
from tests.ui.browser import browser, chromium, lineage_path, settle
from tests.ui.daily_home import make_home, ui_service

IMAGES = ROOT / "docs" / "images"
MOMENT = "2025-09-07T21:47:00"


def asset_graph(page: Page, service: DagsterService) -> None:
    """Every asset with its dependencies, groups open, without the lists at the left."""
    page.goto(f"{service.url}/runs")
    page.get_by_text("Hide navigation").click()
    page.goto(f"{service.url}{lineage_path()}")
    page.get_by_text("rating_kicks", exact=True).first.wait_for()
    settle(page, 3000)
    page.mouse.click(340, 80)  # the unnamed button that closes the list of groups
    settle(page, 3000)


def asset_overview(page: Page, service: DagsterService) -> None:
    """What an asset is: description, columns with units, owners, jobs."""
    page.goto(f"{service.url}/assets/klines?view=overview")
    page.get_by_text("Highest traded price").wait_for()
    settle(page)


def asset_preview(page: Page, service: DagsterService) -> None:
    """The newest closed partition with its facts."""
    page.goto(f"{service.url}/assets/klines?view=partitions&partition={_closed_day(service)}")
    page.get_by_text("[Show Markdown]").click()
    page.get_by_role("dialog").get_by_text("23:59:00Z").first.wait_for()
    settle(page)


def checks(page: Page, service: DagsterService) -> None:
    """One check of the klines: what it says, that it blocks, what it measured."""
    page.goto(f"{service.url}/assets/klines?view=checks&checkDetail=ohlc_order")
    page.get_by_text("Passed").first.wait_for()
    settle(page, 3000)


def materialize(page: Page, service: DagsterService) -> None:
    """The dialog that launches a day or a range of days, with the closed day chosen."""
    page.goto(f"{service.url}/assets/klines?view=overview")
    page.get_by_text("Materialize", exact=False).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    field = dialog.get_by_role("textbox").first
    field.fill(_closed_day(service))
    field.press("Enter")
    settle(page, 3000)


def decision_run(page: Page, service: DagsterService) -> None:
    """The ops of a tick in time, and what each reported."""
    run = next(run["runId"] for run in service.runs() if run["jobName"] == "decision")
    page.goto(f"{service.url}/runs/{run}?logs=type%3ASTEP_OUTPUT")
    page.get_by_text("STEP_OUTPUT").first.wait_for()
    settle(page, 2000)
    page.mouse.move(800, 700)
    page.mouse.wheel(0, -5000)
    settle(page)


PICTURES: dict[str, Callable[[Page, DagsterService], None]] = {
    "asset-klines": asset_overview,
    "asset-preview": asset_preview,
    "materialize": materialize,
    "checks": checks,
    "decision-run": decision_run,
    "asset-graph": asset_graph,
}


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home folder with a finished daily run")
    home = parser.parse_args().home
    executable = chromium()
    if executable is None:
        raise SystemExit("no chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        if home is None:
            home = Path(folder) / "home"
            shutil.copytree(ROOT / "examples", home / "examples")
            make_home(home, _configuration())
        with ui_service(home.resolve()) as service, browser(Path(folder) / "profile", executable) as context:
            IMAGES.mkdir(exist_ok=True)
            for name, show in PICTURES.items():
                page = context.new_page()
                show(page, service)
                path = IMAGES / f"{name}.png"
                page.screenshot(path=path)
                page.close()
                _shrink(path)
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


def _configuration() -> str:
    settings = yaml.safe_load((ROOT / "config" / "tidemill.yaml").read_text())
    settings["market_data"] = {"sandbox": {"exchange": {"clock": {"start": MOMENT, "speed": 0}}}}
    return yaml.safe_dump(settings)


def _closed_day(service: DagsterService) -> str:
    daily = next(run for run in service.runs() if run["jobName"] == "daily")
    return next(tag["value"] for tag in daily["tags"] if tag["key"] == "dagster/partition")


def _shrink(path: Path) -> None:
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
