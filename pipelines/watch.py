"""Progress of a run in this process, step by step."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from pipelines.outcome import Progress

_ENDS = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SKIPPED,
}


def step_listener(label: str, steps: int, progress: Progress) -> Callable[[dg.EventLogEntry], None]:
    """A listener for a run's events that reports each step as it begins and ends."""
    done = 0

    def listen(entry: dg.EventLogEntry) -> None:
        nonlocal done
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.event_type in _ENDS:
            done += 1
        elif event.event_type is not dg.DagsterEventType.STEP_START:
            return
        progress(f"{label}: {event.step_key}", done, steps)

    return listen
