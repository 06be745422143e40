"""What a desk is: a named, pure function from a snapshot to decisions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from trading.model.canonical import digest
from trading.model.decision import Decision
from trading.model.snapshot import Snapshot
from trading.model.snapshot_codec import left_out


class Desk(Protocol):
    """Looks at one snapshot and says what it would do, and what it would not do and why.

    Attributes
    ----------
    name
        Lower-case letters, digits, ``-`` and ``_``; unique among the desks that run together.
    configuration_hash
        Changes whenever the desk's settings change; decision ids derive from it.
    """

    @property
    def name(self) -> str:
        """Name of the desk, as in the journal."""
        ...

    @property
    def configuration_hash(self) -> str:
        """Hash of everything configurable about the desk; see `settings_hash`."""
        ...

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        """Every candidate considered at this tick, fired or skipped, with all its checks.

        Pure: no clock, no network, no state between calls. The order of fired entries is the order
        in which the risk gate hands out room. See `trading.desks.candidate` for building decisions.
        """
        ...


def settings_hash(name: str, settings: Any) -> str:
    """Hash (16 hex digits) of a desk's name and settings: a dataclass or a mapping of plain values.

    A dataclass's field of `trading.model.snapshot.LATER` counts only where it is not at its default.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        kept = {
            item.name
            for item in dataclasses.fields(settings)
            if not left_out(item, getattr(settings, item.name))
        }
        settings = {name: value for name, value in dataclasses.asdict(settings).items() if name in kept}
    if not isinstance(settings, Mapping):
        raise TypeError(f"desk {name}: settings must be a dataclass or a mapping, not {settings!r}")
    return digest("desk", name, settings)[:16]
