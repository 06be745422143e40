"""How long a heartbeat has been silent, on a clock that nobody sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pulse:
    """A heartbeat as last seen.

    Attributes
    ----------
    sequence
        Rises with every beat.
    seen_at_seconds
        When the sequence was first seen, on the monotonic clock; earlier by what was already known of its
        age after a start.
    ended
        Its writer ended in order: nothing more is expected.
    """

    sequence: int
    seen_at_seconds: float
    ended: bool = False


def observe(
    before: Pulse | None,
    sequence: int,
    *,
    ended: bool,
    age_seconds: float,
    monotonic_seconds: float,
) -> Pulse:
    """What is known of a heartbeat after a look at it.

    Parameters
    ----------
    before
        The look before; None at the first one, which alone must believe ``age_seconds``.
    age_seconds
        Age of the beat by the clocks of writer and reader; below 0 when they disagree.
    """
    if before is None:
        return Pulse(sequence, monotonic_seconds - max(age_seconds, 0.0), ended)
    if sequence == before.sequence:
        return Pulse(sequence, before.seen_at_seconds, ended)
    return Pulse(sequence, monotonic_seconds, ended)


def silent_seconds(pulse: Pulse, monotonic_seconds: float, rearmed_at_seconds: float | None) -> float:
    """Silence of a heartbeat, counted anew from the last time that trading was re-armed; 0 once it ended."""
    if pulse.ended:
        return 0.0
    since = pulse.seen_at_seconds
    if rearmed_at_seconds is not None:
        since = max(since, rearmed_at_seconds)
    return max(monotonic_seconds - since, 0.0)
