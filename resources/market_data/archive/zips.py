"""The one CSV inside an archive file."""

from __future__ import annotations

import io
import zipfile
import zlib

from resources.market_data.archive.layout import ArchiveFile
from trading.errors import BadData


def csv_inside(content: bytes, file: ArchiveFile) -> bytes:
    """Text of the CSV in a zip.

    Raises
    ------
    BadData
        If the content is no zip, is cut short, or holds anything else than the CSV of its name.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.namelist()
            if entries != [file.entry]:
                raise BadData(
                    f"{file.name} holds {', '.join(entries) or 'nothing'}, expected {file.entry}; "
                    "do not use it, fetch it again"
                )
            return archive.read(file.entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadData(f"{file.name} is no whole zip ({error}); delete it and fetch it again") from error


def has_header(text: bytes, names: tuple[frozenset[str], ...], file: ArchiveFile) -> bool:
    """Whether the first line names the columns: it does not begin with a number then.

    Parameters
    ----------
    names
        What each column, in order, may be called.

    Raises
    ------
    BadData
        If a column is called something else: it may hold something else too.
    """
    first = text[:1]
    if not first or first.isdigit():
        return False
    found = text.partition(b"\n")[0].decode(errors="replace").strip().split(",")
    for number, (name, known) in enumerate(zip(found, names, strict=False), start=1):
        if name not in known:
            raise BadData(
                f"{file.name}: column {number} is called {name!r}, expected {' or '.join(sorted(known))}"
            )
    if len(found) < len(names):
        raise BadData(f"{file.name} has {len(found)} columns, expected {len(names)}")
    return True
