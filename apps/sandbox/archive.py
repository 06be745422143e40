"""Daily archive files: one zip of one CSV per symbol and day, and its checksum."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from datetime import UTC, date, datetime

import polars as pl

from apps.sandbox.backing import Backing
from apps.sandbox.render import klines_csv
from trading.model.interval import DAY_MS, MINUTE_MS

_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]+)-1m-(?P<day>\d{4}-\d{2}-\d{2})\.zip$")
#: From this day on the spot archive counts microseconds.
MICROSECONDS_FROM = date(2025, 1, 1)


def parse_name(name: str) -> tuple[str, int, date] | None:
    """Symbol, first moment (ms) and day of an archive file's name; None for other names."""
    match = _NAME.match(name)
    if match is None:
        return None
    try:
        day = date.fromisoformat(match["day"])
    except ValueError:
        return None
    return match["symbol"], int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000, day


def daily_zip(backing: Backing, name: str, now_ms: int, delay_ms: int) -> bytes | None:
    """The file, the same bytes every time; None when it is not, or not yet, published."""
    parsed = parse_name(name)
    if parsed is None:
        return None
    symbol, start_ms, day = parsed
    known = {instrument.symbol for instrument in backing.instruments()}
    ended = backing.end_ms is not None and start_ms >= backing.end_ms
    if symbol not in known or ended or now_ms < start_ms + DAY_MS + delay_ms:
        return None
    minutes = backing.day(symbol, start_ms)
    if minutes.is_empty():
        return None
    # A CSV can leave a field empty where the protocol's JSON has to write a zero.
    minutes = minutes.with_columns(
        pl.lit(None).cast(minutes.schema[item]).alias(item) for item in backing.missing
    )
    content = klines_csv(minutes, MINUTE_MS, microseconds=day >= MICROSECONDS_FROM)
    entry = zipfile.ZipInfo(name.removesuffix(".zip") + ".csv", (day.year, day.month, day.day, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, content, compresslevel=1)
    return buffer.getvalue()


def checksum(name: str, content: bytes) -> bytes:
    """The checksum file, as sha256sum writes it."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
