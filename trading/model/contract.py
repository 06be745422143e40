"""What one unit of a contract's base asset is: 1000PEPE is a thousand PEPE."""

from __future__ import annotations

import re

_THOUSANDS = re.compile(r"^(?P<count>10{3,})(?P<coin>[A-Z][A-Z0-9]*)$")
_MILLION = re.compile(r"^1M(?P<coin>[A-Z][A-Z0-9]{2,})$")


def underlying(base: str) -> tuple[str, int]:
    """Coin behind a base asset as Binance writes it, and how many of the coin one unit is.

    Coins that cost a tiny fraction of a cent are quoted in bundles: a power of ten from a thousand
    upwards before the coin's name, or ``1M`` for a million.

    Returns
    -------
    tuple of str and int
        ``("PEPE", 1000)`` for 1000PEPE and ``("BABYDOGE", 1_000_000)`` for 1MBABYDOGE. A name that
        merely begins with digits, such as 1INCH, is the coin itself: ``("1INCH", 1)``.
    """
    if match := _THOUSANDS.match(base):
        return match["coin"], int(match["count"])
    if match := _MILLION.match(base):
        return match["coin"], 1_000_000
    return base, 1
