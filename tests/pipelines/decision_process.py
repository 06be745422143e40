"""Decision runs in processes of their own, each of which may be told where to die.

Started once, this program imports the graph and then forks one process per line of its input, so
that every run starts with fresh state and none pays for the import. A line is JSON: ``environment``,
``bar_close_ms``, ``place`` and ``log`` (file for what the process prints). The answer is its exit
status: 0 when the run succeeded, 1 when it failed, minus the signal when it was killed.

``place`` is the name of an op, after whose success the process kills itself, or one of `MOMENTS`
inside ``send_orders``, at the second order that is sent; empty lets the run end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import dagster as dg

from pipelines.runs import Session
from resources.execution import sender
from resources.venues.paper.resource import PaperVenue

#: After the transition to *sending* and before the venue is called; after the venue has taken the
#: order and before it matches; after its answer and before that is booked.
MOMENTS = ("sending", "accepted", "answered")
_ORDER = 2


def die() -> None:
    """Leave no time for anything: no handler, no flush, no rollback."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(moment: str) -> None:
    """Let the real function run up to the moment, and die there at the second call."""
    owner: Any = sender if moment == "answered" else PaperVenue
    name = {"sending": "submit", "accepted": "_matched", "answered": "book"}[moment]
    original = getattr(owner, name)
    calls = 0

    def called(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == _ORDER:
            die()
        return original(*args, **options)

    setattr(owner, name, called)


def run(bar_close_ms: int, place: str) -> int:
    begun = ""

    def progress(what: str, done: int, total: int) -> None:
        # Called as a step begins and, with the same text, as it ends.
        nonlocal begun
        if what == begun and what.endswith(f": {place}"):
            die()
        begun = what

    if place in MOMENTS:
        kill_at(place)
    with dg.DagsterInstance.get() as instance:
        return 0 if Session(instance, progress).decide(bar_close_ms) else 1


def forked(line: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log = os.open(line["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.environ.update(line["environment"])
    code = 1
    try:
        code = run(line["bar_close_ms"], line["place"])
    finally:
        os._exit(code)


if __name__ == "__main__":
    for text in sys.stdin:
        print(forked(json.loads(text)), flush=True)
