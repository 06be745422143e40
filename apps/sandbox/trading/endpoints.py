"""Signed requests: what each one does, and the way from the wire to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trading.model.series import Market

Values = Mapping[str, str]
#: Carries a request out for an account, at the account's own time, and gives the answer's content.
Action = Callable[[Any, Values], Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One signed request.

    Attributes
    ----------
    weight
        Request weight: of one symbol, and of all where none is named.
    changes
        Whether it changes the account: it is then written to the journal, and order faults may hit it.
    new_order
        Whether it counts against the order limits.
    """

    method: str
    path: str
    action: Action
    weight: int | tuple[int, int] = 1
    changes: bool = False
    new_order: bool = False

    @property
    def market(self) -> Market:
        """Whose account it is for."""
        return Market.USDM if self.path.startswith("/fapi/") else Market.SPOT

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"
