"""Heartbeats as files: a number that rises as long as its writer gets on with its work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from warehouse.flags.files import write_whole


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest beat of a writer.

    Attributes
    ----------
    bar_close_ms
        The last bar that was traded; None before the first.
    ended
        The writer ended in order.
    """

    sequence: int
    at_ms: int
    bar_close_ms: int | None = None
    ended: bool = False


class Heartbeat:
    """Writes one heartbeat. Not durable on purpose: after a power cut nothing beats.

    Parameters
    ----------
    name
        Who beats: ``live``, ``daemon``, ``guard``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = beat_path(folder, name)
        last = read(folder, name)
        self._sequence = 0 if last is None else last.sequence
        self._bar_close_ms = None if last is None else last.bar_close_ms

    def beat(self, at_ms: int, *, bar_close_ms: int | None = None) -> None:
        """Say that the work goes on.

        Raises
        ------
        FixConfiguration
            If the file cannot be written.
        """
        self._bar_close_ms = bar_close_ms or self._bar_close_ms
        self._write(at_ms, ended=False)

    def end(self, at_ms: int) -> None:
        """Say that it ended in order: silence from here on means nothing."""
        self._write(at_ms, ended=True)

    def _write(self, at_ms: int, *, ended: bool) -> None:
        self._sequence += 1
        content = {
            "sequence": self._sequence,
            "at_ms": at_ms,
            "bar_close_ms": self._bar_close_ms,
            "ended": ended,
        }
        write_whole(self._path, json.dumps(content).encode(), durable=False, mode=0o644)


def read(folder: Path, name: str) -> Beat | None:
    """The newest beat; None when there never was one, or it cannot be read (which counts as silence)."""
    try:
        fields = json.loads(beat_path(folder, name).read_bytes())
        bar_close_ms = fields["bar_close_ms"]
        return Beat(
            int(fields["sequence"]),
            int(fields["at_ms"]),
            None if bar_close_ms is None else int(bar_close_ms),
            fields["ended"] is True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def beat_path(folder: Path, name: str) -> Path:
    """The file of a heartbeat."""
    return folder / f"heartbeat-{name}.json"
