"""Genomes: canonical form, strict parsing, seeded generation, variation inside the ranges."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.features import FEATURES, RATINGS
from trading.factory.genes.generate import ELITE, generate
from trading.factory.genes.genome import GRIDS, Genome, Rules, Side, Timeframe
from trading.factory.genes.grid import Grid
from trading.factory.genes.holds import holds
from trading.factory.genes.parse import genome as from_parameters
from trading.factory.genes.parse import known, parse
from trading.factory.genes.rules import (
    MAXIMUM_DEPTH,
    MAXIMUM_LEAVES,
    AllOf,
    AnyOf,
    Column,
    Direction,
    Relation,
    Rule,
    Slope,
    Threshold,
    Versus,
    depth,
    leaves,
)
from trading.factory.genes.text import plain_json
from trading.factory.genes.vary import crossed, mutated
from trading.model.canonical import canonical_json, digest

SEEDS = st.integers(0, 2**63)
CLOSE, EMA = Column.of("close"), Column.of("ema", length=50)
OVERSOLD = Threshold(Column.of("rsi", length=14), Relation.CROSSES_ABOVE, 30)
TREND = Versus(CLOSE, Relation.ABOVE, EMA)
FALLS = Slope(CLOSE, Direction.FALLING, 3)


def drawn(seed: int) -> Genome:
    return random_genome(Draw(np.random.default_rng(seed)), tuple(Timeframe))


def example(**changes: Any) -> Genome:
    plain: dict[str, Any] = {
        "timeframe": Timeframe.H1,
        "long": Rules(AllOf((OVERSOLD, TREND)), FALLS),
        "stop_fraction": 0.015,
        "target_fraction": 0.03,
        "trailing_fraction": 0.02,
        "trailing_after_fraction": 0.01,
        "time_exit_hours": 48,
        "size_fraction": 0.05,
        "leverage": 2,
    }
    return Genome(**(plain | changes))


def test_text_is_readable() -> None:
    assert str(example()) == (
        "1h long · long when rsi(14) crosses above 30 and close > ema(50) · leave long when close falling "
        "over 3 · stop 1.50% · target 3.00% · trail 2.00% after 1.00% · out after 48 h · size 5% × 2"
    )


def test_the_stored_form_and_its_name_never_change() -> None:
    """A changed name would turn every stored strategy into another one."""
    one = example(long=Rules(OVERSOLD), trailing_fraction=None, trailing_after_fraction=None)
    assert one.json == (
        '{"leverage":2,"long":{"entry":{"column":{"length":14,"name":"rsi"},"is":"crosses_above","value":30},'
        '"exit":null},"short":null,"size_fraction":0.05,"stop_fraction":0.015,"target_fraction":0.03,'
        '"time_exit_hours":48,"timeframe":"1h","trailing_after_fraction":null,"trailing_fraction":null,"version":2}'
    )
    assert one.strategy_id == "063298c83be064926a758becaa36e81a"


@given(SEEDS)
def test_json_round_trip(seed: int) -> None:
    one = drawn(seed)
    again = parse(one.json)
    assert again == one
    assert (again.json, again.strategy_id, str(again)) == (one.json, one.strategy_id, str(one))


@given(SEEDS)
def test_the_fast_encoding_is_the_canonical_one(seed: int) -> None:
    one = drawn(seed)
    assert one.json == canonical_json(one.parameters)
    assert one.strategy_id == digest("strategy", one.parameters)[:32]


def test_the_fast_encoding_refuses_what_is_not_plain() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            plain_json([value])
    with pytest.raises(TypeError):
        plain_json({"at": object()})


@given(SEEDS)
def test_order_and_number_type_do_not_make_another_genome(seed: int) -> None:
    one = drawn(seed)
    plain = json.loads(one.json, parse_int=float)
    again = from_parameters(shuffled(plain, np.random.default_rng(seed)))
    assert (again, again.json) == (one, one.json)


def shuffled(plain: Any, rng: np.random.Generator) -> Any:
    if isinstance(plain, dict):
        keys = list(plain)
        rng.shuffle(keys)
        return {key: shuffled(plain[key], rng) for key in keys}
    if isinstance(plain, list):
        parts = [shuffled(part, rng) for part in plain]
        return [parts[i] for i in rng.permutation(len(parts))]
    return plain


def spots(plain: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        found += spots(value, (*path, key))
    return found


JUNK = st.one_of(
    st.none(), st.booleans(), st.just(math.nan), st.just(-1), st.just(10**400), st.text(max_size=5),
    st.just([]), st.just({}), st.just({"all": []}),
)  # fmt: skip


@given(SEEDS, st.data(), JUNK)
def test_a_damaged_genome_is_refused_or_is_a_genome(seed: int, data: st.DataObject, junk: Any) -> None:
    """Never another exception, and never a half-read genome: what is accepted is written as it was read."""
    plain = copy.deepcopy(drawn(seed).parameters)
    path = data.draw(st.sampled_from(spots(plain)))
    target = plain
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    try:
        read = from_parameters(plain)
    except BadData:
        return
    assert json.loads(read.json) == json.loads(json.dumps(plain))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1}, "version is 1"),
        ({"timeframe": "3m"}, "timeframe is '3m'"),
        ({"long": None}, "neither long nor short"),
        ({"stop_fraction": None}, "stop_fraction is None"),
        ({"stop_fraction": 0.0151}, "stop_fraction is 0.0151"),
        ({"leverage": True}, "leverage is True"),
        ({"trailing_fraction": None}, "belong together"),
        ({"bonus": 1}, "missing or unknown: ['bonus']"),
        (
            {"long": {"entry": {"column": {"name": "rsi", "length": 14}, "is": "above", "value": 30}}},
            "['exit']",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData) as caught:
        from_parameters(example().parameters | change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Column.of("rsj", length=14), "column is 'rsj'"),
        (lambda: Column.of("rsi"), "missing or unknown: ['length']"),
        (lambda: Column.of("rsi", length=6), "rsi.length is 6"),
        (lambda: Threshold(CLOSE, Relation.ABOVE, 100), "no fixed levels"),
        (lambda: Versus(CLOSE, Relation.ABOVE, Column.of("rsi", length=14)), "only columns of one scale"),
        (lambda: Versus(CLOSE, Relation.ABOVE, CLOSE), "with itself"),
        (lambda: AllOf((TREND, TREND)), "needs two or more"),
        (lambda: Slope(CLOSE, Direction.RISING, 13), "13"),
    ],
)
def test_nonsense_cannot_be_built(build: Any, message: str) -> None:
    with pytest.raises(BadData) as caught:
        build()
    assert message in str(caught.value)


def test_text_that_is_not_json_and_repeated_fields_are_refused() -> None:
    for text in ("", "[1", "[" * 100_000, '{"version":2,"version":2}'):
        with pytest.raises(BadData):
            parse(text)


def test_equal_rules_are_one_whatever_their_order_or_nesting() -> None:
    assert AllOf((TREND, OVERSOLD)) == AllOf((OVERSOLD, TREND, OVERSOLD))
    assert AllOf((TREND, AllOf((OVERSOLD, FALLS)))) == AllOf((TREND, OVERSOLD, FALLS))
    assert AllOf((TREND, OVERSOLD)) != AnyOf((TREND, OVERSOLD))


def test_depth_and_leaves_are_bounded() -> None:
    rule: Rule = TREND
    for level in range(MAXIMUM_DEPTH):
        kind = AnyOf if level % 2 else AllOf
        rule = kind((rule, Slope(EMA, Direction.RISING, level + 1)))
    with pytest.raises(BadData, match="levels deep"):
        AnyOf((AllOf((rule, OVERSOLD)), OVERSOLD) if isinstance(rule, AnyOf) else (rule, OVERSOLD))
    with pytest.raises(BadData, match="leaves"):
        AllOf(tuple(Slope(CLOSE, Direction.RISING, bars) for bars in range(1, MAXIMUM_LEAVES + 2)))


@given(SEEDS)
def test_children_are_genomes_inside_the_ranges(seed: int) -> None:
    draw = Draw(np.random.default_rng(seed))
    one, other = drawn(seed), drawn(seed + 1)
    for child in (mutated(draw, one), crossed(draw, one, other)):
        assert parse(child.json) == child
        for rule in child.rules():
            assert depth(rule) <= MAXIMUM_DEPTH
            assert len(list(leaves(rule))) <= MAXIMUM_LEAVES
    assert mutated(draw, one) != one


@given(SEEDS)
def test_numbers_that_both_parents_have_are_averaged(seed: int) -> None:
    one, other = drawn(seed), drawn(seed + 1)
    child = crossed(Draw(np.random.default_rng(seed)), one, other)
    for name, grid in GRIDS.items():
        mine, theirs, born = (getattr(g, name) for g in (one, other, child))
        if mine is not None and theirs is not None:
            assert abs(born - (mine + theirs) / 2) <= grid.step / 2 + 1e-9
        elif not name.startswith("trailing"):
            assert born in (mine, theirs)


def test_the_same_seed_gives_the_same_genomes() -> None:
    def names(seed: int) -> list[str]:
        return [g.strategy_id for g in generate(np.random.default_rng(seed), 200, parents=[example()])]

    assert names(7) == names(7)
    assert names(7) != names(8)
    assert len(set(names(7))) == 200


def test_parents_come_first_and_children_after() -> None:
    parents = [drawn(seed) for seed in range(ELITE + 5)]
    genomes = generate(np.random.default_rng(1), 100, parents=parents)
    assert genomes[:ELITE] == parents[:ELITE]
    with pytest.raises(FixConfiguration, match="distinct"):
        generate(NoChance(), 3)  # type: ignore[arg-type]


class NoChance:
    """A generator that always gives the same number."""

    def random(self) -> float:
        return 0.3


def test_fresh_genomes_use_everything() -> None:
    genomes = generate(np.random.default_rng(2), 1500)
    used = {column.name for genome in genomes for column in genome.columns}
    assert used == FEATURES.keys()
    assert {genome.side for genome in genomes} == set(Side)
    assert {genome.timeframe for genome in genomes} == set(Timeframe)
    assert {type(leaf) for genome in genomes for rule in genome.rules() for leaf in leaves(rule)} == {
        Threshold, Versus, Slope,
    }  # fmt: skip
    without = generate(np.random.default_rng(2), 300, ratings=False)
    assert not {column.name for genome in without for column in genome.columns} & set(RATINGS)


@given(st.integers(-50, 50), st.integers(1, 40), st.sampled_from([1, 0.5, 0.1, 0.0025]), st.integers(0, 40))
def test_every_grid_value_is_a_member_and_written_one_way(
    low: int, steps: int, step: float, index: int
) -> None:
    grid = Grid(low * step, (low + steps) * step, step)
    value = grid.value(min(index, grid.count - 1))
    assert grid.member("x", value) == value
    assert math.copysign(1, value) == 1 or value != 0
    assert json.dumps(grid.member("x", float(value))) == json.dumps(value)
    with pytest.raises(BadData):
        grid.member("x", value + step / 3)


NAN = math.nan


@pytest.mark.parametrize(
    ("rule", "close", "other", "answer"),
    [
        (TREND, [1, 3], [0, 2], True),
        (TREND, [1, 2], [0, 2], False),
        (TREND, [1, NAN], [0, 2], False),
        (Versus(CLOSE, Relation.CROSSES_ABOVE, EMA), [2, 3], [2, 2], True),
        (Versus(CLOSE, Relation.CROSSES_ABOVE, EMA), [3, 3], [2, 2], False),
        (Versus(CLOSE, Relation.CROSSES_ABOVE, EMA), [NAN, 3], [2, 2], False),
        (Versus(CLOSE, Relation.CROSSES_BELOW, EMA), [2, 1], [2, 2], True),
        (Versus(CLOSE, Relation.CROSSES_BELOW, EMA), [2, 1], [2, NAN], False),
        (Slope(CLOSE, Direction.FALLING, 1), [2, 1], [0, 0], True),
        (Slope(CLOSE, Direction.FALLING, 2), [2, 1], [0, 0], False),
        (AllOf((TREND, Slope(CLOSE, Direction.RISING, 1))), [1, 3], [0, 2], True),
        (AllOf((TREND, Slope(CLOSE, Direction.RISING, 1))), [4, 3], [0, 2], False),
        (AnyOf((TREND, Slope(CLOSE, Direction.RISING, 1))), [4, 3], [0, 2], True),
    ],
)
def test_what_rules_say(rule: Rule, close: list[float], other: list[float], answer: bool) -> None:
    assert holds(rule, {CLOSE: close, EMA: other}, 1) is answer


def test_genomes_of_other_releases_are_left_out_and_damaged_ones_refused() -> None:
    one = generate(np.random.default_rng(0), 1)[0]
    assert known([one.json, '{"family":"rsi_reversal"}', '{"version":1}']) == [one]
    for damaged in ("", "[]", one.json.replace("leverage", "lever")):
        with pytest.raises(BadData):
            known([one.json, damaged])


def test_children_keep_to_the_timeframes_that_are_asked_for() -> None:
    rng = np.random.default_rng(3)
    asked = [Timeframe.M15, Timeframe.H1]
    parents = generate(rng, 5, timeframes=asked)
    born = generate(rng, 300, parents=parents, timeframes=asked)
    assert {genome.timeframe for genome in born} == set(asked)
