"""Daily archive files as a source: the fast path for history, with REST for what is not published."""

from __future__ import annotations

import hashlib
import io
import os
import weakref
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import polars as pl

from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.columns import BINANCE_COLUMNS, ordered, to_klines
from resources.market_data.settings import ArchiveSettings
from trading.errors import BadData, RetryLater
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS

_TRIES = 2


class ArchiveMarketData:
    """Verified daily zips where they are published, REST klines where not (today, usually).

    Parameters
    ----------
    rest
        Source of instruments, of the time, and of days that the archive does not have yet.
    """

    name = "archive"

    def __init__(self, settings: ArchiveSettings, rest: BinanceMarketData) -> None:
        self._settings = settings
        self._rest = rest
        self._http = httpx.Client(
            base_url=settings.base_url.rstrip("/") + "/",
            timeout=settings.timeout_seconds,
            trust_env=not settings.base_url.startswith("http://127.0.0.1"),
        )
        weakref.finalize(self, self._http.close)
        self._cache = Path(settings.cache_folder) if settings.cache_folder else None

    def now_ms(self) -> int:
        """The venue's server time."""
        return self._rest.now_ms()

    def instruments(self) -> list[Instrument]:
        """Every instrument that the venue trades now."""
        return self._rest.instruments()

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each symbol's first kline."""
        return self._rest.listed_at_ms(symbols)

    def klines(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        Rows from a zip have the source ``archive``, the others that of the REST source.

        Raises
        ------
        BadData
            If a file contradicts its checksum twice, or cannot be read: names the file.
        RetryLater
            If the archive cannot be reached.
        """
        now_ms = self.now_ms()
        closed_ms = min(end_ms, now_ms // MINUTE_MS * MINUTE_MS)
        days = range(start_ms // DAY_MS * DAY_MS, closed_ms, DAY_MS)
        wanted = [(symbol, day_ms) for symbol in dict.fromkeys(symbols) for day_ms in days]
        with ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix=self.name) as pool:
            futures = [pool.submit(self._day, symbol, day_ms, now_ms) for symbol, day_ms in wanted]
            try:
                found = [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        absent: dict[int, list[str]] = {}
        for (symbol, day_ms), frame in zip(wanted, found, strict=True):
            if frame is None:
                absent.setdefault(day_ms, []).append(symbol)
        rest = [
            self._rest.klines(names, max(day_ms, start_ms), min(day_ms + DAY_MS, closed_ms))
            for day_ms, names in absent.items()
        ]
        inside = pl.col("open_time").dt.epoch("ms").is_between(start_ms, closed_ms, closed="left")
        return ordered([*(frame for frame in found if frame is not None), *rest]).filter(inside)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._rest.close()

    def _day(self, symbol: str, day_ms: int, now_ms: int) -> pl.DataFrame | None:
        """The klines of one file; None when it is not published."""
        if day_ms + DAY_MS > now_ms:
            return None
        day = datetime.fromtimestamp(day_ms / 1000, UTC).date()
        name = f"{symbol}-1m-{day.isoformat()}.zip"
        cached = self._cache / symbol / name if self._cache else None
        if cached is not None and cached.is_file():
            return read_zip(cached.read_bytes(), name, symbol, day)
        content = self._verified(f"data/spot/daily/klines/{symbol}/1m/{name}", name)
        if content is None:
            return None
        frame = read_zip(content, name, symbol, day)
        if cached is not None:
            _keep(content, cached)
        return frame

    def _verified(self, path: str, name: str) -> bytes | None:
        for _ in range(_TRIES):
            content = self._fetch(path)
            expected = None if content is None else self._fetch(path + ".CHECKSUM")
            if content is None or expected is None:
                return None
            if expected.split()[:1] == [hashlib.sha256(content).hexdigest().encode()]:
                return content
        raise BadData(f"{name}: the file contradicts its CHECKSUM, twice; do not use it, try again later")

    def _fetch(self, path: str) -> bytes | None:
        error: Exception | None = None
        for _ in range(_TRIES):
            try:
                response = self._http.get(path)
            except httpx.TransportError as failed:
                error = failed
                continue
            if response.status_code == 404:
                return None
            if response.is_success:
                return response.content
            error = RetryLater(f"{response.request.url} answered {response.status_code}")
        raise RetryLater(f"{self._settings.base_url}/{path} cannot be read: {error!r}") from error


def read_zip(content: bytes, name: str, symbol: str, day: date) -> pl.DataFrame:
    """Klines of one daily archive file, in milliseconds whatever the file counts in.

    Raises
    ------
    BadData
        If the file is no zip of one CSV with the twelve columns, or has rows of another day.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (entry,) = archive.namelist()
            text = archive.read(entry)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise BadData(f"{name} is no zip with one file ({error}); delete it and fetch it again") from error
    return read_csv(text, name, symbol, day)


def read_csv(text: bytes, name: str, symbol: str, day: date) -> pl.DataFrame:
    """Klines of the CSV inside a daily archive file; raises `BadData` naming the file."""
    if text[:9] == b"open_time":
        text = text.partition(b"\n")[2]
    try:
        frame = pl.read_csv(io.BytesIO(text), has_header=False, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadData(f"{name} cannot be read as CSV: {error}") from error
    if frame.width != len(BINANCE_COLUMNS):
        raise BadData(f"{name} has {frame.width} columns, expected {len(BINANCE_COLUMNS)}")
    frame.columns = list(BINANCE_COLUMNS)
    klines = to_klines(frame, symbol=symbol, source="archive", where=name)
    others = klines.filter(pl.col("open_time").dt.date() != day)
    if others.height:
        raise BadData(f"{name} has {others.height} rows of another day, first {others['open_time'][0]}")
    return klines


def _keep(content: bytes, path: Path) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
