"""Reading one kline file of any origin: what can be read is judged later, what cannot be says why."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from apps.cli.bars.table import AMOUNTS, FEATHER, NUMBERS, load_csv, load_table, named_columns
from apps.cli.bars.times import parse_times, time_units
from trading.bars.faults.finding import FaultKind
from trading.errors import BadData

#: Endings of the files that a folder is searched for.
ENDINGS = (".csv", ".csv.gz", ".tsv", ".zip", ".parquet", ".pq", *sorted(FEATHER))
_NAME = re.compile(r"(?P<symbol>[A-Za-z0-9_]+?)-\d+[smhdwM](o)?\b")


class DamagedFile(BadData):
    """The file is cut short, or is not the one that its checksum vouches for."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class KlineFile:
    """The bars of a file, in its own order.

    Attributes
    ----------
    bars
        ``symbol``, ``open_time`` (ms, UTC; null where a value is no time), the prices, and what there
        is of volume and amounts as float64; null where a value is no number.
    units
        What the file counts its times in, most frequent first; more than one is a fault.
    verified
        Whether a checksum beside the file vouches for it; None without one.
    """

    path: Path
    bars: pl.DataFrame
    units: tuple[str, ...]
    verified: bool | None


def read_kline_file(path: Path) -> KlineFile:
    """Read a CSV, zip or Parquet file.

    Raises
    ------
    DamagedFile
        If the file contradicts its ``.CHECKSUM``, or is cut short.
    NoBars
        If it has no columns of bars.
    BadData
        If it cannot be read at all, or holds no row.
    """
    verified = _verified(path)
    name = _NAME.match(path.name)
    symbol = name["symbol"] if name else path.name.split(".")[0]
    table = named_columns(path, _table(path), symbol=symbol, optional=("volume", *AMOUNTS))
    if table.is_empty():
        raise BadData(f"{path}: holds no bar")
    numbers = [name for name in (*NUMBERS, *AMOUNTS) if name in table.columns]
    bars = table.with_columns(
        parse_times(table["open_time"]).alias("open_time"),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in numbers),
    )
    return KlineFile(path, bars, time_units(table["open_time"]), verified)


def kline_files(path: Path) -> list[Path]:
    """The file itself, or every file of a folder, at any depth, that bars may be in, by name.

    Raises
    ------
    BadData
        If the folder holds none.
    """
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.lower().endswith(ENDINGS))
    if not found:
        raise BadData(f"{path}: holds no file that ends in {', '.join(ENDINGS)}")
    return found


def _table(path: Path) -> pl.DataFrame:
    if path.suffix.lower() == ".zip":
        try:
            return load_csv(_only_csv(path), path)
        except pl.exceptions.PolarsError as error:
            raise BadData(f"{path}: the CSV inside cannot be read: {error}") from error
    try:
        return load_table(path)
    except BadData as error:
        if path.suffix.lower() in (".parquet", ".pq", ".gz", *FEATHER):
            raise DamagedFile(FaultKind.TRUNCATED_FILE, str(error)) from error
        raise


def _only_csv(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(entries) != 1:
                raise BadData(
                    f"{path}: holds {len(entries)} CSV files, expected one; unpack it and check the folder"
                )
            return archive.read(entries[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DamagedFile(
            FaultKind.TRUNCATED_FILE, f"{path}: is no whole zip ({error}); fetch it again"
        ) from error


def _verified(path: Path) -> bool | None:
    checksum = path.with_name(f"{path.name}.CHECKSUM")
    if not checksum.is_file():
        return None
    expected = checksum.read_text(encoding="ascii", errors="replace").split()[:1]
    with path.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if expected != [actual]:
        raise DamagedFile(
            FaultKind.BAD_CHECKSUM,
            f"{path}: its SHA-256 is {actual}, {checksum.name} says {' '.join(expected) or 'nothing'}; "
            "do not use it, fetch both again",
        )
    return True
