"""The limits of the one risk gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from trading.model.snapshot import LATER


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits on new exposure. Reductions pass whatever they say.

    Attributes
    ----------
    max_position_fraction
        Largest share of equity in one symbol, all desks together.
    max_portfolio_exposure_fraction
        Largest share of equity in all positions and open buy orders together.
    max_daily_loss_fraction
        Loss since the start of the UTC day, as a share of its equity, at which entries stop.
    max_spread_bps
        Widest bid-ask spread, basis points of mid.
    max_staleness_bars
        Most bars that a symbol's newest bar may lie behind the tick.
    bar_minutes
        Length of the decision bar, for counting staleness.
    max_decision_age_minutes
        Oldest decision that may still open a position, counted from its bar close.
    min_cash_reserve_fraction
        Share of equity that stays in cash.
    cost_buffer_fraction
        Room for fees and slippage, as a share of the order, that its cash must also cover.
    max_open_positions
        Most positions of all desks together, buys under way included.
    shrink_allowed
        Whether an entry too large for its room is cut to fit (else refused).
    max_basis_fraction
        Farthest that a contract's price may lie from its spot pair's, as a share of the latter, for an entry.
    """

    max_position_fraction: Annotated[float, Gt(0), Le(1)] = 0.20
    max_portfolio_exposure_fraction: Annotated[float, Gt(0), Le(1)] = 0.80
    max_daily_loss_fraction: Annotated[float, Gt(0), Le(1)] = 0.05
    max_spread_bps: Annotated[float, Gt(0)] = 15.0
    max_staleness_bars: Annotated[int, Ge(0)] = 2
    bar_minutes: Annotated[int, Gt(0)] = 15
    max_decision_age_minutes: Annotated[float, Gt(0)] = 60.0
    min_cash_reserve_fraction: Annotated[float, Ge(0), Lt(1)] = 0.10
    cost_buffer_fraction: Annotated[float, Ge(0), Lt(1)] = 0.005
    max_open_positions: Annotated[int, Gt(0)] = 40
    shrink_allowed: bool = True
    max_basis_fraction: Annotated[float, Gt(0), Lt(1)] = field(default=0.05, metadata=LATER)
