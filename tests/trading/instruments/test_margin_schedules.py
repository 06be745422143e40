"""Margin schedules: what makes sense, and what is refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trading.errors import BadData
from trading.instruments.brackets import check_schedule
from trading.instruments.terms import FeeTier, with_terms
from trading.model.instrument import Instrument, MarginBracket
from trading.model.series import Market

# BTCUSDT as of October 2024, its first three brackets.
SCHEDULE = (
    MarginBracket(Decimal(0), Decimal(50_000), 125, Decimal("0.004"), Decimal(0)),
    MarginBracket(Decimal(50_000), Decimal(600_000), 100, Decimal("0.005"), Decimal(50)),
    MarginBracket(Decimal(600_000), Decimal(3_000_000), 75, Decimal("0.0065"), Decimal(950)),
)


def test_a_real_schedule_is_accepted() -> None:
    check_schedule("BTCUSDT", SCHEDULE)
    check_schedule("BTCUSDT", ())


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"floor_notional": Decimal(1)}, r"bracket 1 of BTCUSDT holds from 1 to 50000, .* starts at 0"),
        (1, {"floor_notional": Decimal(60_000)}, r"bracket 2 of BTCUSDT holds from 60000 .* at 50000"),
        (1, {"cap_notional": Decimal(50_000)}, r"bracket 2 of BTCUSDT holds from 50000 to 50000"),
        (1, {"max_leverage": 126}, r"bracket 2 of BTCUSDT allows leverage 126, expected 1 to 125"),
        (2, {"max_leverage": 0}, r"bracket 3 of BTCUSDT allows leverage 0"),
        (1, {"maintenance_fraction": Decimal("0.003")}, r"bracket 2 .* share 0.003, expected at least 0.004"),
        (0, {"maintenance_fraction": Decimal(0)}, r"bracket 1 of BTCUSDT asks for the share 0,"),
        (2, {"maintenance_fraction": Decimal(1)}, r"bracket 3 of BTCUSDT asks for the share 1,"),
        (0, {"maintenance_amount": Decimal(5)}, r"bracket 1 of BTCUSDT deducts 5, expected 0"),
        (2, {"maintenance_amount": Decimal(949)}, r"bracket 3 .* deducts 949, expected 950.*jump at 600000"),
    ],
)
def test_nonsense_is_named(number: int, change: dict[str, Any], message: str) -> None:
    brackets = [replace(item, **change) if n == number else item for n, item in enumerate(SCHEDULE)]
    with pytest.raises(BadData, match=message):
        check_schedule("BTCUSDT", brackets)


def test_terms_fill_only_what_is_missing() -> None:
    zero = Decimal(0)
    spot = Instrument("BTCUSDT", "BTC", "USDT", zero, zero, zero, zero, zero)
    future = replace(spot, market=Market.USDM, maker_fee_bps=Decimal("-0.5"))
    unknown = replace(future, symbol="NEWUSDT")
    fees = {
        Market.SPOT: FeeTier(Decimal(10), Decimal(10)),
        Market.USDM: FeeTier(Decimal(2), Decimal(5)),
    }
    done = with_terms([spot, future, unknown], fees, {"BTCUSDT": SCHEDULE})
    assert [(item.maker_fee_bps, item.taker_fee_bps) for item in done] == [
        (Decimal(10), Decimal(10)),
        (Decimal("-0.5"), Decimal(5)),
        (Decimal("-0.5"), Decimal(5)),
    ]
    assert [item.brackets for item in done] == [(), SCHEDULE, ()]
    other = {"BTCUSDT": SCHEDULE[:1]}
    assert with_terms(done, fees, other) == done
