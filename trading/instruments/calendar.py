"""Announced closures of a venue: dated facts, never guesses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A span in which a venue had announced that it would be closed.

    Attributes
    ----------
    venue
        Name of the venue, such as binance.
    from_ms, to_ms
        First moment and exclusive end, UTC.
    why
        The announcement, in a few words, and where it stands.
    """

    venue: str
    from_ms: int
    to_ms: int
    why: str
