"""Snapshots survive storage without loss, and their id is their content."""

import json
import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import NAN, position, snapshot, view
from trading.errors import BadData
from trading.model.instrument import Instrument
from trading.model.snapshot import Controls, PaperStrategy, Portfolio, Position, Snapshot, SymbolView
from trading.model.snapshot_codec import from_json, is_intact, seal, snapshot_id, to_json

texts = st.text(max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(
    allow_nan=False, allow_infinity=False, places=18, min_value=-(10**20), max_value=10**20
)
ints = st.integers(-(2**60), 2**60)
tables = st.dictionaries(texts, floats, max_size=2)
views = st.builds(
    SymbolView,
    symbol=texts,
    close=floats,
    bar_close_ms=ints,
    spread_bps=floats,
    quote_volume_24h=floats,
    fork_score=floats,
    fork_adjusted=floats,
    fork_passed=st.booleans(),
    rating_tag=texts,
    confidence=floats,
    confidence_model=texts,
    confidence_expires_ms=ints,
    ratings=tables,
    indicators=tables,
    fork_components=tables,
)
genomes = st.dictionaries(texts, st.one_of(floats, ints, texts), max_size=3)
strategies = st.builds(PaperStrategy, texts, genomes, st.tuples(texts), st.tuples(texts, texts))
positions = st.builds(Position, texts, texts, texts, decimals, decimals, ints, decimals)
portfolios = st.builds(
    Portfolio,
    decimals,
    st.lists(positions, max_size=2).map(tuple),
    decimals,
    st.none() | decimals,
    st.lists(texts, max_size=2).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    decimals,
)
instruments = st.builds(
    Instrument, texts, texts, texts, decimals, decimals, decimals, decimals, decimals, st.none() | ints, texts
)
snapshots = st.builds(
    Snapshot,
    texts,
    texts,
    ints,
    ints,
    texts,
    st.dictionaries(texts, views, max_size=2),
    st.lists(strategies, max_size=2).map(tuple),
    st.dictionaries(texts, instruments, max_size=2),
    portfolios,
    st.builds(Controls, st.booleans(), texts, ints),
    texts,
    st.dictionaries(texts, texts, max_size=2),
)


@given(snapshots)
@settings(max_examples=60, deadline=None)
def test_every_snapshot_reads_back_equal_and_to_the_same_bytes(original: Snapshot) -> None:
    text = to_json(original)
    restored = from_json(text)
    assert restored == original
    assert to_json(restored) == text
    assert snapshot_id(restored) == snapshot_id(original)


def test_missing_numbers_are_null_in_the_text_and_nan_again_when_read() -> None:
    original = snapshot(view(close=NAN, confidence=NAN, ratings={"4h": NAN}))
    text = to_json(original)
    assert "NaN" not in text
    assert json.loads(text)["symbols"]["AAAUSDT"]["ratings"] == {"4h": None}
    restored = from_json(text).symbols["AAAUSDT"]
    assert math.isnan(restored.close)
    assert math.isnan(restored.confidence)
    assert math.isnan(restored.ratings["4h"])


def test_a_decimal_of_forty_digits_loses_nothing() -> None:
    exact = Decimal("12345678901234567890.12345678901234567891")
    original = snapshot(portfolio={"cash": exact})
    assert json.loads(to_json(original))["portfolio"]["cash"] == str(exact)
    assert from_json(to_json(original)).portfolio.cash == exact


@pytest.mark.parametrize(
    ("written", "text"), [("1.50", "1.5"), ("1E+3", "1000"), ("-0.0", "0"), ("100", "100"), ("0.010", "0.01")]
)
def test_equal_amounts_have_one_text(written: str, text: str) -> None:
    original = snapshot(portfolio={"cash": Decimal(written)})
    assert json.loads(to_json(original))["portfolio"]["cash"] == text


def test_the_id_covers_everything_but_itself() -> None:
    original = seal(snapshot(portfolio={"positions": (position(),)}))
    assert original.snapshot_id == snapshot_id(replace(original, snapshot_id="other"))
    assert is_intact(from_json(to_json(original)))
    changes = [
        {"taken_at_ms": original.taken_at_ms + 1},
        {"btc_condition": "bearish"},
        {"symbols": {"AAAUSDT": view(close=100.0000001)}},
        {"portfolio": replace(original.portfolio, pending_buy_amount=Decimal("0.01"))},
        {"controls": Controls(halted=True)},
        {"sources": {"klines/date=2026-03-01": "00"}},
    ]
    for change in changes:
        assert not is_intact(replace(original, **change)), change


def test_a_whole_number_in_a_float_field_gives_the_same_id() -> None:
    assert snapshot_id(snapshot(view(close=100))) == snapshot_id(snapshot(view(close=100.0)))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.pop("tick_id"), "snapshot: unknown fields [], missing fields ['tick_id']"),
        (lambda c: c.update(extra=1), "unknown fields ['extra']"),
        (lambda c: c["portfolio"].update(cash="ten"), "snapshot.portfolio.cash"),
        (lambda c: c["portfolio"].update(cash=10.5), "snapshot.portfolio.cash: expected Decimal, found 10.5"),
        (lambda c: c["symbols"]["AAAUSDT"].update(fork_passed=1), "fork_passed: expected bool, found 1"),
        (lambda c: c.update(bar_close_ms=None), "snapshot.bar_close_ms: expected int, found None"),
        (lambda c: c.update(controls=[]), "snapshot.controls: expected an object"),
    ],
)
def test_a_damaged_text_is_refused_with_the_path_of_the_field(edit, message: str) -> None:
    content = json.loads(to_json(snapshot()))
    edit(content)
    with pytest.raises(BadData) as caught:
        from_json(json.dumps(content))
    assert message in str(caught.value)


def test_no_json_and_infinite_values_are_refused() -> None:
    with pytest.raises(BadData, match="not JSON"):
        from_json("{")
    with pytest.raises(BadData, match=r"close: inf is infinite"):
        to_json(snapshot(view(close=math.inf)))
    with pytest.raises(BadData, match=r"portfolio\.cash: NaN"):
        to_json(snapshot(portfolio={"cash": Decimal("NaN")}))
