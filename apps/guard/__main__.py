"""`python -m apps.guard`: the guard as a process of its own."""

from __future__ import annotations

import sys

from apps.guard.evidence import say
from apps.guard.start import guard_configured
from resources.redaction import redact_this_process
from trading.errors import TradingError


def main() -> int:
    """Guard the configured venue until stopped."""
    redact_this_process()
    try:
        guard_configured()
    except TradingError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
