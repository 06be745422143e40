"""A folder of one-minute klines, Parquet or CSV, as a source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import polars as pl

from resources.market_data.columns import BINANCE_COLUMNS, ordered, require_known, to_klines
from resources.market_data.settings import FilesSettings
from trading.bars.filters import derive_instrument
from trading.errors import BadData, FixConfiguration
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS

_SYMBOL = re.compile(r"^[A-Z0-9]{4,}")
_PATTERNS = ("*.parquet", "*.csv", "*.csv.gz")


class FilesMarketData:
    """Klines of a folder, read once. Now is the end of the newest kline.

    Raises
    ------
    FixConfiguration
        If the folder is missing or empty, or holds bars longer than a minute.
    BadData
        If a file cannot be klines: names the file and the row.
    """

    name = "files"

    def __init__(self, settings: FilesSettings) -> None:
        self._folder = Path(settings.folder)
        if not settings.folder or not self._folder.is_dir():
            raise FixConfiguration(
                f"market_data.files.folder is {settings.folder!r}; name a folder of 1m klines"
            )

    def now_ms(self) -> int:
        """End of the newest kline."""
        return int(self._klines["open_time"].dt.epoch("ms").max() or 0) + MINUTE_MS  # type: ignore[arg-type]

    def instruments(self) -> list[Instrument]:
        """Every symbol found; filters derive from the data."""
        return [
            derive_instrument(str(symbol), rows)
            for (symbol,), rows in self._klines.group_by("symbol", maintain_order=True)
        ]

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each symbol's first kline."""
        known = {item.symbol: item.listed_at_ms for item in self.instruments()}
        require_known(symbols, list(known), self.name)
        return {symbol: known[symbol] for symbol in symbols}

    def klines(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Klines of the symbols with ``start_ms <= open_time < end_ms``."""
        require_known(symbols, self._klines["symbol"].unique().sort().to_list(), self.name)
        inside = pl.col("open_time").dt.epoch("ms").is_between(start_ms, end_ms, closed="left")
        return self._klines.filter(inside & pl.col("symbol").is_in(list(symbols)))

    @cached_property
    def _klines(self) -> pl.DataFrame:
        files = sorted(file for pattern in _PATTERNS for file in self._folder.rglob(pattern))
        if not files:
            raise FixConfiguration(f"market_data.files.folder {self._folder} has no {', '.join(_PATTERNS)}")
        return ordered(read_file(file) for file in files)


def read_file(file: Path) -> pl.DataFrame:
    """Klines of one Parquet or CSV file."""
    parquet = file.suffix == ".parquet"
    frame = pl.read_parquet(file, hive_partitioning=False) if parquet else _read_csv(file)
    symbol = None if "symbol" in frame.columns else _symbol_of(file)
    klines = to_klines(frame, symbol=symbol, source="files", where=str(file))
    steps = klines.sort("symbol", "open_time").select(
        pl.col("open_time").diff().over("symbol").dt.total_milliseconds().alias("step")
    )
    usual = steps["step"].drop_nulls().mode().sort()
    if usual.len() and usual[0] > MINUTE_MS:
        raise FixConfiguration(
            f"{file} has bars of {int(usual[0]) // MINUTE_MS} minutes; the klines dataset needs 1m files"
        )
    return klines


def _read_csv(file: Path) -> pl.DataFrame:
    try:
        head = pl.read_csv(file, has_header=False, infer_schema=False, n_rows=1)
        named = "open_time" in head.row(0)
        frame = pl.read_csv(file, has_header=named, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadData(f"{file} cannot be read as CSV: {error}") from error
    if named:
        return frame
    if frame.width != len(BINANCE_COLUMNS):
        raise BadData(
            f"{file} has {frame.width} columns without names; expected a header with open_time, or "
            f"the {len(BINANCE_COLUMNS)} columns of Binance's archive"
        )
    frame.columns = list(BINANCE_COLUMNS)
    return frame


def _symbol_of(file: Path) -> str:
    match = _SYMBOL.match(file.name)
    if match is None:
        raise BadData(f"{file} has no symbol column, and its name does not start with a symbol")
    return match.group()
