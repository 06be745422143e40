"""Genomes: one name per content, nothing off the grid, the same day gives the same genomes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.factory.generate import ELITE, generate
from trading.factory.genome import FAMILIES, RsiReversal, from_parameters

EXITS = {"take_profit_fraction": 0.02, "stop_loss_fraction": 0.01, "time_exit_hours": 24}
RSI = RsiReversal(rsi_length=14, oversold=30, overbought=70, **EXITS)


def test_a_genome_survives_json_and_keeps_its_id():
    for genome in generate("2026-03-01", 60):
        again = from_parameters(json.loads(genome.json))
        assert again == genome
        assert again.strategy_id == genome.strategy_id


def test_the_id_is_of_the_content():
    other = RsiReversal(rsi_length=15, oversold=30, overbought=70, **EXITS)
    reordered = from_parameters(dict(reversed(RSI.parameters.items())))
    assert RSI.strategy_id == reordered.strategy_id
    assert RSI.strategy_id != other.strategy_id
    assert len(RSI.strategy_id) == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "astrology"}, "family is 'astrology'"),
        ({"rsi_length": 100}, "rsi_length is 100"),
        ({"rsi_length": 14.5}, "rsi_length is 14.5"),
        ({"take_profit_fraction": 2.0}, "take_profit_fraction is 2.0"),
        ({"oversold": "30"}, "must be a number"),
        ({"oversold": True}, "must be a number"),
        ({"leverage": 3}, "leverage"),
    ],
)
def test_anything_off_the_grid_is_refused(change, message):
    with pytest.raises(BadData, match=message):
        from_parameters(RSI.parameters | change)


@settings(max_examples=20, deadline=None)
@given(seed=st.text(max_size=20), count=st.integers(1, 80))
def test_a_seed_gives_distinct_valid_genomes_and_always_the_same(seed, count):
    genomes = generate(seed, count)
    assert [g.json for g in genomes] == [g.json for g in generate(seed, count)]
    assert len({g.strategy_id for g in genomes}) == count


def test_another_day_gives_other_genomes_of_every_family():
    monday, tuesday = generate("2026-03-02", 100), generate("2026-03-03", 100)
    assert len({g.strategy_id for g in monday} & {g.strategy_id for g in tuesday}) < 5
    assert {g.family for g in monday} == set(FAMILIES)


def test_parents_are_tried_again_and_have_children_near_them():
    parents = generate("parents", 30)
    genomes = generate("2026-03-02", 200, parents)
    assert genomes[:ELITE] == parents[:ELITE]
    assert genomes == generate("2026-03-02", 200, parents)
    assert genomes != generate("2026-03-02", 200)
    one = generate("2026-03-02", 100, [RSI])
    bred = [g for g in one if g.family == RSI.family and g.time_exit_hours == 24]
    assert RSI in one
    assert len(bred) > 20  # a random genome is this near one time in fifteen


def test_more_genomes_than_exist_is_refused(monkeypatch):
    monkeypatch.setattr("trading.factory.generate._random", lambda draw: RSI)
    with pytest.raises(FixConfiguration, match="only 1 distinct"):
        generate("x", 2)
