"""Backfill of 90 days of 50 symbols, and one day of it rebuilt alone to the same bytes."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from benchmarks.home import NOW, SYMBOLS, Home, Measured

DAYS = 90


def last_day() -> date:
    return date.fromisoformat(NOW[:10]) - timedelta(days=1)


def measure(home: Home) -> dict[str, object]:
    last = last_day()
    first = last - timedelta(days=DAYS - 1)
    whole = _backfill(home, first, last)
    middle = first + timedelta(days=DAYS * 2 // 3)
    before = _hashes(home.folder, middle)
    alone = _backfill(home, middle, middle)
    after = _hashes(home.folder, middle)
    return {
        "days": DAYS,
        "symbols": SYMBOLS,
        "minute_bars": DAYS * SYMBOLS * 1440,
        "seconds": round(whole.seconds, 1),
        "peak_mib": round(whole.peak_mib),
        "succeeded": whole.output["succeeded"],
        "one_day_seconds": round(alone.seconds, 1),
        "rebuilt_partitions": len(after),
        "identical_partitions": sum(before[path] == digest for path, digest in after.items()),
    }


def _backfill(home: Home, first: date, last: date) -> Measured:
    return home.run("apps.cli.main", "backfill", "--from", str(first), "--to", str(last), "--json")


def _hashes(folder: Path, day: date) -> dict[str, str]:
    files = sorted((folder / "var" / "lake").glob(f"**/date={day}/*.parquet"))
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}
