"""What has been spent of a venue's request weight, in memory or in a file that processes share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from filelock import FileLock

from trading.errors import FixConfiguration

_POLL_SECONDS = 0.002


@dataclass(slots=True)
class Spending:
    """Weight by the second that it was spent in, and the pause that the venue has asked for.

    Attributes
    ----------
    spent
        Weight by second.
    paused_at, paused_until
        When the pause was asked for, and its end.
    """

    spent: dict[int, int] = field(default_factory=dict)
    paused_at: float = 0.0
    paused_until: float = 0.0

    @property
    def total(self) -> int:
        """Weight spent and not forgotten."""
        return sum(self.spent.values())

    def add(self, second: int, weight: int) -> None:
        """Count a weight."""
        self.spent[second] = self.spent.get(second, 0) + weight

    def forget(self, now: float, window_seconds: int) -> None:
        """Drop what has left the window, and what a clock that was set back says of the future."""
        self.spent = {
            second: weight for second, weight in self.spent.items() if now - window_seconds < second < now + 2
        }
        if self.paused_at > now + 2:
            self.paused_at = self.paused_until = 0.0

    def pause(self, now: float, duration_seconds: float) -> None:
        """Begin a pause, unless a longer one holds."""
        if now + duration_seconds > self.paused_until:
            self.paused_at, self.paused_until = now, now + duration_seconds

    def pause_left(self, now: float) -> float:
        """Seconds left of the pause; not positive when there is none."""
        return self.paused_until - now

    def seconds_until(self, now: float, bearable: float, window_seconds: int) -> float:
        """Seconds until enough has left the window that no more than ``bearable`` is in it."""
        left = self.total
        for second in sorted(self.spent):
            left -= self.spent[second]
            if left <= bearable or not left:
                return max(second + window_seconds - now, 0.001)
        return 0.001


class MemoryBook:
    """Spending of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spending = Spending()

    @contextmanager
    def opened(self) -> Iterator[Spending]:
        """The spending; other threads wait."""
        with self._lock:
            yield self._spending


class FileBook:
    """Spending in one small JSON file that the processes of a home share, under a file lock.

    Parameters
    ----------
    file
        Holds the spending of every venue; made when it is missing.
    name
        Key of this venue in the file.

    Raises
    ------
    FixConfiguration
        If the file's folder cannot be made or written to.
    """

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name
        self._threads = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FixConfiguration(
                f"market_data.binance.weight_file: {file.parent} cannot be made: {error}"
            ) from error
        self._lock = FileLock(f"{file}.lock")

    @contextmanager
    def opened(self) -> Iterator[Spending]:
        """The spending; other threads and processes wait. A process that dies inside changes nothing."""
        with self._threads, self._lock.acquire(poll_interval=_POLL_SECONDS):
            everyone = self._read()
            spending = everyone.setdefault(self._name, Spending())
            before = (dict(spending.spent), spending.paused_until)
            yield spending
            if before != (spending.spent, spending.paused_until):
                part = self._file.with_name(f"{self._file.name}.part")
                part.write_bytes(orjson.dumps(everyone, option=orjson.OPT_NON_STR_KEYS))
                part.replace(self._file)

    def _read(self) -> dict[str, Spending]:
        try:
            stored = orjson.loads(self._file.read_bytes())
            return {
                name: Spending(
                    {int(second): int(weight) for second, weight in entry["spent"].items()},
                    float(entry["paused_at"]),
                    float(entry["paused_until"]),
                )
                for name, entry in stored.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FixConfiguration(
                f"market_data.binance.weight_file {self._file} is no record of request weights ({error}); "
                "delete it, or name another file"
            ) from error
