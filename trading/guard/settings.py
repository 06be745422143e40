"""What the guard watches, and what it does when it must act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The guard's settings. It cancels entries whatever they say.

    Attributes
    ----------
    policy
        ``keep_stops`` leaves positions behind their stops, and gives a stop to those without one;
        ``flatten`` closes them as well, in stages.
    heartbeats
        Whose heartbeats are watched: ``live`` is the live loop, ``daemon`` Dagster's daemon. One that
        never beat, or that ended in order, is not missed.
    heartbeat_timeout_seconds
        Silence after which a watched heartbeat counts as dead, and that as a halt. Longer than the
        longest bar takes to trade.
    stages
        Share of each position that is closed by each stage of ``flatten``; the last closes all of it.
    stage_seconds
        Time between two stages.
    stop_fraction
        Distance of a re-armed stop from the mark price; half-way to the liquidation price where that is
        nearer.
    protect_attempts
        Refused attempts to place a stop after which the unprotected part is closed instead.
    countdown_ms
        Venue-side timer that cancels entries when the guard falls silent; 0 sets none. Only where
        it would take no stop along.
    poll_seconds
        How often the flag and the heartbeats are looked at.
    recheck_seconds
        How often the venue is asked again while a halt lasts and nothing is left to do.
    parallel_calls
        Most calls to the venue at a time.
    spot_holdings
        Coins on a spot account: ``leave`` them to their own stops, or ``guard`` them as positions, which get
        stops and are sold as `policy` says. Guard only an account of which all coins are the desks'.
    spot_keep
        With ``guard``: base quantity by currency that is left alone all the same.
    """

    policy: Literal["keep_stops", "flatten"] = "keep_stops"
    heartbeats: tuple[str, ...] = ("live",)
    heartbeat_timeout_seconds: Annotated[float, Gt(0)] = 120.0
    stages: tuple[Annotated[Decimal, Gt(0), Le(1)], ...] = (Decimal("0.5"), Decimal(1))
    stage_seconds: Annotated[float, Ge(0)] = 30.0
    stop_fraction: Annotated[Decimal, Gt(0), Lt(1)] = Decimal("0.05")
    protect_attempts: Annotated[int, Gt(0)] = 3
    countdown_ms: Annotated[int, Ge(0)] = 60_000
    poll_seconds: Annotated[float, Gt(0), Le(1)] = 0.1
    recheck_seconds: Annotated[float, Gt(0)] = 10.0
    parallel_calls: Annotated[int, Gt(0), Le(16)] = 4
    spot_holdings: Literal["leave", "guard"] = "leave"
    spot_keep: Mapping[str, Annotated[Decimal, Ge(0)]] = field(default_factory=dict)
