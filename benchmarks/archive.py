"""Archive zips into the lake, from a local server, against a plain pandas loader of the same zips.

The zips and the server stand before the clock starts. Ours downloads, verifies every checksum, parses, checks
the schema, sorts and stores daily partitions with their record of versions. The peer is what one writes in ten
lines: ``pandas.read_csv`` of every zip's address, joined and stored as daily Parquet; no checksum, no check. A
third figure is the easiest job of all: pandas only reading the zips from the disk.
"""

from __future__ import annotations

import calendar
import functools
import hashlib
import http.server
import io
import json
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from multiprocessing import Process, Queue
from pathlib import Path

import polars as pl

from benchmarks.home import SYMBOLS, Home
from trading.model.days import days_between

FIRST, LAST = date(2025, 11, 1), date(2026, 1, 29)
_NAMES = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"]
_NAMES += ["taker_buy_base", "taker_buy_quote", "ignore"]


def measure(home: Home) -> dict[str, object]:
    """Write the archive, then time both loaders, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        written = _write_archive(archive)
        with _served(archive) as url:
            ours = home.run("benchmarks.archive", "ours", url, f"{folder}/lake")
            storing = home.run("benchmarks.archive", "pandas", str(archive), f"{folder}/pandas", url)
        reading = home.run("benchmarks.archive", "pandas", str(archive))
    rows = ours.output["rows"]
    return {
        "symbols": SYMBOLS,
        "days": len(days_between(FIRST, LAST)),
        "zips": written,
        "rows": rows,
        "seconds": round(ours.output["seconds"], 1),
        "peak_mib": round(ours.peak_mib),
        "bytes_per_row_in_the_lake": round(ours.output["bytes"] / rows, 1),
        "again_byte_identical": ours.output["again_byte_identical"],
        "pandas_reading_seconds": round(reading.output["seconds"], 1),
        "pandas_same_job_seconds": round(storing.output["seconds"], 1),
        "times_the_rows_per_second_of_pandas_reading": round(
            reading.output["seconds"] / ours.output["seconds"] * rows / reading.output["rows"], 2
        ),
        "times_the_rows_per_second_of_pandas_same_job": round(
            storing.output["seconds"] / ours.output["seconds"] * rows / storing.output["rows"], 2
        ),
    }


def _write_archive(root: Path) -> int:
    """Monthly zips of the whole months and daily zips of the rest, of the simulated market."""
    from trading.simulation.market import Market
    from trading.simulation.settings import MarketSettings

    market = Market(MarketSettings(count=SYMBOLS))
    count = 0
    for symbol in sorted(item.symbol for item in market.instruments()):
        days = [day for day in days_between(FIRST, LAST) if market.minutes(symbol, day).height]
        by_month: dict[tuple[int, int], list[date]] = {}
        for day in days:
            by_month.setdefault((day.year, day.month), []).append(day)
        for (year, month), of_month in by_month.items():
            whole = of_month[-1].day == calendar.monthrange(year, month)[1]
            groups = [(f"{year}-{month:02}", of_month)] if whole else []
            groups += [] if whole else [(day.isoformat(), [day]) for day in of_month]
            for label, group in groups:
                rows = pl.concat([market.minutes(symbol, day) for day in group])
                folder = root / "data/spot" / ("monthly" if whole else "daily") / "klines" / symbol / "1m"
                _write_zip(folder, f"{symbol}-1m-{label}", rows)
                count += 1
    return count


def _write_zip(folder: Path, name: str, rows: pl.DataFrame) -> None:
    opened = pl.col("open_time").dt.epoch("us")
    columns = [
        opened.alias("open_time"),
        *(pl.col(part) for part in ("open", "high", "low", "close", "volume")),
        (opened + 59_999_999).alias("close_time"),
        *(pl.col(part) for part in ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")),
        pl.lit(0).alias("ignore"),
    ]
    text = rows.select(columns).write_csv(include_header=False, float_precision=8)
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{name}.csv", text)
    (folder / f"{name}.zip").write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    (folder / f"{name}.zip.CHECKSUM").write_text(f"{digest}  {name}.zip\n")


@contextmanager
def _served(root: Path) -> Iterator[str]:
    """The folder over HTTP, by a process of its own."""
    port: Queue[int] = Queue()
    process = Process(target=_serve, args=(str(root), port), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=30)}"
    finally:
        process.terminate()
        process.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/api/v3/time"):  # the venue's clock: two days after the last file
            now_ms = int(datetime(LAST.year, LAST.month, LAST.day + 2, tzinfo=UTC).timestamp()) * 1000
            body = json.dumps({"serverTime": now_ms}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        return


def _serve(root: str, port: Queue[int]) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=root))
    threading.Thread(target=port.put, args=(server.server_port,)).start()
    server.serve_forever()


def _ours(url: str, lake_uri: str) -> dict[str, object]:
    from resources.ingest import KlineIngest
    from resources.market_data.archive.source import ArchiveMarketData
    from resources.market_data.binance.source import BinanceMarketData
    from resources.market_data.settings import ArchiveSettings, BinanceSettings
    from trading.model.days import end_ms, start_ms
    from trading.simulation.market import Market
    from trading.simulation.settings import MarketSettings
    from warehouse.datasets.market import KLINES
    from warehouse.lake.lake import open_lake

    listed = {item.symbol: item.listed_at_ms for item in Market(MarketSettings(count=SYMBOLS)).instruments()}
    stamp = pl.Datetime("ms", "UTC")
    frame = pl.DataFrame(
        {"symbol": list(listed), "listed_at": list(listed.values()), "delisted_at": [None] * len(listed)}
    )
    universe = frame.with_columns(pl.col("listed_at", "delisted_at").cast(pl.Int64).cast(stamp)).sort(
        "symbol"
    )
    days = days_between(FIRST, LAST)

    def ingest(uri: str) -> tuple[float, int, dict[date, str], int]:
        source = ArchiveMarketData(
            ArchiveSettings(base_url=url), BinanceMarketData(BinanceSettings(base_url=url))
        )
        lake = open_lake(uri)
        kline_ingest = KlineIngest(lake, source)
        begun = time.perf_counter()
        source.prefetch(universe["symbol"].to_list(), start_ms(days[0]), end_ms(days[-1]))
        infos = []
        for day in days:
            # Who was listed after the day is not asked for: the universe of the day is known.
            members = universe.filter(pl.col("listed_at").is_null() | (pl.col("listed_at").dt.date() <= day))
            found = kline_ingest.fetch(members, day)
            infos.append(lake.write(KLINES, day, found.klines))
            kline_ingest.record(day, found, infos[-1])
        seconds = time.perf_counter() - begun
        source.close()
        hashes = {info.day: info.sha256 for info in infos}
        return seconds, sum(info.rows for info in infos), hashes, sum(info.size_bytes for info in infos)

    seconds, rows, hashes, size = ingest(lake_uri)
    *_, again, _ = ingest(f"{lake_uri}-again")
    shutil.rmtree(f"{lake_uri}-again")
    return {
        "seconds": seconds,
        "rows": rows,
        "bytes": size,
        "again_byte_identical": again == hashes,
    }


def _pandas(archive: str, store: str = "", url: str = "") -> dict[str, object]:
    import pandas as pd

    paths = sorted(Path(archive).rglob("*.zip"))
    begun = time.perf_counter()
    frames = []
    for path in paths:
        where = f"{url}/{path.relative_to(archive)}" if url else path
        frame = pd.read_csv(where, header=None, names=_NAMES, compression="zip")
        frame["open_time"] = pd.to_datetime(frame["open_time"], unit="us", utc=True)
        frame["symbol"] = path.name.split("-")[0]
        frames.append(frame)
    everything = pd.concat(frames, ignore_index=True)
    if store:
        for day, rows in everything.groupby(everything["open_time"].dt.date):
            folder = Path(store) / f"date={day}"
            folder.mkdir(parents=True)
            rows.sort_values(["symbol", "open_time"]).to_parquet(folder / "data.parquet", compression="zstd")
    return {"seconds": time.perf_counter() - begun, "rows": len(everything)}


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    print(json.dumps(_ours(*arguments) if mode == "ours" else _pandas(*arguments)))
