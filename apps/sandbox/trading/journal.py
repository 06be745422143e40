"""A file of everything that changed the accounts; carrying it out again leads to the same accounts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from trading.errors import BadData, FixConfiguration


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that was carried out.

    Attributes
    ----------
    at_ms
        The account's own time then.
    endpoint
        Method and path.
    """

    at_ms: int
    account: str
    endpoint: str
    values: Mapping[str, str]


class Journal:
    """Appends entries, each on the disk before the request is answered.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    world
        Fingerprint of what the accounts' fate depends on besides the requests.
    """

    def __init__(self, path: Path | None, world: str) -> None:
        self._path = path
        self._world = world

    def begin(self, now_ms: int) -> int:
        """Moment at which the accounts began: now for a new journal.

        Raises
        ------
        FixConfiguration
            If the journal was written in another world.
        """
        if self._path is None:
            return now_ms
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._append({"began_ms": now_ms, "world": self._world})
            return now_ms
        self._drop_torn_line(self._path)
        head = next(self._lines(self._path), None)
        if not head or "began_ms" not in head:
            raise BadData(f"sandbox.trading.journal {self._path} does not begin as a journal; move it away")
        if head["world"] != self._world:
            raise FixConfiguration(
                f"sandbox.trading.journal {self._path} was written with another market, accounts or fees; "
                "start the sandbox with those, or name another file"
            )
        return int(str(head["began_ms"]))

    def entries(self) -> Iterator[Entry]:
        """What was carried out, oldest first."""
        if self._path is None:
            return
        lines = self._lines(self._path)
        next(lines)
        for line in lines:
            yield Entry(**line)  # type: ignore[arg-type]  # the file is our own, and its head was checked

    def write(self, entry: Entry) -> None:
        """Put an entry on the disk."""
        if self._path is not None:
            self._append({name: getattr(entry, name) for name in Entry.__slots__})

    def _append(self, line: Mapping[str, object]) -> None:
        if self._path is None:
            return
        with self._path.open("ab") as file:
            file.write(orjson.dumps(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _lines(path: Path) -> Iterator[dict[str, object]]:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise BadData(
                        f"sandbox.trading.journal {path} has no JSON in line {number}; restore it or move it away"
                    ) from error

    @staticmethod
    def _drop_torn_line(path: Path) -> None:
        """Cut off a last line that was not written whole: its request was never answered."""
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
