"""Partitions that are encoded and stored while the next ones are made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from types import TracebackType
from typing import Self

import polars as pl

from trading.model.interval import Interval
from warehouse.lake.lake import Lake
from warehouse.lake.partition import PartitionInfo
from warehouse.schema import Dataset

#: Partitions under way at once in the background: more would only wait for memory.
BACKGROUND_THREADS = 2

Written = Callable[[date, PartitionInfo], None]


class Storing:
    """Stores days of one dataset; a context that ends when all are stored.

    Parameters
    ----------
    written
        Hears of each partition after it is stored, in the thread that stored it.
    threads
        Threads that store beside the work of whoever makes the days, which must not read each other;
        with 0 a day is stored before `put` returns.

    Attributes
    ----------
    infos
        What is stored, in the order of the days; whole when the context has ended.
    """

    def __init__(
        self,
        lake: Lake,
        dataset: Dataset,
        interval: Interval | None = None,
        *,
        written: Written | None = None,
        threads: int = BACKGROUND_THREADS,
    ) -> None:
        self._lake = lake
        self._dataset = dataset
        self._interval = interval
        self._written = written
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix=f"store-{dataset.name}")
        self._under_way: deque[Future[PartitionInfo]] = deque()
        self.infos: list[PartitionInfo] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._under_way:
                self._take()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def put(self, day: date, frame: pl.DataFrame) -> None:
        """Store a day; waits while enough are under way.

        Raises
        ------
        TradingError
            If this day, or an earlier one in the background, could not be stored.
        """
        if self._threads == 0:
            self.infos.append(self._store(day, frame))
            return
        if len(self._under_way) >= self._threads:
            self._take()
        self._under_way.append(self._pool.submit(self._store, day, frame))

    def _take(self) -> None:
        self.infos.append(self._under_way.popleft().result())

    def _store(self, day: date, frame: pl.DataFrame) -> PartitionInfo:
        info = self._lake.write(self._dataset, day, frame, interval=self._interval)
        if self._written is not None:
            self._written(day, info)
        return info
