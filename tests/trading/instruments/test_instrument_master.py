"""The master agrees with a naive reading of the facts at every moment, and survives its own storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.market_data.binance import parse_instruments
from trading.errors import BadData
from trading.instruments import rows as instrument_rows
from trading.instruments.corrections import REQUIRED, Correction, unmatched
from trading.instruments.master import FIRST_MS, DatedInstrument, build
from trading.instruments.rows import SCHEMA, build_rows, instruments_of, rows_at, to_rows, venue_facts
from trading.model.days import end_ms, start_ms
from trading.model.instrument import Instrument, MarginBracket
from trading.model.series import Market
from warehouse.datasets.instruments import INSTRUMENTS
from warehouse.lake.validation import validated

DAY = date(2024, 3, 10)
BEGIN, END = start_ms(DAY), end_ms(DAY)
HOUR = 3_600_000
ON_THE_DAY = BEGIN + 12 * HOUR
AFTER_THE_DAY = END + 30 * 24 * HOUR

BRACKETS = (
    MarginBracket(Decimal(0), Decimal(50_000), 125, Decimal("0.004"), Decimal(0)),
    MarginBracket(Decimal(50_000), Decimal("1E+6"), 100, Decimal("0.0050"), Decimal(50)),
)


def coin(symbol: str = "AUSDT", **changes: Any) -> Instrument:
    plain = Instrument(
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick_size=Decimal("0.01"),
        lot_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(0),
        min_notional=Decimal(5),
        underlying=symbol.removesuffix("USDT"),
    )
    return replace(plain, **changes)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# Hours around the day, its two midnights among them, so that bounds often meet.
moments = st.one_of(st.none(), st.integers(-30, 60).map(lambda hour: BEGIN + hour * HOUR))
markets = st.sampled_from(Market)
symbols = st.sampled_from(("AUSDT", "BUSDT"))
amounts = st.decimals("0.000001", "1000", places=6)
instruments = st.builds(
    coin,
    symbols,
    market=markets,
    listed_at_ms=moments,
    delisted_at_ms=moments,
    tick_size=amounts,
    status=st.sampled_from(("TRADING", "BREAK")),
    brackets=st.sampled_from(((), BRACKETS)),
    maker_fee_bps=st.one_of(st.none(), amounts),
    funding_interval_hours=st.sampled_from((None, 4, 8)),
    multiplier=st.sampled_from((1, 1000)),
)
changed = st.fixed_dictionaries(
    {},
    optional={
        "tick_size": amounts,
        "status": st.sampled_from(("TRADING", "HALT")),
        "listed_at_ms": moments.filter(bool),
        "delisted_at_ms": moments.filter(bool),
        "brackets": st.just(BRACKETS),
    },
)
whole = st.builds(lambda symbol: {name: getattr(coin(symbol), name) for name in REQUIRED}, symbols)


@st.composite
def corrections_of(draw: st.DrawFn) -> Correction:
    changes = draw(changed) | draw(st.one_of(st.just({}), st.just({}), whole))
    first, last = sorted((draw(moments), draw(moments)), key=lambda moment: (moment is None, moment))
    return Correction(draw(markets), draw(symbols), tuple(changes.items()), "test", first, last)


corrections_lists = st.lists(corrections_of(), max_size=5)
venues = st.lists(instruments, max_size=4, unique_by=lambda item: (item.market, item.symbol))


def naive(fact: Instrument | None, corrections: Sequence[Correction], moment: int) -> Instrument | None:
    """What an instrument is at a moment, read off the facts one by one."""
    found = fact
    for item in corrections:
        if item.from_ms is not None and moment < item.from_ms:
            continue
        if item.to_ms is not None and moment >= item.to_ms:
            continue
        changes = dict(item.changes)
        if found is not None:
            found = replace(found, **changes)
        elif all(name in changes for name in REQUIRED):
            found = Instrument(symbol=item.symbol, market=item.market, **changes)
    if found is None or moment < (found.listed_at_ms or FIRST_MS):
        return None
    if found.delisted_at_ms is not None and moment >= found.delisted_at_ms:
        return None
    if found.delisted_at_ms is not None and found.delisted_at_ms >= END:
        found = replace(found, delisted_at_ms=None)
    return replace(found, underlying=found.underlying or found.base)


@settings(max_examples=100, deadline=None)
@given(venues, corrections_lists)
def test_a_lookup_at_any_moment_is_the_naive_reading(
    venue: list[Instrument], corrections: list[Correction]
) -> None:
    rows = build_rows(DAY, venue, corrections, stated_at_ms=ON_THE_DAY)
    facts = {(item.market, item.symbol): item for item in venue}
    times = (rows["valid_from"].dt.epoch("ms"), rows["valid_to"].dt.epoch("ms").drop_nulls())
    bounds = {bound for column in times for bound in column if BEGIN < bound < END}
    for moment in sorted({*range(BEGIN, END, 4 * HOUR), *bounds, *(bound - 1 for bound in bounds)}):
        for market in Market:
            of_market = {symbol: facts.get((market, symbol)) for symbol in ("AUSDT", "BUSDT")}
            expected = {
                symbol: found
                for symbol, fact in of_market.items()
                if (
                    found := naive(
                        fact, [c for c in corrections if (c.market, c.symbol) == (market, symbol)], moment
                    )
                )
            }
            assert instruments_of(rows, moment, market) == expected


@settings(max_examples=100, deadline=None)
@given(venues, corrections_lists)
def test_validity_never_overlaps_and_the_partition_keeps_its_declaration(
    venue: list[Instrument], corrections: list[Correction]
) -> None:
    dated = build(DAY, venue, corrections, stated_at_ms=ON_THE_DAY)
    assert validated(INSTRUMENTS, DAY, to_rows(dated)).height == len(dated)
    spans: dict[tuple[Market, str], list[DatedInstrument]] = {}
    for row in dated:
        spans.setdefault((row.instrument.market, row.instrument.symbol), []).append(row)
    for rows in spans.values():
        lasting = [row for row in rows if row.valid_from_ms != row.valid_to_ms]
        for row in lasting:
            assert row.valid_from_ms < END
            assert row.valid_to_ms is None or BEGIN < row.valid_to_ms < END
        for before, after in pairwise(lasting):
            assert before.valid_to_ms is not None
            assert before.valid_to_ms <= after.valid_from_ms
        hidden = [row for row in rows if row not in lasting]
        assert len(hidden) <= 1
        assert all(row.origin == "venue" for row in hidden)


@settings(max_examples=100, deadline=None)
@given(venues, venues, corrections_lists, corrections_lists, st.sampled_from((ON_THE_DAY, AFTER_THE_DAY)))
def test_a_rebuild_keeps_the_facts_and_takes_the_corrections_anew(
    venue: list[Instrument],
    later_venue: list[Instrument],
    corrections: list[Correction],
    other_corrections: list[Correction],
    stated_at_ms: int,
) -> None:
    first = build_rows(DAY, venue, corrections, stated_at_ms=stated_at_ms)
    again = build_rows(DAY, venue, corrections, stated_at_ms=AFTER_THE_DAY, stored=first)
    assert again.equals(first)
    stored = {(item.market, item.symbol) for item in venue_facts(first)}
    corrected = {(item.market, item.symbol) for item in corrections}
    # Only instruments that corrections alone bring into the day still depend on what the venue says.
    later = [
        item
        for item in later_venue
        if item.market in {market for market, _ in stored}
        and ((item.market, item.symbol) in stored or (item.market, item.symbol) not in corrected)
    ]
    later += [item for item in venue if (item.market, item.symbol) in corrected - stored]
    assert build_rows(DAY, later, corrections, stated_at_ms=AFTER_THE_DAY, stored=first).equals(first)
    anew = build_rows(DAY, venue, other_corrections, stated_at_ms=stated_at_ms)
    assert anew.equals(build_rows(DAY, venue, other_corrections, stated_at_ms=stated_at_ms, stored=first))


@settings(max_examples=100, deadline=None)
@given(venues, corrections_lists)
def test_what_comes_after_the_day_leaves_no_trace(
    venue: list[Instrument], corrections: list[Correction]
) -> None:
    rows = build_rows(DAY, venue, corrections, stated_at_ms=ON_THE_DAY)
    before_end = [item for item in corrections if item.from_ms is None or item.from_ms < END]
    cut = [replace(c, to_ms=None) if c.to_ms is not None and c.to_ms >= END else c for c in before_end]
    open_ended = [
        replace(item, delisted_at_ms=None) if (item.delisted_at_ms or 0) >= END else item for item in venue
    ]
    assert build_rows(DAY, open_ended, cut, stated_at_ms=ON_THE_DAY).equals(rows)


@given(st.lists(instruments, min_size=1, max_size=3))
def test_instruments_survive_storage_exactly(found: list[Instrument]) -> None:
    dated = [DatedInstrument(item, BEGIN + n, None, "venue") for n, item in enumerate(found)]
    rows = to_rows(dated)
    assert dict(rows.schema) == INSTRUMENTS.schema == SCHEMA
    for row, item in zip(rows.iter_slices(1), found, strict=True):
        assert list(instruments_of(row, END, item.market).values()) == [item]
    scaled = [replace(item, tick_size=item.tick_size.normalize()) for item in found]
    same = [DatedInstrument(item, BEGIN + n, None, "venue") for n, item in enumerate(scaled)]
    assert to_rows(same).equals(rows), "equal values have one text"


def test_texts_are_plain_and_brackets_name_their_fields() -> None:
    item = coin(tick_size=Decimal("1E-8"), max_quantity=Decimal("9E+3"), brackets=BRACKETS[1:])
    row = to_rows([DatedInstrument(item, BEGIN, None, "venue")]).row(0, named=True)
    assert (row["tick_size"], row["max_quantity"], row["min_notional"]) == ("0.00000001", "9000", "5")
    assert row["brackets"] == (
        '[{"cap_notional":"1000000","floor_notional":"50000","maintenance_amount":"50",'
        '"maintenance_fraction":"0.005","max_leverage":100}]'
    )


def test_a_correction_clips_the_row_before_it() -> None:
    cut = Correction(Market.SPOT, "AUSDT", (("tick_size", Decimal("0.001")),), "test", ON_THE_DAY)
    old, new = build(DAY, [coin()], [cut], stated_at_ms=ON_THE_DAY)
    assert (old.valid_from_ms, old.valid_to_ms, old.origin) == (FIRST_MS, ON_THE_DAY, "venue")
    assert (new.valid_from_ms, new.valid_to_ms, new.origin) == (ON_THE_DAY, None, "correction")
    assert (old.instrument, new.instrument.tick_size) == (coin(), Decimal("0.001"))


def test_what_the_venue_said_stays_behind_a_correction_that_hides_it() -> None:
    always = Correction(Market.SPOT, "AUSDT", (("tick_size", Decimal("0.001")),), "test")
    rows = build_rows(DAY, [coin()], [always], stated_at_ms=ON_THE_DAY)
    assert rows["origin"].to_list() == ["correction", "venue"]
    assert venue_facts(rows) == [coin()]
    assert rows_at(rows, END - 1)["tick_size"].to_list() == ["0.001"]
    later = [coin(tick_size=Decimal(7)), coin("NEWUSDT")]
    rebuilt = build_rows(DAY, later, [], stated_at_ms=AFTER_THE_DAY, stored=rows)
    assert instruments_of(rebuilt, BEGIN) == {"AUSDT": coin()}


def test_a_later_status_says_nothing_of_the_day() -> None:
    broken = coin(status="BREAK")
    on_the_day = build(DAY, [broken], [], stated_at_ms=END - 1)
    afterwards = build(DAY, [broken, coin("BUSDT")], [], stated_at_ms=END)
    assert [row.instrument.status for row in on_the_day] == ["BREAK"]
    assert [row.instrument.status for row in afterwards] == ["UNKNOWN", "TRADING"]
    kept = build(DAY, [coin()], [], stated_at_ms=END, stored=[row.instrument for row in on_the_day])
    assert [row.instrument.status for row in kept] == ["BREAK"]


def test_a_market_that_was_not_stored_is_taken_from_the_venue() -> None:
    stored = build_rows(DAY, [coin()], [], stated_at_ms=ON_THE_DAY)
    perpetual = coin("BUSDT", market=Market.USDM)
    rows = build_rows(DAY, [perpetual, coin("CUSDT")], [], stated_at_ms=AFTER_THE_DAY, stored=stored)
    assert list(instruments_of(rows, BEGIN, Market.USDM)) == ["BUSDT"]
    assert list(instruments_of(rows, BEGIN)) == ["AUSDT"]


def test_an_instrument_that_the_venue_dropped_lives_in_its_correction() -> None:
    facts = tuple((name, getattr(coin("GONEUSDT"), name)) for name in REQUIRED)
    gone = Correction(Market.SPOT, "GONEUSDT", (*facts, ("delisted_at_ms", ON_THE_DAY)), "test")
    rows = build_rows(DAY, [coin()], [gone], stated_at_ms=AFTER_THE_DAY)
    assert set(instruments_of(rows, ON_THE_DAY - 1)) == {"AUSDT", "GONEUSDT"}
    assert set(instruments_of(rows, ON_THE_DAY)) == {"AUSDT"}
    day_after = build_rows(DAY + timedelta(days=1), [coin()], [gone], stated_at_ms=AFTER_THE_DAY)
    assert day_after["symbol"].to_list() == ["AUSDT"]


def test_one_symbol_may_be_two_coins() -> None:
    corrections = [
        Correction(
            *(Market.SPOT, "LUNAUSDT", (("delisted_at_ms", ms("2022-05-13T00:40:00")),), "collapse"),
            to_ms=ms("2022-05-31T06:00:00"),
        ),
        Correction(
            *(Market.SPOT, "LUNAUSDT", (("listed_at_ms", ms("2022-05-31T06:00:00")),), "new chain"),
            from_ms=ms("2022-05-31T06:00:00"),
        ),
    ]

    def listed(at: str) -> bool:
        rows = build_rows(
            date.fromisoformat(at[:10]), [coin("LUNAUSDT")], corrections, stated_at_ms=AFTER_THE_DAY
        )
        return "LUNAUSDT" in instruments_of(rows, ms(at))

    assert [
        listed(at)
        for at in (
            *("2022-05-12T00:00:00", "2022-05-13T00:39:59", "2022-05-13T00:40:00", "2022-05-20T00:00:00"),
            *("2022-05-31T05:59:59", "2022-05-31T06:00:00", "2023-01-01T00:00:00"),
        )
    ] == [True, True, False, False, False, True, True]


def test_a_symbol_named_twice_is_refused() -> None:
    with pytest.raises(BadData, match=r"AUSDT \(spot\) comes twice"):
        build(DAY, [coin(), coin()], [], stated_at_ms=ON_THE_DAY)


def test_corrections_without_effect_are_told() -> None:
    misspelt = Correction(Market.SPOT, "AUSTD", (("tick_size", Decimal(1)),), "test")
    facts = tuple((name, getattr(coin("GONEUSDT"), name)) for name in REQUIRED)
    whole_one = Correction(Market.SPOT, "GONEUSDT", facts, "test")
    partial = Correction(Market.SPOT, "GONEUSDT", (("status", "TRADING"),), "test")
    (warning,) = unmatched([misspelt, whole_one, partial], [coin()])
    assert "AUSTD (spot) have no effect" in warning
    assert "the nearest is AUSDT" in warning
    # On the other market nothing of that name is listed.
    assert len(unmatched([replace(misspelt, symbol="AUSDT", market=Market.USDM)], [coin()])) == 1


def test_the_recorded_exchange_infos_become_the_master(shared: Path) -> None:
    folder = shared / "fixtures/binance/nautilus_py/http_responses"
    spot = parse_instruments.spot(
        parse_instruments.exchange_info((folder / "http_spot_market_exchange_info.json").read_bytes())
    )
    futures = parse_instruments.usdm(
        parse_instruments.exchange_info((folder / "http_futures_market_exchange_info.json").read_bytes()), {}
    )
    rows = build_rows(DAY, [*spot, *futures], [], stated_at_ms=ON_THE_DAY)
    assert list(instruments_of(rows, BEGIN).values()) == spot
    assert list(instruments_of(rows, BEGIN, Market.USDM).values()) == futures
    assert list(instruments_of(rows, BEGIN, symbols=["ETHUSDT"])) == ["ETHUSDT"]
    assert instruments_of(rows, FIRST_MS - 1) == {}
    # Futures say when they were listed: both perpetuals of the recording on 2019-09-25.
    assert build_rows(date(2019, 9, 24), futures, [], stated_at_ms=ON_THE_DAY).is_empty()
    first_day = build_rows(date(2019, 9, 25), futures, [], stated_at_ms=ON_THE_DAY)
    assert first_day["symbol"].to_list() == ["BTCUSDT", "ETHUSDT"]


def test_every_fact_of_an_instrument_is_stored() -> None:
    times = {"listed_at_ms": "listed_at", "delisted_at_ms": "delisted_at"}
    names = {times.get(field.name, field.name) for field in fields(Instrument)}
    assert names | {"valid_from", "valid_to", "origin"} == set(instrument_rows.SCHEMA)
    assert isinstance(rows_at(pl.DataFrame(schema=SCHEMA), BEGIN), pl.DataFrame)
