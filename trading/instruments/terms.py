"""The account's terms on instruments: fees and margin schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.model.instrument import Instrument, MarginBracket
from trading.model.series import Market

#: Margin schedules by symbol of the futures market.
Schedules = Mapping[str, tuple[MarginBracket, ...]]


@dataclass(frozen=True, slots=True)
class FeeTier:
    """What the account pays for trading in one market; a rebate is negative."""

    maker_bps: Decimal
    taker_bps: Decimal


def with_terms(
    instruments: Iterable[Instrument], fees: Mapping[Market, FeeTier], schedules: Schedules
) -> list[Instrument]:
    """The instruments with the terms that they lack; terms that the venue stated stay.

    A future without a schedule keeps none: its liquidation price is not known.
    """
    return [_complete(item, fees[item.market], schedules) for item in instruments]


def _complete(item: Instrument, fees: FeeTier, schedules: Schedules) -> Instrument:
    brackets = item.brackets
    if not brackets and item.market is Market.USDM:
        brackets = schedules.get(item.symbol, ())
    return replace(
        item,
        maker_fee_bps=fees.maker_bps if item.maker_fee_bps is None else item.maker_fee_bps,
        taker_fee_bps=fees.taker_bps if item.taker_fee_bps is None else item.taker_fee_bps,
        brackets=brackets,
    )
