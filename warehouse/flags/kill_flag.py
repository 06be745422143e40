"""The kill flag as a file: readable and writable while the ledger is down.

It says the same as the ledger's control, and trading needs both to be off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from trading.errors import RetryLater
from trading.model.snapshot import Controls
from warehouse.flags.files import write_whole

FLAG_FILE = "kill.json"
#: Longest wait for another change. A halt then goes on without its turn, everything else gives up.
_TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class KillFlag:
    """The flag as it stands.

    Attributes
    ----------
    changed_at_ms
        When it was last raised or lifted, by this machine's clock; 0 when it never was, or is unreadable.
    readable
        Whether the file could be read; if not, the flag counts as raised.
    """

    halted: bool
    reason: str = ""
    by: str = ""
    changed_at_ms: int = 0
    readable: bool = True

    @property
    def kill_id(self) -> str:
        """Names this halt: a later one has another id."""
        return f"{self.changed_at_ms}"


def read(folder: Path) -> KillFlag:
    """The flag. No file: never raised. A file that cannot be read, or says anything unclear: raised."""
    path = folder / FLAG_FILE
    try:
        return _parsed(path.read_bytes())
    except FileNotFoundError:
        return KillFlag(halted=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return KillFlag(
            halted=True,
            reason=f"{path} cannot be read ({error!r}); tidemill halt writes it anew",
            readable=False,
        )


def halt(folder: Path, reason: str, by: str, at_ms: int) -> tuple[KillFlag, KillFlag]:
    """Raise the flag, durably; returns it before and after. Raising it again keeps the first reason.

    Raises
    ------
    FixConfiguration
        If the file cannot be written.
    """
    with _turn(folder, insist=True):
        before = read(folder)
        if before.halted and before.readable:
            return before, before
        after = KillFlag(True, reason, by, max(at_ms, before.changed_at_ms + 1))
        _write(folder, after)
        return before, after


def lift(folder: Path, seen: KillFlag, reason: str, by: str, at_ms: int) -> KillFlag:
    """Lift the flag that somebody has seen.

    Raises
    ------
    RetryLater
        If it was raised anew since, or another process is changing it.
    """
    with _turn(folder):
        before = read(folder)
        if before != seen:
            raise RetryLater(
                f"the kill flag has changed since it was shown: {before.reason or 'lifted'}; "
                "look again with tidemill resume"
            )
        after = KillFlag(False, reason, by, max(at_ms, before.changed_at_ms + 1))
        _write(folder, after)
        return after


def merged(flag: KillFlag, control: Controls) -> Controls:
    """The switches that count: halted while either of both is. The older halt gives the reason."""
    if flag.halted and not (control.halted and control.changed_at_ms <= flag.changed_at_ms):
        return Controls(True, flag.reason, flag.changed_at_ms)
    return control


def _write(folder: Path, flag: KillFlag) -> None:
    content = {
        "halted": flag.halted,
        "reason": flag.reason,
        "by": flag.by,
        "changed_at_ms": flag.changed_at_ms,
    }
    write_whole(folder / FLAG_FILE, json.dumps(content).encode(), mode=0o644)


def _parsed(content: bytes) -> KillFlag:
    fields: dict[str, Any] = json.loads(content)
    halted, reason, by, changed_at_ms = (fields[name] for name in ("halted", "reason", "by", "changed_at_ms"))
    right = (bool, str, str, int)
    for value, kind in zip((halted, reason, by, changed_at_ms), right, strict=True):
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
    return KillFlag(halted, reason, by, changed_at_ms)


@contextmanager
def _turn(folder: Path, *, insist: bool = False) -> Iterator[None]:
    """One change at a time. ``insist`` goes on when none can be had: a halt must not hang on a lock."""
    lock = FileLock(folder / f"{FLAG_FILE}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_TURN_SECONDS, poll_interval=0.01)
    except (Timeout, OSError) as error:
        if not insist:
            raise RetryLater(f"another process is changing the kill flag in {folder}; try again") from error
    try:
        yield
    finally:
        lock.release()
