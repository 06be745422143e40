"""Archive zips into the lake, from a local server, against a plain pandas loader of the same zips.

The zips and the server stand before the clock starts. Ours downloads, verifies every checksum, parses, checks
the schema, sorts and stores daily partitions with their record of versions. The peer is what one writes in twenty
lines: every zip and its checksum fetched and compared, ``pandas.read_csv``, joined and stored as daily Parquet; it
checks nothing of the rows and keeps no record. Two figures more: what the checksums cost the peer, and the easiest
job of all, pandas only reading the zips from the disk.

    python -m benchmarks.archive [--times N]
"""

from __future__ import annotations

import argparse
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
from urllib.request import urlopen

import polars as pl

from benchmarks.home import SYMBOLS, Home, Measured
from trading.model.days import days_between

FIRST, LAST = date(2025, 11, 1), date(2026, 1, 29)
_NAMES = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"]
_NAMES += ["taker_buy_base", "taker_buy_quote", "ignore"]


def measure(home: Home, times: int = 1) -> dict[str, object]:
    """Write the archive, then time the loaders in turns, each in a process of its own; the best of each counts."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        written = _write_archive(archive)
        with _served(archive) as url:
            runs = [_run(home, folder, archive, url, number) for number in range(times)]
    best = {
        name: min((run[name] for run in runs), key=lambda done: done.output["seconds"]) for name in runs[0]
    }
    ours = best["ours"]
    rows = ours.output["rows"]
    rates = {name: done.output["rows"] / done.output["seconds"] for name, done in best.items()}
    return {
        "symbols": SYMBOLS,
        "days": len(days_between(FIRST, LAST)),
        "zips": written,
        "rows": rows,
        "times": times,
        "seconds": {name: round(done.output["seconds"], 1) for name, done in best.items()},
        "processor_seconds": {
            name: round(done.output["processor_seconds"], 1) for name, done in best.items()
        },
        "peak_mib": {name: round(done.peak_mib) for name, done in best.items()},
        "bytes_per_row_in_the_lake": round(ours.output["bytes"] / rows, 1),
        "again_byte_identical": ours.output["again_byte_identical"],
        "times_the_rows_per_second_of": {
            name: round(rates["ours"] / rate, 2) for name, rate in rates.items() if name != "ours"
        },
    }


def _run(home: Home, folder: str, archive: Path, url: str, number: int) -> dict[str, Measured]:
    """Ours, pandas at the same job, the same without checksums, and pandas only reading."""
    module, store = "benchmarks.archive", f"{folder}/store-{number}"
    return {
        "ours": home.run(module, "ours", url, f"{store}-lake"),
        "pandas": home.run(module, "pandas", str(archive), "verify", f"{store}-pandas", url),
        "pandas_without_checksums": home.run(module, "pandas", str(archive), "trust", f"{store}-trust", url),
        "pandas_only_reading": home.run(module, "pandas", str(archive)),
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
    # Servers of files send at once: without this, every kept connection waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

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
    from resources.storing import Storing
    from trading.model.days import end_ms, start_ms
    from trading.simulation.market import Market
    from trading.simulation.settings import MarketSettings
    from warehouse.datasets.market import KLINES
    from warehouse.lake.lake import PartitionInfo, open_lake

    listed = {item.symbol: item.listed_at_ms for item in Market(MarketSettings(count=SYMBOLS)).instruments()}
    stamp = pl.Datetime("ms", "UTC")
    frame = pl.DataFrame(
        {"symbol": list(listed), "listed_at": list(listed.values()), "delisted_at": [None] * len(listed)}
    )
    universe = frame.with_columns(pl.col("listed_at", "delisted_at").cast(pl.Int64).cast(stamp)).sort(
        "symbol"
    )
    days = days_between(FIRST, LAST)
    # Who was listed after a day is not asked for: the universe of the day is known.
    members = {
        day: universe.filter(pl.col("listed_at").is_null() | (pl.col("listed_at").dt.date() <= day))
        for day in days
    }

    def ingest(uri: str) -> tuple[float, float, dict[date, PartitionInfo]]:
        source = ArchiveMarketData(
            ArchiveSettings(base_url=url), BinanceMarketData(BinanceSettings(base_url=url))
        )
        lake = open_lake(uri)
        kline_ingest = KlineIngest(lake, source)
        begun, processor = time.perf_counter(), time.process_time()
        source.prefetch(universe["symbol"].to_list(), start_ms(days[0]), end_ms(days[-1]))
        fetched = {}

        def written(day: date, info: PartitionInfo) -> None:
            kline_ingest.record(day, fetched.pop(day), info)

        with Storing(lake, KLINES, written=written) as storing:
            for day in days:
                fetched[day] = kline_ingest.fetch(members[day], day)
                storing.put(day, fetched[day].klines)
        seconds, processor = time.perf_counter() - begun, time.process_time() - processor
        source.close()
        return seconds, processor, {info.day: info for info in storing.infos}

    seconds, processor, infos = ingest(lake_uri)
    *_, again = ingest(f"{lake_uri}-again")
    shutil.rmtree(f"{lake_uri}-again")
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "rows": sum(info.rows for info in infos.values()),
        "bytes": sum(info.size_bytes for info in infos.values()),
        "again_byte_identical": {d: i.sha256 for d, i in again.items()}
        == {d: i.sha256 for d, i in infos.items()},
    }


def _pandas(archive: str, mode: str = "", store: str = "", url: str = "") -> dict[str, object]:
    import pandas as pd

    paths = sorted(Path(archive).rglob("*.zip"))
    begun, processor = time.perf_counter(), time.process_time()
    frames = []
    for path in paths:
        where = f"{url}/{path.relative_to(archive)}" if url else str(path)
        content = _verified(where) if mode == "verify" else where
        frame = pd.read_csv(content, header=None, names=_NAMES, compression="zip")
        frame["open_time"] = pd.to_datetime(frame["open_time"], unit="us", utc=True)
        frame["symbol"] = path.name.split("-")[0]
        frames.append(frame)
    everything = pd.concat(frames, ignore_index=True)
    if store:
        for day, rows in everything.groupby(everything["open_time"].dt.date):
            folder = Path(store) / f"date={day}"
            folder.mkdir(parents=True)
            rows.sort_values(["symbol", "open_time"]).to_parquet(folder / "data.parquet", compression="zstd")
    return {
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - processor,
        "rows": len(everything),
    }


def _verified(url: str) -> io.BytesIO:
    with urlopen(f"{url}.CHECKSUM") as answer:
        expected = answer.read().split()[0].decode()
    with urlopen(url) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{url} contradicts its checksum")
    return io.BytesIO(content)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=1)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), "http://127.0.0.1:9", history_days=45)
        print(json.dumps(measure(home, parser.parse_args().times), indent=1))


if __name__ == "__main__":
    workers = {"ours": _ours, "pandas": _pandas}
    if sys.argv[1:2] and sys.argv[1] in workers:
        print(json.dumps(workers[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
