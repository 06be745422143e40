"""Starting the guard from the configuration and its own credentials."""

from __future__ import annotations

import time

from apps.guard.accounts import guard_account
from apps.guard.evidence import say
from apps.guard.grid import OnGrid
from apps.guard.run import run_guard
from resources.settings import Settings, home, load_settings
from trading.errors import RetryLater
from warehouse.flags.files import control_folder

_PAUSE_SECONDS = 1.0


def guard_configured() -> None:
    """Guard the configured venue's account; a venue that does not answer yet is asked until it does.

    Raises
    ------
    FixConfiguration
        If the configuration is wrong, or the guard's own key is missing.
    """
    settings = load_settings()
    account = _opened(settings)
    run_guard(account, control_folder(home()), settings.guard)


def _opened(settings: Settings) -> OnGrid:
    while True:
        try:
            account = guard_account(settings)
            account.prepare()
        except RetryLater as error:
            say(f"the venue does not answer: {error}")
            time.sleep(_PAUSE_SECONDS)
        else:
            return account
