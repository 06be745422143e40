"""The folder of verified archive files: a file under its final name is whole and agrees with its checksum."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from resources.market_data.archive.layout import ArchiveFile
from trading.errors import RetryLater
from warehouse.datasets.certificates import KLINE_SOURCES


@dataclass(frozen=True, slots=True)
class Held:
    """A verified file: where it is, its SHA-256 as the venue published it, and its size."""

    path: Path
    sha256: str
    size_bytes: int


class Shelf:
    """Files under the archive's own paths; those that outlive the shelf have their ``.CHECKSUM`` beside them.

    Parameters
    ----------
    folder
        Where files are kept; None keeps them in a temporary folder for as long as the shelf lives.

    Attributes
    ----------
    durable
        Whether files outlive the shelf, and are therefore flushed to the disk.
    """

    def __init__(self, folder: Path | None) -> None:
        self.durable = folder is not None
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="tidemill-archive-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = folder
        self._held: dict[ArchiveFile, Held] = {}

    def held(self, file: ArchiveFile) -> Held | None:
        """The file, if it is here; one that was damaged since it was kept is dropped.

        The content is compared with the checksum once in the life of the shelf.
        """
        known = self._held.get(file)
        if known is not None:
            return known
        path = self._path(file)
        checksum = _checksum_of(path)
        if not path.is_file() or not checksum.is_file():
            return None
        expected = checksum.read_text(encoding="ascii", errors="replace").split()[:1]
        actual = _digest(path)
        if expected != [actual]:
            path.unlink(missing_ok=True)
            return None
        return self._remember(file, actual)

    @property
    def locks(self) -> Path:
        """Folder of the locks that processes claim files with."""
        return self.folder / ".locks"

    def part(self, file: ArchiveFile) -> Path:
        """Where the file grows until it is whole; its folder is made.

        Raises
        ------
        RetryLater
            If the folder cannot be made.
        """
        part = _part_of(self._path(file))
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error
        return part

    def accept(self, file: ArchiveFile, expected: str, actual: str | None = None) -> bool:
        """Give a finished part its final name, if it agrees with the checksum; otherwise drop it.

        Parameters
        ----------
        actual
            SHA-256 of the part, where it is known already; otherwise it is read.

        Raises
        ------
        RetryLater
            If the folder cannot be written to.
        """
        path = self._path(file)
        part = _part_of(path)
        if (actual or _digest(part)) != expected:
            part.unlink()
            return False
        try:
            if self.durable:
                # The checksum first: whoever sees the file sees what vouches for it.
                _write(_checksum_of(path), f"{expected}  {file.name}\n")
                _flush(part)
            part.replace(path)
        except OSError as error:
            raise self.unwritable(error) from error
        self._remember(file, expected)
        return True

    def unwritable(self, error: OSError) -> RetryLater:
        """The error for a folder that takes no more."""
        return RetryLater(
            f"the archive's cache {self.folder} cannot be written: {error}; free space, or name another "
            "folder in market_data.archive.cache_folder; what was downloaded whole is kept"
        )

    def _remember(self, file: ArchiveFile, sha256: str) -> Held:
        path = self._path(file)
        return self._held.setdefault(file, Held(path, sha256, path.stat().st_size))

    def _path(self, file: ArchiveFile) -> Path:
        return self.folder / file.folder / file.name


def sources_of(files: Iterable[tuple[ArchiveFile, Held | None]], source: str) -> pl.DataFrame:
    """The files that are held, each once, as ``kline_sources`` rows."""
    found = {file: held for file, held in files if held is not None}
    rows = [(file.symbol, file.name, held.sha256, held.size_bytes, source) for file, held in found.items()]
    return pl.DataFrame(rows, schema=KLINE_SOURCES.schema, orient="row")


def _write(path: Path, text: str) -> None:
    part = _part_of(path)
    part.write_text(text, encoding="ascii")
    _flush(part)
    part.replace(path)


def _flush(path: Path) -> None:
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


def _checksum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.CHECKSUM")


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
