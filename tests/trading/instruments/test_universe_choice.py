"""The universe follows from what was known before the day, and every pair has its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.instruments.settings import UniverseSettings
from trading.instruments.universe import SCHEMA, choose, with_listings
from trading.model.days import end_ms, start_ms
from trading.model.instrument import Instrument
from warehouse.datasets.instruments import UNIVERSE
from warehouse.lake.validation import validated

DAY = date(2024, 3, 10)
BEFORE = DAY - timedelta(days=1)
MILLION = 1_000_000.0


def pair(symbol: str, quote: str = "USDT", **changes: Any) -> Instrument:
    plain = Instrument(
        *(symbol, symbol.removesuffix(quote), quote, Decimal("0.01"), Decimal("0.001")),
        *(Decimal("0.001"), Decimal(0), Decimal(5)),
    )
    return replace(plain, **changes)


def listing(*symbols: str) -> dict[str, Instrument]:
    return {symbol: pair(symbol) for symbol in symbols}


def traded(volumes: dict[str, float | None], day: date = BEFORE) -> pl.DataFrame:
    rows = [(symbol, day, volume) for symbol, volume in volumes.items()]
    schema = {"symbol": pl.String, "day": pl.Date, "quote_volume": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def chosen(
    instruments: dict[str, Instrument],
    volumes: dict[str, float | None],
    *,
    held: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
    **settings: Any,
) -> pl.DataFrame:
    return choose(DAY, instruments, traded(volumes), UniverseSettings(**settings), known=known, held=held)


def reasons(rows: pl.DataFrame) -> dict[str, str]:
    return dict(zip(rows["symbol"], rows["reason"], strict=True))


def followed(rows: pl.DataFrame) -> list[str]:
    return rows.filter(pl.col("followed"))["symbol"].to_list()


def test_every_reason_on_one_page() -> None:
    instruments = listing(
        *("BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT", "DOTUSDT", "XMRUSDT"),
        *("USDCUSDT", "EURUSDT", "WBTCUSDT", "BTCUPUSDT"),
    )
    instruments["HALTUSDT"] = pair("HALTUSDT", status="HALT")
    volumes = {
        "BTCUSDT": 900 * MILLION,
        "ETHUSDT": 500 * MILLION,
        "SOLUSDT": 80 * MILLION,
        "ADAUSDT": 9 * MILLION,
        "DOTUSDT": 2.9 * MILLION,
        "USDCUSDT": 999 * MILLION,
        "EURUSDT": 50 * MILLION,
        "WBTCUSDT": 50 * MILLION,
        "BTCUPUSDT": 50 * MILLION,
        "HALTUSDT": 60 * MILLION,
    }
    rows = chosen(instruments, volumes, max_symbols=2, held=("DOTUSDT",), reference="ADAUSDT")
    assert reasons(rows) == {
        "ADAUSDT": "reference",
        "BTCUPUSDT": "leveraged",
        "BTCUSDT": "volume",
        "DOTUSDT": "held",
        "ETHUSDT": "volume",
        "EURUSDT": "fiat",
        "HALTUSDT": "not_trading",
        "SOLUSDT": "beyond_max_symbols",
        "USDCUSDT": "stable",
        "WBTCUSDT": "wrapped",
        "XMRUSDT": "volume_unknown",
    }
    assert followed(rows) == ["ADAUSDT", "BTCUSDT", "DOTUSDT", "ETHUSDT"]
    ranks = dict(zip(rows["symbol"], rows["rank"], strict=True))
    assert (ranks["USDCUSDT"], ranks["BTCUSDT"], ranks["ETHUSDT"], ranks["XMRUSDT"]) == (1, 2, 3, None)
    assert reasons(chosen(instruments, volumes))["DOTUSDT"] == "low_volume"


def test_the_rows_keep_the_declaration_of_the_dataset() -> None:
    moment = int(datetime(2024, 3, 9, 6, tzinfo=UTC).timestamp() * 1000)
    instruments = listing("BTCUSDT") | {
        "NEWUSDT": pair("NEWUSDT", listed_at_ms=moment, delisted_at_ms=moment + 86_400_000)
    }
    rows = chosen(instruments, {"NEWUSDT": 4 * MILLION, "BTCUSDT": None})
    assert dict(rows.schema) == UNIVERSE.schema == SCHEMA
    assert validated(UNIVERSE, DAY, rows).equals(rows)
    # A pair listed during the day before counts with what it traded.
    new = rows.filter(pl.col("symbol") == "NEWUSDT").row(0, named=True)
    assert (new["reason"], new["quote_volume_24h"]) == ("volume", 4 * MILLION)
    assert new["listed_at"] == datetime(2024, 3, 9, 6, tzinfo=UTC)
    assert new["delisted_at"] == datetime(2024, 3, 10, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("JUP", "volume"),
        ("SYRUP", "volume"),
        ("SUP", "volume"),
        ("PUMPBULL", "volume"),
        ("1INCHDOWN", "leveraged"),
        ("ETHBEAR", "leveraged"),
        ("BEAR", "leveraged"),
        ("EUR", "fiat"),
        ("EURC", "volume"),
        ("BTCST", "volume"),
        ("WBETH", "wrapped"),
        ("FDUSD", "stable"),
        ("USTC", "volume"),
    ],
)
def test_kinds_of_base_assets_are_matched_whole(base: str, reason: str) -> None:
    instruments = listing("BTCUSDT", "ETHUSDT", "1INCHUSDT", "SUSDT", f"{base}USDT")
    rows = chosen(instruments, {f"{base}USDT": 5 * MILLION})
    assert reasons(rows)[f"{base}USDT"] == reason


def test_a_contract_is_judged_by_the_coin_behind_it() -> None:
    instruments = listing("BTCUSDT") | {"1000USTUSDT": pair("1000USTUSDT", underlying="UST", multiplier=1000)}
    assert reasons(chosen(instruments, {"1000USTUSDT": 5 * MILLION}))["1000USTUSDT"] == "stable"


def test_configured_pairs_are_exactly_the_universe() -> None:
    instruments = listing("BTCUSDT", "ETHUSDT", "USDCUSDT", "ADAUSDT", "DOTUSDT")
    instruments["HALTUSDT"] = pair("HALTUSDT", status="BREAK")
    volumes = {"ETHUSDT": 500 * MILLION, "USDCUSDT": 1.0}
    symbols = ("USDCUSDT", "HALTUSDT", "LATERUSDT")
    rows = chosen(instruments, volumes, symbols=symbols, held=("ADAUSDT",), known=("LATERUSDT",))
    assert followed(rows) == ["ADAUSDT", "BTCUSDT", "USDCUSDT"]
    assert reasons(rows) == {
        "ADAUSDT": "held",
        "BTCUSDT": "reference",
        "DOTUSDT": "not_configured",
        "ETHUSDT": "not_configured",
        "HALTUSDT": "not_trading",
        "LATERUSDT": "not_trading",
        "USDCUSDT": "configured",
    }
    assert reasons(chosen(instruments, volumes, symbols=("BTCUSDT",)))["BTCUSDT"] == "configured"


def test_what_is_held_stays_in_sight_while_the_venue_lists_it() -> None:
    instruments = listing("BTCUSDT", "ETHUSDT") | {
        "HALTUSDT": pair("HALTUSDT", status="BREAK"),
        "ETHBTC": pair("ETHBTC", "BTC"),
    }
    rows = chosen(instruments, {}, held=("HALTUSDT", "ETHBTC", "GONEUSDT"))
    assert reasons(rows) | {"ETHUSDT": ""} == {
        "BTCUSDT": "reference",
        "ETHBTC": "held",
        "ETHUSDT": "",
        "GONEUSDT": "not_trading",
        "HALTUSDT": "held",
    }
    gone = rows.filter(pl.col("symbol") == "GONEUSDT").row(0, named=True)
    assert (gone["base"], gone["quote"], gone["followed"]) == ("GONE", "USDT", False)


def test_a_status_that_is_not_known_is_decided_by_the_trades() -> None:
    instruments = listing("BTCUSDT") | {
        "OLDUSDT": pair("OLDUSDT", status="UNKNOWN"),
        "DEADUSDT": pair("DEADUSDT", status="UNKNOWN"),
    }
    rows = chosen(instruments, {"OLDUSDT": 5 * MILLION})
    assert (reasons(rows)["OLDUSDT"], reasons(rows)["DEADUSDT"]) == ("volume", "volume_unknown")


def test_ties_go_by_symbol_and_missing_is_not_zero() -> None:
    instruments = listing("BTCUSDT", "CUSDT", "AUSDT", "BUSDT", "NUSDT")
    volumes: dict[str, float | None] = dict.fromkeys(("CUSDT", "BUSDT", "AUSDT"), 5 * MILLION)
    rows = chosen(instruments, volumes | {"NUSDT": float("nan")}, max_symbols=2)
    assert followed(rows) == ["AUSDT", "BTCUSDT", "BUSDT"]
    unknown = rows.filter(pl.col("symbol") == "NUSDT").row(0, named=True)
    assert (unknown["reason"], unknown["quote_volume_24h"]) == ("volume_unknown", None)
    assert reasons(chosen(instruments, {"NUSDT": 0.0}))["NUSDT"] == "low_volume"
    assert reasons(chosen(instruments, {"NUSDT": 3 * MILLION}))["NUSDT"] == "volume"


symbols = st.sampled_from(("AUSDT", "BUSDT", "CUSDT", "USDCUSDT", "BTCUSDT"))
days = st.integers(-3, 3).map(lambda offset: DAY + timedelta(days=offset))


@given(
    st.dictionaries(st.tuples(symbols, days), st.floats(0, 1e9), max_size=20),
    st.dictionaries(st.tuples(symbols, days), st.floats(0, 1e9), max_size=20),
    st.integers(1, 3),
)
def test_only_the_day_before_decides(
    volumes: dict[tuple[str, date], float], others: dict[tuple[str, date], float], max_symbols: int
) -> None:
    """The truncation test: volumes of the day, of later and of earlier days change nothing."""
    instruments = listing("AUSDT", "BUSDT", "CUSDT", "USDCUSDT", "BTCUSDT")
    settings = UniverseSettings(max_symbols=max_symbols)

    def universe(given_volumes: dict[tuple[str, date], float]) -> pl.DataFrame:
        rows = [(symbol, day, volume) for (symbol, day), volume in given_volumes.items()]
        schema = {"symbol": pl.String, "day": pl.Date, "quote_volume": pl.Float64}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return choose(DAY, instruments, frame, settings, known=())

    before = {key: volume for key, volume in volumes.items() if key[1] == BEFORE}
    elsewhere = {key: volume for key, volume in others.items() if key[1] != BEFORE}
    expected = universe(before)
    assert universe(before | elsewhere).equals(expected)
    assert universe(volumes).equals(expected)
    by_volume = expected.filter(pl.col("reason") == "volume")
    assert by_volume.height <= max_symbols
    if before:
        largest = max(sorted(before.items()), key=lambda item: item[1])[1]
        assert expected.filter(pl.col("rank") == 1)["quote_volume_24h"].to_list() == [largest]


def test_misspelt_symbols_name_the_nearest() -> None:
    instruments = listing("BTCUSDT", "ETHUSDT") | {"ETHBTC": pair("ETHBTC", "BTC")}
    with pytest.raises(FixConfiguration, match=r"no symbol 'ETHUSD'; the nearest is ETHUSDT"):
        chosen(instruments, {}, symbols=("ETHUSD",))
    with pytest.raises(FixConfiguration, match=r"no symbol 'BCTUSDT'; the nearest is BTCUSDT"):
        chosen(instruments, {}, reference="BCTUSDT")
    with pytest.raises(FixConfiguration, match=r"ETHBTC is quoted in BTC, not in USDT"):
        chosen(instruments, {}, symbols=("ETHBTC",))
    with pytest.raises(FixConfiguration, match=r"reference SOLUSDT is not listed on 2024-03-10"):
        chosen(instruments, {}, reference="SOLUSDT", known=("SOLUSDT",))


def test_two_volumes_of_one_pair_are_refused() -> None:
    twice = pl.concat([traded({"ETHUSDT": 1.0}), traded({"ETHUSDT": 2.0})])
    with pytest.raises(BadData, match=r"ETHUSDT has two rows on 2024-03-09"):
        choose(DAY, listing("BTCUSDT", "ETHUSDT"), twice, UniverseSettings(), known=())


def test_listings_that_only_the_source_knows_decide_who_could_be_traded():
    rows = pl.DataFrame(
        [
            {"symbol": symbol, "base": symbol, "quote": "USDT", "followed": followed, "reason": reason}
            for symbol, followed, reason in [
                ("EARLY", True, "configured"),
                ("INSIDE", True, "configured"),
                ("LATER", True, "configured"),
                ("NEVER", True, "reference"),
                ("OTHER", False, "low_volume"),
            ]
        ],
        schema=SCHEMA,
    )
    listed = {
        "EARLY": start_ms(DAY) - 1,
        "INSIDE": end_ms(DAY) - 1,
        "LATER": end_ms(DAY),
        "NEVER": None,
    }
    found = with_listings(rows, DAY, listed)
    assert found.schema == rows.schema
    assert found.select("symbol", "followed", "reason").rows() == [
        ("EARLY", True, "configured"),
        ("INSIDE", True, "configured"),
        ("LATER", False, "not_trading"),
        ("NEVER", False, "not_trading"),
        ("OTHER", False, "low_volume"),
    ]
    assert found["listed_at"].dt.epoch("ms").to_list() == [*listed.values(), None]
