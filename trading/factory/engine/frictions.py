"""What trading costs in a back-test: fees, spread, slippage, impact, funding is in the bars, liquidation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.costs.model import CostModel
from trading.errors import FixConfiguration
from trading.indicators.columns import FloatArray

_BPS = 1e-4
#: Spread, slippage and impact together take at most this share of the price.
MAXIMUM_COST_FRACTION = 0.5


@dataclass(frozen=True, slots=True)
class Frictions:
    """Costs of market orders; a number holds for every symbol, an array of shape (symbols,) for each its own.

    Attributes
    ----------
    fee_bps
        Fee on the traded value, each side, basis points.
    spread_bps
        Bid-ask spread; half of it is paid on each side.
    slippage_bps
        Further fixed cost of each side.
    impact_coefficient
        Y of the square-root law Y σ √(Q/V); 0 switches impact off.
    daily_volatility_fraction
        σ, the deviation of daily returns.
    slot_quote
        Starting equity of one symbol's slot, quote currency: what impact depends on.
    maintenance_fraction
        Maintenance margin as a share of the position's value, the venue's first bracket.
    """

    fee_bps: float = 10.0
    spread_bps: float | FloatArray = 4.0
    slippage_bps: float = 1.0
    impact_coefficient: float = 0.7
    daily_volatility_fraction: float | FloatArray = 0.03
    slot_quote: float = 10_000.0
    maintenance_fraction: float | FloatArray = 0.01

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.size == 0 or not (np.isfinite(value) & (value >= 0)).all():
                raise FixConfiguration(
                    f"frictions: {name} is {value}; an unknown cost is not 0, give a number ≥ 0"
                )
        if not np.all(np.asarray(self.maintenance_fraction) < 0.5):
            raise FixConfiguration(
                f"frictions: maintenance_fraction is {self.maintenance_fraction}; it must be < 0.5"
            )

    @classmethod
    def of(
        cls, costs: CostModel, *, slot_quote: float, maintenance_fraction: float | FloatArray
    ) -> Frictions:
        """The costs of a venue's model."""
        return cls(
            fee_bps=float(costs.taker_fee_bps),
            spread_bps=costs.spread_bps,
            slippage_bps=costs.slippage_bps,
            impact_coefficient=costs.impact_coefficient,
            daily_volatility_fraction=costs.daily_volatility_fraction,
            slot_quote=slot_quote,
            maintenance_fraction=maintenance_fraction,
        )

    def table(self, symbols: int, minutes: int) -> FloatArray:
        """Costs per symbol, shape (symbols, 4): fee, fixed cost, impact and maintenance, all fractions.

        Impact is per root of quote value over base volume of one bar of ``minutes``: the square-root law
        does not depend on the horizon as long as volume and volatility share it.
        """
        bars_per_day = 1440 / minutes
        fixed = (np.asarray(self.spread_bps) / 2 + self.slippage_bps) * _BPS
        impact = self.impact_coefficient * np.asarray(self.daily_volatility_fraction) / np.sqrt(bars_per_day)
        columns = (self.fee_bps * _BPS, fixed, impact, np.asarray(self.maintenance_fraction))
        try:
            return np.stack([np.broadcast_to(column, (symbols,)) for column in columns], axis=1).astype(
                np.float64
            )
        except ValueError:
            raise FixConfiguration(
                f"frictions: an array does not have one value for each of {symbols} symbols"
            ) from None
