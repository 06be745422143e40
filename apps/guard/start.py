"""Starting the guard from the configuration and its own credentials."""

from __future__ import annotations

import time

from apps.guard.accounts import guard_account
from apps.guard.evidence import say
from apps.guard.grid import OnGrid
from apps.guard.ledger_response import CONTAIN
from apps.guard.run import run_guard, run_paper_guard
from resources.settings import Settings, home, load_settings
from trading.errors import RetryLater
from warehouse.flags.files import control_folder

_PAUSE_SECONDS = 1.0


def guard_configured() -> None:
    """Guard the configured venue's account; a venue that does not answer yet is asked until it does.

    Orders of the paper venue live in the ledger, so its guard needs no key.

    Raises
    ------
    FixConfiguration
        If the configuration is wrong, or the guard's own key is missing.
    """
    settings, folder = load_settings(), control_folder(home())
    if settings.venue.kind == "paper":
        run_paper_guard(CONTAIN, folder, settings.guard)
    else:
        run_guard(_opened(settings), folder, settings.guard)


def _opened(settings: Settings) -> OnGrid:
    while True:
        try:
            return guard_account(settings)
        except RetryLater as error:
            say(f"the venue does not answer: {error}")
            time.sleep(_PAUSE_SECONDS)
