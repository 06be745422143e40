"""Comparisons: at the limit, either side of it, and unknown."""

import math
from decimal import Decimal

import pytest

from trading.model import check


@pytest.mark.parametrize(
    ("compare", "under", "at", "over"),
    [
        (check.at_least, False, True, True),
        (check.at_most, True, True, False),
        (check.below, True, False, False),
    ],
)
def test_the_limit_itself_belongs_where_the_sign_says(compare, under: bool, at: bool, over: bool) -> None:
    limit = Decimal("0.1")
    assert compare("x", Decimal("0.0999999999999999999999"), limit).passed is under
    assert compare("x", Decimal("0.1"), limit).passed is at
    assert compare("x", Decimal("0.1000000000000000000001"), limit).passed is over


@pytest.mark.parametrize("compare", [check.at_least, check.at_most, check.below])
@pytest.mark.parametrize("unknown", [None, math.nan, math.inf, -math.inf])
def test_unknown_never_passes(compare, unknown) -> None:
    result = compare("x", unknown, 1.0)
    assert result.passed is False
    assert result.value is None
    assert compare("x", 1.0, math.nan).passed is False


def test_text_checks_fail_on_missing_text() -> None:
    assert check.one_of("x", "a", ("a", "b")).passed
    assert not check.one_of("x", "c", ("a", "b")).passed
    assert not check.one_of("x", "", ("", "b")).passed
    assert check.not_one_of("x", "c", ("a", "b")).passed
    assert not check.not_one_of("x", "a", ("a", "b")).passed
    assert not check.not_one_of("x", "", ("a", "b")).passed
    assert not check.not_one_of("x", None, ("a", "b")).passed
    assert check.must_be("x", "no", "no").passed
    assert not check.must_be("x", None, "no").passed


def test_value_limit_and_sign_are_recorded() -> None:
    result = check.at_least("fork_score", 0.71, 0.85, "of 1.3")
    assert (result.name, result.value, result.limit, result.detail) == ("fork_score", 0.71, 0.85, "≥ of 1.3")
