"""Which perpetual stands for a spot pair: bundles, twins, dates, and what is held besides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date

import pytest

from tests.trading_scenario import instrument
from trading.instruments.contracts import contracts_of
from trading.instruments.rows import build_rows
from trading.model.contract import underlying
from trading.model.days import end_ms, start_ms
from trading.model.instrument import Instrument
from trading.model.series import Market

DAY = date(2026, 3, 2)
NOON_MS = start_ms(DAY) + 43_200_000


def perpetual(base: str, **changes: object) -> Instrument:
    coin, multiplier = underlying(base)
    return replace(
        instrument(f"{base}USDT", market=Market.USDM, underlying=coin, multiplier=multiplier), **changes
    )


def chosen(
    pairs: Collection[str], *listed: Instrument, held: Collection[str] = (), at_ms: int = NOON_MS
) -> list[tuple[str, str, int]]:
    """Contract, pair and units, in the order given."""
    rows = build_rows(DAY, [instrument("AAAUSDT"), *listed], [], stated_at_ms=NOON_MS)
    named = {f"{base}USDT": base for base in pairs}
    found = contracts_of(rows, at_ms, named, "USDT", held=held)
    assert list(found) == [contract.instrument.symbol for contract in found.values()]
    return [(symbol, contract.pair, contract.units) for symbol, contract in found.items()]


@pytest.mark.parametrize(
    ("pairs", "listed", "expected"),
    [
        (["AAA"], ["AAA"], [("AAAUSDT", "AAAUSDT", 1)]),
        (["PEPE"], ["1000PEPE"], [("1000PEPEUSDT", "PEPEUSDT", 1000)]),
        (["BOB"], ["1MBOB"], [("1MBOBUSDT", "BOBUSDT", 1_000_000)]),
        (["1000SATS"], ["1000SATS"], [("1000SATSUSDT", "1000SATSUSDT", 1)]),  # the pair is in bundles too
        (["PEPE"], ["1000PEPE", "PEPE"], [("PEPEUSDT", "PEPEUSDT", 1)]),
        (["PEPE"], ["1000000PEPE", "1000PEPE"], [("1000PEPEUSDT", "PEPEUSDT", 1000)]),
        (["AAA", "BBB"], ["BBB", "CCC"], [("BBBUSDT", "BBBUSDT", 1)]),
        (["AAA"], ["1000AA"], []),
        ([], ["AAA"], []),
    ],
)
def test_a_pair_has_the_contract_on_its_coin(
    pairs: list[str], listed: list[str], expected: list[tuple[str, str, int]]
) -> None:
    assert chosen(pairs, *(perpetual(base) for base in listed)) == expected


def test_of_two_bundles_the_one_that_trades_is_taken() -> None:
    halted = perpetual("1000PEPE", status="SETTLING")
    found = chosen(["PEPE"], halted, perpetual("1000000PEPE"))
    assert found == [("1000000PEPEUSDT", "PEPEUSDT", 1_000_000)]
    assert chosen(["PEPE"], halted) == [("1000PEPEUSDT", "PEPEUSDT", 1000)], "the gate says what is wrong"


def test_only_the_quote_asset_of_the_account_counts() -> None:
    other = perpetual("AAA", symbol="AAAUSDC", quote="USDC")
    assert chosen(["AAA"], other) == []


def test_a_contract_that_is_held_comes_last_and_never_stands_in_for_the_followed_one() -> None:
    listed = (perpetual("1000PEPE"), perpetual("1000000PEPE"), perpetual("AAA"), perpetual("ZZZ"))
    found = chosen(["PEPE", "ZZZ"], *listed, held=["1000000PEPEUSDT", "AAAUSDT", "ZZZUSDT", "GONEUSDT"])
    assert found == [
        ("1000PEPEUSDT", "PEPEUSDT", 1000),
        ("ZZZUSDT", "ZZZUSDT", 1),
        ("1000000PEPEUSDT", "PEPEUSDT", 1_000_000),
        ("AAAUSDT", "AAAUSDT", 1),
    ]


def test_facts_are_those_of_the_moment() -> None:
    late = perpetual("AAA", listed_at_ms=NOON_MS)
    assert chosen(["AAA"], late, at_ms=NOON_MS - 1) == []
    assert chosen(["AAA"], late) == [("AAAUSDT", "AAAUSDT", 1)]
    gone = perpetual("BBB", delisted_at_ms=NOON_MS)
    assert chosen(["BBB"], gone, at_ms=NOON_MS - 1) == [("BBBUSDT", "BBBUSDT", 1)]
    assert chosen(["BBB"], gone) == chosen(["BBB"], gone, at_ms=end_ms(DAY) - 1) == []
