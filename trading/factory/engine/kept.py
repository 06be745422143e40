"""Columns that outlive one back-test, for searches that ask for the same ones round after round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from trading.factory.genes.rules import Column
from trading.indicators.columns import FloatArray

#: Numbers of 8 bytes that are kept at most: 1.2 GB, of the 3.5 GB that all columns of 50 symbols over 90 days
#: on five timeframes come to. A search that has found its way asks for fewer.
KEPT_VALUES = 150_000_000
#: What asking for a technical rating counts: it costs as much as so many other columns.
_RATING_WEIGHT = 100


@dataclass(slots=True)
class _Entry:
    """A column that was asked for.

    Attributes
    ----------
    asked
        How often, weighted by what it costs to compute.
    values
        Shape (symbols, decision bars that are read); None where there is no room for it.
    there
        Which rows of it are filled, shape (symbols,).
    """

    asked: int = 0
    values: FloatArray | None = None
    there: NDArray[np.bool_] | None = None


class KeptColumns:
    """Columns of one set of bars per timeframe; threads that work on different symbols may share them.

    Room goes to the columns that were asked for most often. A round of a search asks for more columns than
    there is room for, each about once: whoever made room for the newest would find none of them again.
    """

    def __init__(self, values: int = KEPT_VALUES) -> None:
        self._room = values
        #: At most what the least wanted of those that are kept was asked for.
        self._floor = 0
        self._entries: dict[tuple[int, Column], _Entry] = {}
        self._lock = Lock()

    def column(
        self,
        minutes: int,
        column: Column,
        rows: slice,
        symbols: int,
        unread: int,
        compute: Callable[[], FloatArray],
    ) -> FloatArray:
        """The column of some symbols, kept or computed: shape (wanted symbols, decision bars).

        Parameters
        ----------
        minutes
            Timeframe.
        rows
            Which of all ``symbols`` are wanted.
        unread
            Leading decision bars that no rule reads: they are not kept, and NaN where the column was.
        compute
            Gives the column of the wanted symbols.
        """
        with self._lock:
            entry = self._entries.setdefault((minutes, column), _Entry())
            entry.asked += _RATING_WEIGHT if column.feature.compute is None else 1
            values, there = entry.values, entry.there
        if values is not None and there is not None and there[rows].all():
            found = np.full((rows.stop - rows.start, unread + values.shape[1]), np.nan)
            found[:, unread:] = values[rows]
            return found
        computed = compute()
        with self._lock:
            if entry.values is None:
                self._admit(entry, symbols, computed.shape[1] - unread)
            values, there = entry.values, entry.there
        if values is not None and there is not None:
            values[rows] = computed[:, unread:]
            there[rows] = True
        return computed

    def _admit(self, entry: _Entry, symbols: int, bars: int) -> None:
        """Keep a column from now on, if there is room for it."""
        if symbols * bars > self._room and not self._make_room(symbols * bars, entry.asked):
            return
        self._room -= symbols * bars
        entry.values, entry.there = _pages(symbols, bars), np.zeros(symbols, dtype=np.bool_)

    def _make_room(self, values: int, asked: int) -> bool:
        """Give up columns that were asked for less often, rarest first, if that makes enough room."""
        if asked <= self._floor:
            return False
        kept = [entry for entry in self._entries.values() if entry.values is not None]
        kept.sort(key=lambda entry: entry.asked)
        self._floor = kept[0].asked if kept else 0
        room, out = self._room, list[_Entry]()
        for other in kept:
            if room >= values or other.asked >= asked or other.values is None:
                break
            out.append(other)
            room += other.values.size
        if room < values:
            return False
        for other in out:
            other.values = other.there = None
        self._room = room
        return True


def _pages(symbols: int, bars: int) -> FloatArray:
    """Room straight from the system, for an array that outlives what is allocated around it.

    Between the short-lived arrays of a back-test it would keep the process's memory from ever shrinking.
    """
    return np.frombuffer(mmap(-1, max(symbols * bars, 1) * 8), np.float64, symbols * bars).reshape(
        symbols, bars
    )
