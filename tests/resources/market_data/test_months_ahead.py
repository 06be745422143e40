"""The next month is parsed while one is read, and what is wrong with a file is told to its reader."""

from __future__ import annotations

import hashlib
import threading
from datetime import date
from pathlib import Path

import pytest

from resources.market_data.archive.arrivals import Arrivals, Batch
from resources.market_data.archive.layout import ArchiveFile, kline_month
from resources.market_data.archive.months_ahead import Month, MonthsAhead
from resources.market_data.archive.parsed import ParsedFiles
from resources.market_data.archive.shelf import Held, Shelf
from tests.venue_server import zipped
from trading.errors import BadData
from trading.model.days import days_between, start_ms
from trading.model.interval import MINUTE_MS
from trading.model.series import Series

ROOM = 1 << 30
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Watched(ParsedFiles):
    """Remembers which files were parsed before they were asked for."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self.prepared: list[str] = []
        self.finished = threading.Condition()

    def prepare(self, file: ArchiveFile, held: Held, series: Series) -> None:
        try:
            super().prepare(file, held, series)
        finally:
            with self.finished:
                self.prepared.append(file.name)
                self.finished.notify_all()

    def wait_for(self, count: int) -> set[str]:
        with self.finished:
            assert self.finished.wait_for(lambda: len(self.prepared) >= count, 30)
            return set(self.prepared)


def keep(shelf: Shelf, file: ArchiveFile, content: bytes) -> None:
    folder = shelf.folder / file.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / f"{file.name}.CHECKSUM").write_text(f"{digest}  {file.name}\n")


def month_text(file: ArchiveFile) -> bytes:
    """Three minutes of each day, a day in the middle without any."""
    lines = []
    for day in days_between(file.first_day, file.last_day):
        for minute in range(0 if day.day == 15 else 3):
            opened = (start_ms(day) + minute * MINUTE_MS) * 1000
            lines.append(f"{opened},1,2,0.5,{day.day},1,{opened + 59_999_999},1,1,1,1,0")
    return "\n".join(lines).encode() + b"\n"


def files_of(first: date) -> list[ArchiveFile]:
    return [kline_month(Series.SPOT, symbol, first) for symbol in SYMBOLS]


def months() -> list[Month]:
    return [
        Month(
            Series.SPOT,
            days_between(files_of(first)[0].first_day, files_of(first)[0].last_day),
            files_of(first),
        )
        for first in MONTHS
    ]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    for first in MONTHS:
        for file in files_of(first):
            keep(shelf, file, zipped(file.entry, month_text(file)))
    return shelf


def names(*firsts: date) -> set[str]:
    return {file.name for first in firsts for file in files_of(first)}


def test_a_month_is_parsed_while_the_one_before_is_read(shelf: Shelf) -> None:
    parsed = Watched(ROOM)
    ahead = MonthsAhead(shelf, Arrivals(), parsed)
    ahead.begin(months())
    assert parsed.wait_for(2) == names(MONTHS[0])
    ahead.reach(Series.SPOT, date(2025, 11, 7))
    assert parsed.wait_for(4) == names(*MONTHS[:2]), "the third waits until the second is read"
    ahead.reach(Series.SPOT, date(2025, 12, 1))
    assert parsed.wait_for(6) == names(*MONTHS)
    ahead.reach(Series.USDM, date(2025, 12, 1))
    ahead.reach(Series.SPOT, date(2024, 1, 1))
    assert len(parsed.prepared) == 6


def test_each_day_has_its_own_rows(shelf: Shelf) -> None:
    parsed = ParsedFiles(ROOM)
    file = files_of(MONTHS[1])[0]
    held = shelf.held(file)
    assert held is not None
    for day in days_between(file.first_day, file.last_day):
        rows = parsed.day(file, held, Series.SPOT, day)
        assert rows["close"].to_list() == ([] if day.day == 15 else [float(day.day)] * 3)


def test_a_day_waits_for_files_that_are_on_their_way(shelf: Shelf) -> None:
    parsed, arrivals, gate = Watched(ROOM), Arrivals(), threading.Event()
    month = months()[0]
    arrivals.begin(
        [Batch(month.files[:1], lambda: None), Batch(month.files[1:], lambda: gate.wait(30) and None)]
    )
    ahead = MonthsAhead(shelf, arrivals, parsed)
    ahead.begin([month])
    assert parsed.wait_for(1) == {month.files[0].name}, "what has come is parsed while the rest comes"
    gate.set()
    ahead.reach(Series.SPOT, month.days[0])
    assert set(parsed.prepared) == names(MONTHS[0])


def test_a_bad_file_is_told_to_whoever_reads_it(shelf: Shelf) -> None:
    bad, good = files_of(MONTHS[0])
    keep(shelf, bad, b"PK no zip")
    parsed = Watched(ROOM)
    ahead = MonthsAhead(shelf, Arrivals(), parsed)
    ahead.begin(months()[:1])
    ahead.reach(Series.SPOT, MONTHS[0])
    held = {file: shelf.held(file) for file in (bad, good)}
    assert parsed.day(good, held[good], Series.SPOT, MONTHS[0]).height == 3
    with pytest.raises(BadData, match="is no whole zip"):
        parsed.day(bad, held[bad], Series.SPOT, MONTHS[0])


def test_months_without_room_are_left_to_the_reader(shelf: Shelf) -> None:
    parsed = Watched(1 << 20)
    ahead = MonthsAhead(shelf, Arrivals(), parsed)
    ahead.begin(months())
    ahead.reach(Series.SPOT, MONTHS[0])
    assert parsed.prepared == []
