"""A headless Chromium of the machine, and where the Dagster UI keeps what we look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

GROUPS = ("market", "bars", "indicators", "screening", "confidence", "strategies")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000


def chromium() -> str | None:
    """Path of the machine's Chromium or Chrome; None where there is none."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@contextmanager
def browser(profile: Path, executable: str) -> Iterator[BrowserContext]:
    """A new Chromium with its own profile; the lineage is laid out from top to bottom."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            args=FLAGS,
            headless=True,
            viewport={"width": 1600, "height": 1000},
            timezone_id="UTC",
            locale="en-GB",
        )
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        context.add_init_script("localStorage.setItem('asset-graph-direction', '\"vertical\"')")
        try:
            yield context
        finally:
            context.close()


def lineage_path(groups: tuple[str, ...] = GROUPS) -> str:
    """Address of the lineage of all assets with these groups open."""
    opened = ",".join(f"global@global:{group}" for group in groups)
    return f"/asset-groups?expanded={quote(opened, safe='')}"


def settle(page: Page, milliseconds: int = 1500) -> None:
    """Give drawings and fade-ins, which have no event of their own, time to finish."""
    page.wait_for_timeout(milliseconds)
