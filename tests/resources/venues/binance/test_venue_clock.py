"""The venue's time: read, counted on by a steady clock, and read again."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from resources.venues.binance.clock import VenueClock


class _World:
    """A steady clock here, the venue's at an offset, and answers that take their time."""

    def __init__(self, offset_ms: int, ways: list[tuple[float, float]]) -> None:
        self.now = 100.0
        self.offset_ms = offset_ms
        self.asked = 0
        self._ways = ways

    def seconds(self) -> float:
        return self.now

    def venue_ms(self) -> float:
        return self.now * 1_000 + self.offset_ms

    def server_time_ms(self) -> int:
        there, back = self._ways[min(self.asked, len(self._ways) - 1)]
        self.asked += 1
        self.now += there
        stamp = int(self.venue_ms())
        self.now += back
        return stamp


def _clock(world: _World, refresh_seconds: float = 300.0) -> Callable[[], int]:
    return VenueClock(world.server_time_ms, world.seconds, refresh_seconds).now_ms


@given(
    st.integers(-(10**12), 10**12),
    st.floats(0, 0.25),
    st.floats(0, 0.25),
    st.floats(0, 299),
)
def test_the_time_is_right_to_half_of_what_the_answer_took(
    offset_ms: int, there: float, back: float, later: float
) -> None:
    world = _World(offset_ms, [(there, back)])
    now_ms = _clock(world)
    now_ms()
    world.now += later
    assert abs(now_ms() - world.venue_ms()) <= (there + back) / 2 * 1_000 + 2
    assert world.asked == 1


def test_it_is_read_again_after_a_while() -> None:
    world = _World(5_000, [(0.0, 0.0)])
    now_ms = _clock(world, refresh_seconds=10.0)
    now_ms()
    world.offset_ms = 8_000  # the venue's clock was set
    world.now += 9
    assert now_ms() == world.venue_ms() - 3_000
    world.now += 2
    assert now_ms() == world.venue_ms()


def test_a_slow_answer_is_replaced_by_a_quick_one() -> None:
    world = _World(0, [(3.0, 0.0), (0.1, 0.1)])
    assert abs(_clock(world)() - world.venue_ms()) <= 2
    assert world.asked == 2


def test_when_all_are_slow_the_quickest_counts() -> None:
    world = _World(0, [(3.0, 0.0), (0.0, 1.0), (2.0, 0.0)])
    assert abs(_clock(world)() - world.venue_ms()) <= 501
    assert world.asked == 3
