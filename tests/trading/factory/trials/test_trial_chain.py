"""The chain of trials: what was written follows on, and anything else is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.factory.trials.chain import (
    NOTHING,
    Segment,
    Stored,
    contradiction,
    links,
    misplaced,
    seals_contradiction,
)

DAY = date(2026, 1, 1)
CONTENTS = [f"{number:064x}" for number in range(6)]


def segment_of(contents: list[str]) -> tuple[Segment, list[Stored]]:
    chained = links(NOTHING.head, contents)
    stored = [Stored(place, *pair) for place, pair in enumerate(zip(contents, chained, strict=True), start=1)]
    return Segment(1, DAY, len(contents), NOTHING.head, chained[-1]), stored


def test_records_as_they_were_sealed_contradict_nothing() -> None:
    segment, stored = segment_of(CONTENTS)
    assert contradiction(segment, stored) == ""


@given(st.integers(0, 5), st.sampled_from(["edit", "delete", "repeat", "relink"]))
def test_any_touch_of_any_record_is_told(at: int, what: str) -> None:
    segment, stored = segment_of(CONTENTS)
    if what == "edit":
        stored[at] = replace(stored[at], content="f" * 64)
    elif what == "delete":
        del stored[at]
    elif what == "repeat":
        stored.insert(at, stored[at])
    else:
        stored[at] = replace(stored[at], link="f" * 64)
    assert contradiction(segment, stored)


@given(st.permutations(range(6)))
def test_another_order_is_told_even_with_positions_and_links_made_anew(order: list[int]) -> None:
    segment, _ = segment_of(CONTENTS)
    _, forged = segment_of([CONTENTS[place] for place in order])
    assert (contradiction(segment, forged) == "") == (order == sorted(order))


def test_a_tail_cut_with_everything_renumbered_is_told() -> None:
    segment, stored = segment_of(CONTENTS)
    assert "holds 5" in contradiction(segment, stored[:-1])
    assert "holds 0" in contradiction(segment, [])


def test_seals_must_follow_on() -> None:
    first, _ = segment_of(CONTENTS)
    second = Segment(2, DAY, 1, first.head, "a" * 64)
    assert seals_contradiction([first, second]) == ("", None)
    assert seals_contradiction([second])[1] == 1
    assert seals_contradiction([first, replace(second, previous="b" * 64)])[1] == 2


@pytest.mark.parametrize(
    "found", [{1: {date(2026, 1, 2)}}, {1: {DAY, date(2026, 1, 2)}}, {1: {DAY}, 3: {DAY}}]
)
def test_records_in_a_day_or_segment_that_was_never_sealed_are_told(found: dict[int, set[date]]) -> None:
    assert misplaced([segment_of(CONTENTS)[0]], found)[0]


def test_the_segment_behind_the_last_seal_may_be_there() -> None:
    assert misplaced([segment_of(CONTENTS)[0]], {1: {DAY}, 2: {DAY}}) == ("", None)
