"""Containing a halt through the ledger: what may add exposure is cancelled there, what is held gets its stops.

`python -m resources.killswitch.contain` does it once for the configured platform and prints what came of
it as JSON. The guard of the paper venue starts it as a process of its own, so that the guard itself
needs neither Dagster nor a ledger.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from resources.execution.protecting import protect_platform
from resources.execution.sender import cancel_open, settle
from resources.platform import Platform, open_platform
from resources.redaction import redact_this_process, redacted
from trading.errors import TradingError
from trading.model.order import OrderState
from warehouse.ledger import orders

_ALIVE = tuple(state for state in OrderState if not state.terminal)


@dataclass(frozen=True, slots=True)
class Contained:
    """What one pass did and left.

    Attributes
    ----------
    open_entries
        Orders that may add exposure and have not ended, those of unknown outcome included.
    """

    cancelled: int
    new_fills: int
    open_entries: int


def contain(platform: Platform) -> Contained:
    """Cancel every order that may add exposure, and protect what is held; again is harmless.

    Raises
    ------
    RetryLater
        If the ledger is busy or out of reach, or another process works on the account.
    """
    venue, now_ms = platform.venue(), platform.clock.now_ms()
    done = cancel_open(platform.ledger, venue, now_ms)
    fills, cancelled = done.new_fills, done.cancelled
    if done.unknown:
        fills += settle(platform.ledger, venue, now_ms).new_fills
        again = cancel_open(platform.ledger, venue, now_ms)
        fills, cancelled = fills + again.new_fills, cancelled + again.cancelled
    protect_platform(platform)
    with platform.ledger.read() as tx:
        left = [order for order in orders.in_states(tx, _ALIVE) if order.adds_exposure]
    return Contained(cancelled, fills, len(left))


def main() -> int:
    """Contain once; the exit code is 1 when it could not be done."""
    redact_this_process()
    try:
        print(json.dumps(asdict(contain(open_platform()))))  # noqa: T201 - the answer to the caller
    except TradingError as error:
        print(json.dumps({"error": redacted(f"{type(error).__name__}: {error}")}))  # noqa: T201 - likewise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
