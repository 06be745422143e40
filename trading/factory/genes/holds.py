"""What a rule says at one bar: plain Python, for a desk's newest close and for the reference engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading.factory.genes.rules import AllOf, AnyOf, Column, Direction, Relation, Rule, Slope, Threshold


def holds(rule: Rule, values: Mapping[Column, Sequence[float]], bar: int) -> bool:
    """Whether the rule is a yes at a bar.

    Parameters
    ----------
    values
        One value per bar of the clock for every column of the rule, NaN where unknown.
    bar
        Position of the bar; only it and earlier ones are read.
    """
    if isinstance(rule, AllOf):
        return all(holds(part, values, bar) for part in rule.parts)
    if isinstance(rule, AnyOf):
        return any(holds(part, values, bar) for part in rule.parts)
    series = values[rule.column]
    now = series[bar]
    if isinstance(rule, Slope):
        if bar < rule.bars:
            return False
        then = series[bar - rule.bars]
        return bool(now > then if rule.direction is Direction.RISING else now < then)
    against = (lambda at: rule.value) if isinstance(rule, Threshold) else values[rule.other].__getitem__
    if rule.relation is Relation.ABOVE:
        return bool(now > against(bar))
    if rule.relation is Relation.BELOW:
        return bool(now < against(bar))
    if bar == 0:
        return False
    before, line = series[bar - 1], against(bar - 1)
    if rule.relation is Relation.CROSSES_ABOVE:
        return bool(now > against(bar) and before <= line)
    return bool(now < against(bar) and before >= line)
