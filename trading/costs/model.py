"""What trading costs at a venue: one model for paper fills, back-tests and expectations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.costs.slippage import minute_impact_bps


@dataclass(frozen=True, slots=True)
class CostModel:
    """Costs of market orders.

    Attributes
    ----------
    taker_fee_bps, maker_fee_bps
        Fees on the traded value, basis points.
    spread_bps
        Bid-ask spread, basis points of mid; half of it is paid on each side.
    slippage_bps
        Further fixed cost per side: latency and the book behind the touch.
    impact_coefficient
        Y of the square-root law; 0 switches impact off.
    daily_volatility_fraction
        Standard deviation of daily returns in the square-root law.
    participation_fraction
        Largest share of one minute's volume that an order takes; the rest waits for the next minute.
    """

    taker_fee_bps: Annotated[Decimal, Ge(0)] = Decimal(10)
    maker_fee_bps: Annotated[Decimal, Ge(0)] = Decimal(10)
    spread_bps: Annotated[float, Ge(0)] = 4.0
    slippage_bps: Annotated[float, Ge(0)] = 1.0
    impact_coefficient: Annotated[float, Ge(0)] = 0.7
    daily_volatility_fraction: Annotated[float, Ge(0)] = 0.03
    participation_fraction: Annotated[float, Gt(0), Le(1)] = 0.10

    def slippage_bps_of(self, quantity: float, minute_volume: float) -> float:
        """Cost of a market order of ``quantity`` in a minute of ``minute_volume`` (both base), in bps."""
        impact = minute_impact_bps(
            self.impact_coefficient, self.daily_volatility_fraction, quantity, minute_volume
        )
        return self.spread_bps / 2.0 + self.slippage_bps + impact

    @property
    def round_trip_bps(self) -> float:
        """Fees, spread and fixed slippage of buying and selling again, without impact."""
        return 2.0 * (float(self.taker_fee_bps) + self.slippage_bps) + self.spread_bps
