from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from resources.market_data.archive.download import Choice, Downloader
from resources.market_data.archive.layout import ArchiveFile, kline_day, kline_month
from resources.market_data.archive.shelf import Shelf
from resources.market_data.settings import ArchiveSettings
from resources.market_data.surroundings import Surroundings
from tests.venue_server import VenueServer
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.series import Series

DAY = kline_day(Series.SPOT, "BTCUSDT", date(2025, 1, 1))
CONTENT = os.urandom(300_000)


class Waits:
    """Seconds that only the test advances, and a record of the pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.paused: list[float] = []

    async def pause(self, duration: float) -> None:
        self.paused.append(duration)

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(seconds=lambda: self.now, chance=lambda: 1.0, pause=self.pause)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def downloader(venue: VenueServer, shelf: Shelf, waits: Waits, attempts: int = 3) -> Downloader:
    settings = ArchiveSettings(base_url=venue.base_url, attempts=attempts, timeout_seconds=5)
    return Downloader(settings, shelf, waits.surroundings)


def parts(shelf: Shelf) -> list[Path]:
    return list(shelf.folder.rglob("*.part"))


def zips(shelf: Shelf) -> list[Path]:
    return list(shelf.folder.rglob("*.zip"))


def test_a_broken_connection_is_gone_on_with(venue: VenueServer, shelf: Shelf, waits: Waits) -> None:
    venue.serve(DAY, CONTENT)
    venue.cut[f"/{DAY.path}"] = 100_000
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    held = shelf.held(DAY)
    assert held is not None
    assert held.path.read_bytes() == CONTENT
    assert (held.sha256, held.size_bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    first, second = venue.asked(".zip")
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 100_000
    assert waits.paused == [0.5]
    assert not parts(shelf)


def test_a_server_that_falls_silent_is_left_and_gone_on_with(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    venue.serve(DAY, CONTENT)
    venue.stall[f"/{DAY.path}"] = 100_000
    settings = ArchiveSettings(base_url=venue.base_url, attempts=2, timeout_seconds=1)
    Downloader(settings, shelf, waits.surroundings).fetch([Choice(DAY)])
    assert zips(shelf)[0].read_bytes() == CONTENT
    first, second = venue.asked(".zip")
    assert (first, second.startswith("bytes=")) == ("", True)


def test_a_server_that_is_not_there_is_named(shelf: Shelf, waits: Waits) -> None:
    settings = ArchiveSettings(base_url="http://127.0.0.1:9", attempts=2, timeout_seconds=5)
    with pytest.raises(RetryLater, match=r"http://127\.0\.0\.1:9/data/.*CHECKSUM cannot be read: .*curl 7"):
        Downloader(settings, shelf, waits.surroundings).fetch([Choice(DAY)])
    assert waits.paused == [0.5]


def test_a_file_without_a_byte_is_judged_by_its_checksum(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    venue.serve(DAY, b"", checksum="0" * 64)
    with pytest.raises(BadData, match="contradicts its CHECKSUM, twice"):
        downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert not parts(shelf)


def test_another_range_than_was_asked_for_is_not_kept(venue: VenueServer, shelf: Shelf, waits: Waits) -> None:
    venue.serve(DAY, CONTENT)
    shelf.part(DAY).write_bytes(CONTENT[:1000])
    venue.answers[f"/{DAY.path}"] = [(206, {"Content-Range": "bytes 5-9/10"}, CONTENT[5:10])]
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert zips(shelf)[0].read_bytes() == CONTENT
    assert venue.asked(".zip") == ["bytes=1000-", ""]


def test_a_server_without_ranges_sends_the_whole_file_again(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    venue.serve(DAY, CONTENT)
    venue.ranges = False
    venue.cut[f"/{DAY.path}"] = 100_000
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert zips(shelf)[0].read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT[:1000], CONTENT, CONTENT + b"more", b"of an older version"])
def test_what_an_earlier_run_left_is_used_only_if_the_checksum_holds(
    venue: VenueServer, shelf: Shelf, waits: Waits, left: bytes
) -> None:
    venue.serve(DAY, CONTENT)
    shelf.part(DAY).write_bytes(left)
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert zips(shelf)[0].read_bytes() == CONTENT
    assert venue.asked(".zip")[0] == f"bytes={len(left)}-"
    assert not parts(shelf)


def test_a_file_that_contradicts_its_checksum_twice_is_refused_and_leaves_nothing(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    venue.serve(DAY, CONTENT, checksum="0" * 64)
    with pytest.raises(BadData, match=r"BTCUSDT-1m-2025-01-01\.zip: .*contradicts its CHECKSUM, twice"):
        downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert len(venue.asked(".zip")) == 2
    assert not zips(shelf)
    assert not parts(shelf)


@pytest.mark.parametrize("checksum", [b"", b"abc  BTCUSDT-1m-2025-01-01.zip", b"0" * 64 + b"  ETHUSDT.zip"])
def test_a_checksum_of_another_file_is_refused(
    venue: VenueServer, shelf: Shelf, waits: Waits, checksum: bytes
) -> None:
    venue.serve(DAY, CONTENT)
    venue.files[f"/{DAY.path}.CHECKSUM"] = checksum
    with pytest.raises(BadData, match=r"zip\.CHECKSUM is .*expected a SHA-256 and the name BTCUSDT"):
        downloader(venue, shelf, waits).fetch([Choice(DAY)])


@pytest.mark.parametrize("ending", ["", ".CHECKSUM"])
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_instead_of_a_file_is_named(
    venue: VenueServer, shelf: Shelf, waits: Waits, ending: str, kind: str
) -> None:
    venue.serve(DAY, CONTENT)
    page = (200, {"Content-Type": kind}, b"<!DOCTYPE html><html>Sign in to the network</html>")
    venue.answers[f"/{DAY.path}{ending}"] = [page] * 3
    with pytest.raises(RetryLater, match="answered with a web page instead of data"):
        downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert waits.paused == [0.5, 1.0]
    assert not zips(shelf)


def test_failures_that_may_pass_are_tried_again(venue: VenueServer, shelf: Shelf, waits: Waits) -> None:
    venue.serve(DAY, CONTENT)
    venue.answers[f"/{DAY.path}"] = [(503, {}, b"busy"), (500, {}, b"")]
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert len(zips(shelf)) == 1
    venue.answers[f"/{DAY.path}.CHECKSUM"] = [(503, {}, b"busy")] * 3
    other = Shelf(shelf.folder / "other")
    with pytest.raises(RetryLater, match="answered 503: busy"):
        downloader(venue, other, waits).fetch([Choice(DAY)])


def test_a_refusal_is_not_repeated(venue: VenueServer, shelf: Shelf, waits: Waits) -> None:
    venue.answers[f"/{DAY.path}.CHECKSUM"] = [(403, {}, b"not from here")] * 2
    with pytest.raises(FixConfiguration, match=r"403: not from here; correct market_data\.archive\.base_url"):
        downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert len(venue.requests) == 1


def test_an_unpublished_month_gives_way_to_its_days_and_progress_counts_them(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    month = kline_month(Series.SPOT, "BTCUSDT", date(2025, 1, 1))
    days = tuple(kline_day(Series.SPOT, "BTCUSDT", date(2025, 1, day)) for day in (1, 2, 3))
    for day in days[:2]:
        venue.serve(day, CONTENT)
    told: list[tuple[str, int, int]] = []
    fetcher = downloader(venue, shelf, waits)
    fetcher.fetch([Choice(month, days)], lambda *progress: told.append(progress))
    assert sorted(file.name for file in zips(shelf)) == [day.name for day in days[:2]]
    assert told[0] == (month.name, 1, 4)
    assert told[-1][1:] == (4, 4)
    asked = len(venue.requests)
    fetcher.fetch([Choice(month, days)])
    assert len(venue.requests) == asked  # what is not published is not asked for again at once
    waits.now = 601.0
    venue.serve(days[2], CONTENT)
    fetcher.fetch([Choice(month, days)])
    assert shelf.held(days[2]) is not None


def test_a_file_damaged_on_the_shelf_is_fetched_again(venue: VenueServer, shelf: Shelf, waits: Waits) -> None:
    venue.serve(DAY, CONTENT)
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    zips(shelf)[0].write_bytes(b"PK damaged")
    later = Shelf(shelf.folder)
    assert later.held(DAY) is None
    downloader(venue, later, waits).fetch([Choice(DAY)])
    held = later.held(DAY)
    assert held is not None
    assert held.path.read_bytes() == CONTENT


def test_a_temporary_shelf_goes_with_its_owner() -> None:
    shelf = Shelf(None)
    folder = shelf.folder
    shelf.part(DAY).write_bytes(b"x")
    assert folder.is_dir()
    del shelf
    assert not folder.exists()


def test_a_loop_that_is_running_already_is_no_obstacle(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    import asyncio

    venue.serve(DAY, CONTENT)

    async def inside() -> None:
        downloader(venue, shelf, waits).fetch([Choice(DAY)])

    asyncio.run(inside())
    assert len(zips(shelf)) == 1


SCRIPT = """
    import sys
    from datetime import date
    from pathlib import Path
    from resources.market_data.archive.download import Choice, Downloader
    from resources.market_data.archive.layout import kline_day
    from resources.market_data.archive.shelf import Shelf
    from resources.market_data.settings import ArchiveSettings
    from resources.market_data.surroundings import Surroundings
    from trading.model.series import Series

    {before}
    files = [kline_day(Series.SPOT, "BTCUSDT", date(2025, 1, day)) for day in range(1, 1 + int(sys.argv[3]))]
    settings = ArchiveSettings(base_url=sys.argv[1], attempts=1)
    Downloader(settings, Shelf(Path(sys.argv[2])), Surroundings()).fetch([Choice(file) for file in files])
"""


def start(venue: VenueServer, folder: Path, files: int = 1, before: str = "") -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT).format(before=before)
    return subprocess.Popen(
        [sys.executable, "-c", script, venue.base_url, str(folder), str(files)],
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail(what)


def test_a_killed_download_leaves_only_a_part_and_is_gone_on_with(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    venue.serve(DAY, CONTENT)
    venue.stall[f"/{DAY.path}"] = 200_000
    process = start(venue, shelf.folder)
    part = shelf.part(DAY)
    until(lambda: part.is_file() and part.stat().st_size >= 100_000, "the download never began")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not zips(shelf)
    assert CONTENT.startswith(part.read_bytes())
    size = part.stat().st_size
    downloader(venue, shelf, waits).fetch([Choice(DAY)])
    assert venue.asked(".zip") == ["", f"bytes={size}-"]
    assert zips(shelf)[0].read_bytes() == CONTENT
    assert not parts(shelf)


def test_processes_share_one_cache_and_download_each_file_once(venue: VenueServer, shelf: Shelf) -> None:
    files = [kline_day(Series.SPOT, "BTCUSDT", date(2025, 1, day)) for day in range(1, 11)]
    for file in files:
        venue.serve(file, CONTENT)
    together = [start(venue, shelf.folder, len(files)) for _ in range(3)]
    assert [process.communicate()[1] for process in together] == [""] * 3
    assert len(venue.asked(".zip")) == len(files)
    assert {file.read_bytes() == CONTENT for file in zips(shelf)} == {True}


def test_a_full_disk_is_named_and_keeps_what_was_whole(
    venue: VenueServer, shelf: Shelf, waits: Waits
) -> None:
    small = b"PK" + os.urandom(1_000)
    files: list[ArchiveFile] = [kline_day(Series.SPOT, "BTCUSDT", date(2025, 1, day)) for day in (1, 2)]
    venue.serve(files[0], small)
    venue.serve(files[1], CONTENT)
    downloader(venue, shelf, waits).fetch([Choice(files[0])])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = start(venue, shelf.folder, 2, before=limit)
    _, said = process.communicate()
    assert process.returncode != 0
    assert "RetryLater: the archive's cache" in said
    assert "free space" in said
    assert [file.name for file in zips(shelf)] == [files[0].name]
    downloader(venue, shelf, waits).fetch([Choice(file) for file in files])
    assert len(zips(shelf)) == 2
