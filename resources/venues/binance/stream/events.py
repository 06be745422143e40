"""What the user-data stream tells its reader."""

from __future__ import annotations

from dataclasses import dataclass

from trading.model.account import VenueFill, VenueOrder


@dataclass(frozen=True, slots=True)
class Resync:
    """Something may have been missed: ask over REST for orders, fills, balances and positions."""

    reason: str


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order changed, was filled in part, or both.

    Attributes
    ----------
    order
        Its newest state; None when this is old news of which only the fill counts.
    fill
        The execution that came with it; None when there was none.
    """

    order: VenueOrder | None
    fill: VenueFill | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Balances or positions changed; the currencies and symbols that the venue named."""

    currencies: tuple[str, ...]
    symbols: tuple[str, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class TermsChanged:
    """Somebody changed a contract's leverage, or the account's mode when no symbol is named."""

    symbol: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class MarginCall:
    """Positions are close to liquidation."""

    symbols: tuple[str, ...]
    at_ms: int


StreamEvent = Resync | OrderUpdate | AccountChanged | TermsChanged | MarginCall


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The venue ended the stream: it must be opened anew."""

    reason: str


#: What one message can mean; None is a message that concerns nobody.
Message = OrderUpdate | AccountChanged | TermsChanged | MarginCall | StreamEnded | None
