"""Replay of recorded one-minute klines from a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from trading.bars.filters import derive_instrument
from trading.errors import BadData, FixConfiguration
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS

_NEEDED = ("symbol", "open_time", "open", "high", "low", "close", "volume")
_OPTIONAL: dict[str, pl.DataType | type[pl.DataType]] = {
    "quote_volume": pl.Float64,
    "trades": pl.Int64,
    "taker_buy_base": pl.Float64,
    "taker_buy_quote": pl.Float64,
}


class ReplayBacking:
    """Klines of a folder, one or more symbols per file.

    Where a file lacks quote volume, the exchange serves volume times the mean of open, high, low
    and close, and says so (``derived``). Columns that cannot be derived are served as zero, because
    the protocol has no null, and named in ``missing``.

    Raises
    ------
    FixConfiguration
        If the folder has no Parquet files, or their bars are not one minute long.
    BadData
        If a file lacks a column.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
        if not files:
            raise FixConfiguration(f"sandbox.replay_folder {folder} has no .parquet files")
        self._frames: dict[str, pl.DataFrame] = {}
        derived: set[str] = set()
        missing: set[str] = set()
        for file in files:
            frame = _read(file)
            _require_minutes(frame, file)
            absent = [name for name in _OPTIONAL if frame[name].null_count()]
            derived.update(name for name in absent if name == "quote_volume")
            missing.update(name for name in absent if name != "quote_volume")
            for (symbol,), rows in frame.group_by("symbol", maintain_order=True):
                self._frames[str(symbol)] = _filled(rows)
        self.derived = tuple(name for name in _OPTIONAL if name in derived)
        self.missing = tuple(name for name in _OPTIONAL if name in missing)
        self._instruments = [derive_instrument(name, rows) for name, rows in sorted(self._frames.items())]
        bounds = [rows["open_time"].dt.epoch("ms") for rows in self._frames.values()]
        self.start_ms = min(int(times[0]) for times in bounds)
        self.end_ms: int | None = max(int(times[-1]) for times in bounds) + MINUTE_MS

    def instruments(self) -> list[Instrument]:
        """Every pair found in the folder; filters derive from the data."""
        return list(self._instruments)

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Klines of one symbol and UTC day."""
        frame = self._frames[symbol]
        times = frame["open_time"].dt.epoch("ms")
        first, last = times.search_sorted(start_ms), times.search_sorted(start_ms + DAY_MS)
        return frame.slice(int(first), int(last) - int(first))


def _read(file: Path) -> pl.DataFrame:
    frame = pl.read_parquet(file, hive_partitioning=False)
    absent = [name for name in _NEEDED if name not in frame.columns]
    if absent:
        raise BadData(f"{file} lacks the column(s) {', '.join(absent)}; it has {', '.join(frame.columns)}")
    optional = [
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in _OPTIONAL.items()
    ]
    times = pl.col("open_time")
    times = times.dt.cast_time_unit("ms") if frame["open_time"].dtype.is_temporal() else times
    return frame.select(
        "symbol",
        times.cast(pl.Int64).cast(pl.Datetime("ms", "UTC")).alias("open_time"),
        *(pl.col(name).cast(pl.Float64) for name in _NEEDED[2:]),
        *optional,
    ).sort("symbol", "open_time")


def _require_minutes(frame: pl.DataFrame, file: Path) -> None:
    steps = frame.select(pl.col("open_time").diff().over("symbol").dt.total_milliseconds().alias("step"))
    usual = steps["step"].drop_nulls().mode().sort()
    if usual.len() and usual[0] != MINUTE_MS:
        raise FixConfiguration(
            f"sandbox.replay_folder has {file} with bars of {int(usual[0]) // MINUTE_MS} minutes; "
            "one-minute klines cannot be made from longer bars: point it at a folder of 1m files"
        )


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    mean_price = pl.mean_horizontal("open", "high", "low", "close")
    return rows.with_columns(
        pl.col("quote_volume").fill_null((pl.col("volume") * mean_price).round(8)),
        *(pl.col(name).fill_null(0) for name in _OPTIONAL if name != "quote_volume"),
    )
