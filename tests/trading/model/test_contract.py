from __future__ import annotations

import json
from pathlib import Path

import pytest

from trading.model.contract import underlying


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("BTC", ("BTC", 1)),
        ("1INCH", ("1INCH", 1)),
        ("1000PEPE", ("PEPE", 1_000)),
        ("1000X", ("X", 1_000)),
        ("10000LADYS", ("LADYS", 10_000)),
        ("1000000MOG", ("MOG", 1_000_000)),
        ("1MBABYDOGE", ("BABYDOGE", 1_000_000)),
        ("100X", ("100X", 1)),
        ("1M", ("1M", 1)),
        ("2000A", ("2000A", 1)),
        ("1000", ("1000", 1)),
    ],
)
def test_the_coin_behind_a_base_asset(base: str, expected: tuple[str, int]) -> None:
    assert underlying(base) == expected


def test_every_contract_of_a_recorded_list_is_read(shared: Path) -> None:
    tiers = json.loads((shared / "fixtures/binance/freqtrade/binance_leverage_tiers.json").read_text())
    bases = {name.partition("/")[0] for name in tiers}
    bundles = {base: underlying(base) for base in bases if underlying(base)[1] > 1}
    assert {base for base in bases if base[0].isdigit()} - set(bundles) == {"1INCH"}
    assert set(bundles.values()) >= {("PEPE", 1_000), ("SHIB", 1_000), ("BABYDOGE", 1_000_000)}
