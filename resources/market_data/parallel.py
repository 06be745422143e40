"""The same call for many items, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    call: Callable[[_Item], _Result], items: Sequence[_Item], *, threads: int, name: str
) -> list[_Result]:
    """Results in order; the first failure cancels what has not started."""
    if len(items) < 2 or threads == 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
        futures = [pool.submit(call, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
