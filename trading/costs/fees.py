"""Trading fees, exact."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

_BPS = Decimal(10_000)
#: Fees are charged to the eighth decimal, rounded against us.
FEE_STEP = Decimal("1e-8")


def fee(notional: Decimal, fee_bps: Decimal) -> Decimal:
    """Fee (quote) on a trade of value ``notional`` (quote, unsigned), rounded up to `FEE_STEP`."""
    return (notional * fee_bps / _BPS).quantize(FEE_STEP, rounding=ROUND_UP)
