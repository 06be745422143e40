"""Progress of a long command: a moving bar for a person, a line per step for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.cli.output import console

if TYPE_CHECKING:
    from pipelines.outcome import Progress


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Hand out a `Progress` that writes to stderr, so that stdout holds the result alone."""
    if not sys.stderr.isatty():
        yield _LineProgress()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with RichProgress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report


class _LineProgress:
    """Prints each step once, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._shown:
            self._shown = what
            print(
                f"{time.monotonic() - self._started:6.1f} s  {done + 1:>2}/{total}  {what}",
                file=sys.stderr,
                flush=True,
            )
