"""The folder of the kill chain's files, and how they are written: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trading.errors import FixConfiguration

#: Name of the guard's journal in the folder.
JOURNAL_FILE = "guard.journal"


def control_folder(home: Path) -> Path:
    """Where the kill flag, the heartbeats and the guard's journal lie under a home folder.

    It needs no setting, so that a halt works while the configuration is broken.
    """
    return home / "var" / "control"


def write_whole(path: Path, content: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace a file in one step; a reader sees the old content or the new one.

    Parameters
    ----------
    durable
        Return only when it survives a power cut.
    mode
        Who may read it. What trading and guard both read must not depend on which user wrote it.

    Raises
    ------
    FixConfiguration
        If the folder cannot be written; the old content is then still there.
    """
    draft = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(draft, path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        raise FixConfiguration(
            f"{path}: cannot be written ({error.strerror}); make its folder writable, or free some space"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
