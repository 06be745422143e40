"""A folder of one-minute klines, Parquet or CSV, as a source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from resources.market_data.columns import BINANCE_COLUMNS, lacks, require_known, to_klines
from resources.market_data.rows import between, joined
from resources.market_data.settings import FilesSettings
from trading.bars.filters import derive_instrument
from trading.errors import BadData, FixConfiguration
from trading.model.contract import underlying
from trading.model.days import end_ms as end_of
from trading.model.days import start_ms as start_of
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Market, Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.market import KLINES

_SYMBOL = re.compile(r"^[A-Z0-9]{4,}")
#: Symbol, first and last open time (ms).
_Span = tuple[str, int, int]
_PATTERNS = ("*.parquet", "*.csv", "*.csv.gz")


class FilesMarketData:
    """Spot klines of a folder, read once. Now is the end of the newest kline.

    There are no futures, and so no funding and no open interest: asking for them is an error that
    names the sources that have them.

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

    def instruments(self, market: Market = Market.SPOT) -> list[Instrument]:
        """Every symbol found; filters derive from the data."""
        if market is not Market.SPOT:
            raise lacks(self.name, f"instruments of {market}")
        return [
            _instrument(str(symbol), rows)
            for (symbol,), rows in self._klines.group_by("symbol", maintain_order=True)
        ]

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each symbol's first kline."""
        known = {item.symbol: item.listed_at_ms for item in self.instruments()}
        require_known(symbols, list(known), self.name)
        return {symbol: known[symbol] for symbol in symbols}

    def klines(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """Klines of the symbols with ``start_ms <= open_time < end_ms``."""
        if series is not Series.SPOT:
            raise lacks(self.name, f"klines of the series {series}")
        require_known(symbols, self._klines["symbol"].unique().sort().to_list(), self.name)
        chosen = self._klines.filter(pl.col("symbol").is_in(list(symbols)))
        return between(chosen, "open_time", start_ms, end_ms)

    def prefetch(
        self,
        symbols: Sequence[str],
        start_ms: int,
        end_ms: int,
        series: Series = Series.SPOT,
        report: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Nothing: the files are here."""

    def evidence(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """The files that hold klines of the range, with their SHA-256 of now: nobody published one."""
        if series is not Series.SPOT:
            raise lacks(self.name, f"klines of the series {series}")
        rows = [
            (symbol, file.relative_to(self._folder).as_posix(), *_digest_and_size(file), self.name)
            for file, spans in self._read[1].items()
            for symbol, first_ms, last_ms in spans
            if symbol in symbols and first_ms < end_ms and last_ms >= start_ms
        ]
        return pl.DataFrame(rows, schema=KLINE_SOURCES.schema, orient="row").sort(KLINE_SOURCES.key)

    def daily_volumes(self, symbols: Sequence[str], first_day: date, last_day: date) -> pl.DataFrame:
        """Traded value of each day that the klines have; of a day not over yet there is none.

        Where a file has no ``quote_volume``, a minute's value is taken as its volume at its close.
        """
        until_ms = min(end_of(last_day), self.now_ms() // DAY_MS * DAY_MS)
        klines = self.klines(symbols, start_of(first_day), until_ms)
        value = pl.coalesce("quote_volume", pl.col("volume") * pl.col("close"))
        return (
            klines.group_by("symbol", pl.col("open_time").dt.date().alias("day"))
            .agg(value.sum().alias("quote_volume"))
            .filter(pl.col("quote_volume") > 0)
            .sort("symbol", "day")
        )

    def funding_rates(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Always an error: files hold spot klines."""
        raise lacks(self.name, "funding rates")

    def open_interest(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Always an error: files hold spot klines."""
        raise lacks(self.name, "open interest")

    def funding_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Always an error: files hold spot klines."""
        raise lacks(self.name, "funding rates")

    def open_interest_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Always an error: files hold spot klines."""
        raise lacks(self.name, "open interest")

    @property
    def _klines(self) -> pl.DataFrame:
        return self._read[0]

    @cached_property
    def _read(self) -> tuple[pl.DataFrame, dict[Path, list[_Span]]]:
        """All klines, and what each file holds."""
        files = sorted(file for pattern in _PATTERNS for file in self._folder.rglob(pattern))
        if not files:
            raise FixConfiguration(f"market_data.files.folder {self._folder} has no {', '.join(_PATTERNS)}")
        frames = {file: read_file(file) for file in files}
        return joined(frames.values(), KLINES), {file: _spans(klines) for file, klines in frames.items()}


def _spans(klines: pl.DataFrame) -> list[_Span]:
    times = pl.col("open_time").dt.epoch("ms")
    spans = klines.group_by("symbol").agg(times.min().alias("first"), times.max().alias("last"))
    return spans.rows()


def _instrument(symbol: str, klines: pl.DataFrame) -> Instrument:
    derived = derive_instrument(symbol, klines)
    coin, multiplier = underlying(derived.base)
    return replace(derived, underlying=coin, multiplier=multiplier)


def _digest_and_size(file: Path) -> tuple[str, int]:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size


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
