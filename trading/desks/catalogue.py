"""The desks that come with Tidemill, by name, and how a configuration names a desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trading.desks.desk import Desk
from trading.desks.fork import ForkDesk, ForkDeskSettings
from trading.desks.genome import GenomeDesk, GenomeDeskSettings


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A desk class and the dataclass of its settings."""

    desk: Callable[[Any], Desk]
    settings: type


@dataclass(frozen=True, slots=True)
class DeskSpec:
    """One desk of the configuration.

    Attributes
    ----------
    use
        Name of a built-in desk, ``path/to/file.py:ClassName`` or ``package.module:ClassName``.
    settings
        Settings by name (or the settings dataclass itself); what is left out keeps its default.
    """

    use: str
    settings: Any = field(default_factory=dict)


BUILT_IN: Mapping[str, BuiltIn] = {
    "fork": BuiltIn(ForkDesk, ForkDeskSettings),
    "genome": BuiltIn(GenomeDesk, GenomeDeskSettings),
}
