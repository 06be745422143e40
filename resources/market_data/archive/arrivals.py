"""Downloads that go on while what has arrived is being read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece of work, and what there is once it is done."""

    brings: Sequence[Hashable]
    work: Callable[[], None]


class Arrivals:
    """Batches fetched one after the other by a thread that nobody waits for at the end.

    A batch that fails ends the row; whoever waits for it, or for one behind it, gets its error.
    """

    def __init__(self) -> None:
        self._expected: dict[Hashable, Future[None]] = {}
        self._stop = threading.Event()

    def begin(self, batches: Iterable[Batch]) -> None:
        """Start with the first batch; what an earlier call began ends after its batch at work."""
        self._stop.set()
        self._stop = threading.Event()
        row = [(Future[None](), batch) for batch in batches]
        self._expected = {item: future for future, batch in row for item in batch.brings}
        # A daemon: a process that ends leaves parts of files, which the next one goes on with.
        threading.Thread(target=_bring, args=(row, self._stop), name="arrivals", daemon=True).start()

    def expects(self, item: Hashable) -> bool:
        """Whether a batch brings the item, or has brought it."""
        return item in self._expected

    def wait(self, item: Hashable) -> None:
        """Until the item's batch is done; at once for an item that nobody expects."""
        future = self._expected.get(item)
        if future is not None:
            future.result()


def _bring(row: Sequence[tuple[Future[None], Batch]], stop: threading.Event) -> None:
    failed: BaseException | None = None
    for future, batch in row:
        if failed is None and not stop.is_set():
            try:
                batch.work()
            except BaseException as error:
                failed = error
        if failed is None:
            future.set_result(None)
        else:
            future.set_exception(failed)
