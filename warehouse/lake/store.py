"""Where the bytes of the lake are: a protocol, and its local folder."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from trading.errors import FixConfiguration, RetryLater

#: Identity of an object's content: equal stamps mean equal bytes.
Stamp = tuple[int | str, ...]

#: A temporary file this old belongs to a writer that died.
STALE_SECONDS = 3600.0

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TEMPORARY = ".tmp"


class LakeFull(RetryLater):
    """The lake has no room for a partition; what was stored before is untouched."""


class ObjectStore(Protocol):
    """Whole objects under keys with slashes; a reader sees an old object or a new one, never a mixture."""

    def uri(self, key: str) -> str:
        """Address of an object, as polars and people read it."""
        ...

    def read(self, key: str) -> tuple[bytes, Stamp] | None:
        """Bytes of an object with their stamp; None when there is none."""
        ...

    def replace(self, key: str, data: bytes) -> Stamp:
        """Store an object atomically in place of what was there."""
        ...

    def stamps(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Stamp of each object, None for those absent. Keys are sorted and share a folder."""
        ...

    def keys(self, folder: str) -> list[str]:
        """Keys two levels below a folder (``folder/date=…/file``), sorted."""
        ...

    def scan_options(self) -> dict[str, str] | None:
        """Storage options with which polars scans the store's addresses; None for local files."""
        ...


class LocalStore:
    """A folder. Objects are files, replaced by renaming a complete, synced temporary file."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root.expanduser()))
        self._prefix = f"{self.root}{os.sep}"

    def uri(self, key: str) -> str:
        """Absolute path of the file."""
        return self._prefix + key

    def read(self, key: str) -> tuple[bytes, Stamp] | None:
        """Bytes and stamp of one inode, so that they belong together even while it is replaced."""
        try:
            with open(self._prefix + key, "rb") as file:
                return file.read(), _stamp(os.fstat(file.fileno()))
        except FileNotFoundError:
            return None

    def replace(self, key: str, data: bytes) -> Stamp:
        """Write beside the target, sync and rename; an identical file is left as it is.

        Raises
        ------
        LakeFull
            If the disk, the quota or the file-size limit is reached.
        FixConfiguration
            If the folder cannot be written.
        """
        target = Path(self._prefix + key)
        try:
            present = self.read(key) if _size(target) == len(data) else None
            if present and present[0] == data:
                return present[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target.parent)
            return _write_beside(target, data)
        except OSError as error:
            raise _explained(error, target, len(data), self.root) from error

    def stamps(self, keys: Sequence[str]) -> list[Stamp | None]:
        """One stat a file."""
        found: list[Stamp | None] = []
        for key in keys:
            try:
                found.append(_stamp(os.stat(self._prefix + key)))
            except FileNotFoundError:
                found.append(None)
        return found

    def keys(self, folder: str) -> list[str]:
        """Files two levels below a folder."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self._prefix + folder) as days:
            for day in days:
                if day.name.startswith("date=") and day.is_dir():
                    found += [f"{folder}{day.name}/{name}" for name in os.listdir(day.path)]
        return sorted(found)

    def scan_options(self) -> dict[str, str] | None:
        """None: the addresses are plain paths."""
        return None


def _stamp(status: os.stat_result) -> Stamp:
    # The inode tells apart two files of one size written within a tick of the file system's clock.
    return status.st_size, status.st_mtime_ns, status.st_ino


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _write_beside(target: Path, data: bytes) -> Stamp:
    temporary = target.parent / f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}{_TEMPORARY}"
    try:
        # Not mkstemp: its files are private to one user, and the lake's readers may be others.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            stamp = _stamp(os.fstat(file.fileno()))
        # The folder is not synced: a power cut may bring the old partition back, never half of one.
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return stamp


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left; a living writer's file is younger than the limit."""
    oldest = time.time() - STALE_SECONDS
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < oldest:
                        os.unlink(entry.path)


def _explained(error: OSError, target: Path, size: int, root: Path) -> Exception:
    if error.errno in _FULL:
        existing = next(path for path in (target.parent, *target.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        return LakeFull(
            f"{target}: no room to write {size:,} bytes ({os.strerror(error.errno or 0)}; {free:,} bytes free "
            f"on the disk); nothing was changed. Free space or move the lake (lake.uri), then run again"
        )
    return FixConfiguration(
        f"{target}: cannot be written ({error.strerror}); make {root} writable or change lake.uri"
    )
