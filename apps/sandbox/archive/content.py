"""What the archive's files say: one CSV per zip, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date, timedelta

import polars as pl

from apps.sandbox.archive.faults import ArchiveFaults
from apps.sandbox.archive.names import ArchiveFile
from apps.sandbox.backing import Backing, FuturesBacking, Minutes
from apps.sandbox.render import klines_csv
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from trading.simulation.futures import FuturesMarket
from trading.simulation.moments import midnight_ms

#: From this day on the spot archive counts microseconds; the futures archive never does.
MICROSECONDS_FROM = date(2025, 1, 1)
_KLINES_HEADER = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    b"taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
_TIME_TEXT = "%Y-%m-%d %H:%M:%S"


class ArchiveContent:
    """Builds the archive's files from the backings.

    Parameters
    ----------
    futures
        The futures market; None where there is none.
    """

    def __init__(self, spot: Backing, futures: FuturesBacking | None, faults: ArchiveFaults) -> None:
        self._spot = spot
        self._futures = futures
        self._faults = faults
        self._pairs = frozenset(item.symbol for item in spot.instruments())

    def zip(self, file: ArchiveFile, now_ms: int) -> bytes | None:
        """The file; None when there is nothing to put into it."""
        text = self._csv(file, now_ms)
        if not text:
            return None
        entry = zipfile.ZipInfo(
            file.name.removesuffix(".zip") + ".csv", (*file.first_day.timetuple()[:3], 0, 0, 0)
        )
        entry.compress_type = zipfile.ZIP_DEFLATED
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(entry, text, compresslevel=1)
        return buffer.getvalue()

    def _csv(self, file: ArchiveFile, now_ms: int) -> bytes:
        if file.series is Series.SPOT:
            days = (self._spot_klines(file.symbol, day, now_ms) for day in file.each_day())
            return b"".join(days) if file.symbol in self._pairs else b""
        if self._futures is None or file.symbol not in self._futures.market.contracts:
            return b""
        if file.series is not None:
            source = self._futures.bars[file.series]
            header = _KLINES_HEADER
            days = (self._klines(source, file.series, file.symbol, day, now_ms) for day in file.each_day())
        elif file.kind == "funding":
            header = b"calc_time,funding_interval_hours,last_funding_rate\n"
            days = (_funding(self._futures.market, file.symbol, day) for day in file.each_day())
        else:
            return _metrics(self._futures.market, file.symbol, file.first_day)
        rows = b"".join(days)
        return header + rows if rows else b""

    def _spot_klines(self, symbol: str, day: date, now_ms: int) -> bytes:
        if self._spot.end_ms is not None and midnight_ms(day) >= self._spot.end_ms:
            return b""
        return self._klines(self._spot, Series.SPOT, symbol, day, now_ms)

    def _klines(self, source: Minutes, series: Series, symbol: str, day: date, now_ms: int) -> bytes:
        minutes = source.day(symbol, midnight_ms(day))
        if minutes.is_empty():
            return b""
        minutes = self._faults.archived(minutes, series, symbol, day, now_ms)
        spot = series is Series.SPOT
        if spot:
            # A CSV can leave a field empty where the protocol's JSON has to write a zero.
            minutes = minutes.with_columns(
                pl.lit(None).cast(minutes.schema[name]).alias(name) for name in self._spot.missing
            )
        return klines_csv(minutes, MINUTE_MS, microseconds=spot and day >= MICROSECONDS_FROM)


def _funding(market: FuturesMarket, symbol: str, day: date) -> bytes:
    rows = market.funding(symbol, day)
    lines = zip(
        rows["funding_time"].dt.epoch("ms"), rows["interval_hours"], rows["funding_rate"], strict=True
    )
    return "".join(f"{at_ms},{hours},{rate:.8f}\n" for at_ms, hours, rate in lines).encode()


def _metrics(market: FuturesMarket, symbol: str, day: date) -> bytes:
    """The day's metrics from five past midnight to the midnight that ends it, as Binance cuts them."""
    rows = pl.concat([market.positions(symbol, day), market.positions(symbol, day + timedelta(days=1))])
    since_midnight = pl.col("time").dt.epoch("ms") - midnight_ms(day)
    rows = rows.filter((since_midnight > 0) & (since_midnight <= DAY_MS))
    if rows.is_empty():
        return b""
    named = rows.select(
        pl.col("time").dt.strftime(_TIME_TEXT).alias("create_time"),
        pl.lit(symbol).alias("symbol"),
        *(
            pl.col(name).alias(f"sum_{name}" if name.startswith("open_interest") else name)
            for name in rows.columns[1:]
        ),
    )
    return named.write_csv(float_precision=8).encode()


def checksum(name: str, content: bytes) -> bytes:
    """The checksum file, as sha256sum writes it."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
