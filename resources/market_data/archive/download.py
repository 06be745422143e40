"""The asynchronous downloader of archive files: many at once, over HTTP/2 where the server speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from resources.market_data.archive.http import ArchiveHttp
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.shelf import Shelf
from resources.market_data.archive.transfer import Transfer
from resources.market_data.settings import ArchiveSettings
from resources.market_data.surroundings import Patience, Surroundings
from trading.errors import BadData

Report = Callable[[str, int, int], None]
#: How long a file that was not published, or was bad, is not asked for again.
_UNUSABLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A file, and those that hold the same rows where it is not published."""

    file: ArchiveFile
    otherwise: tuple[ArchiveFile, ...] = ()


class Downloader:
    """Brings files onto a shelf; one run at a time uses one client."""

    def __init__(self, settings: ArchiveSettings, shelf: Shelf, surroundings: Surroundings) -> None:
        self._settings = settings
        self._shelf = shelf
        self._surroundings = surroundings
        self._asked: dict[ArchiveFile, float] = {}
        self._bad: dict[ArchiveFile, BadData] = {}

    def fetch(self, choices: Sequence[Choice], report: Report | None = None) -> None:
        """Put every file that is published onto the shelf, or those that stand in for it.

        Parameters
        ----------
        report
            Called with a file's name, the files done and their number, which grows when a month
            turns out to be unpublished and its days are fetched instead.

        Raises
        ------
        BadData
            If a file is not what the venue's checksum says and nothing stands in for it; every other
            file is on the shelf then.
        RetryLater, FixConfiguration
            The first failure; it ends the run. Files that were finished stay, and parts of others
            are gone on with in the next run.
        """
        wanted = [choice for choice in choices if not self._settled(choice)]
        if wanted:
            _run(lambda: self._fetch(wanted, report))
        for choice in choices:
            needed = () if self._shelf.held(choice.file) else (choice.file, *choice.otherwise)
            bad = [self._bad[file] for file in needed if file in self._bad and self._known_unusable(file)]
            if bad and not all(self._shelf.held(file) for file in choice.otherwise or (choice.file,)):
                raise bad[-1]

    def _settled(self, choice: Choice) -> bool:
        if self._shelf.held(choice.file) is not None:
            return True
        return self._known_unusable(choice.file) and all(
            self._known_unusable(file) or self._shelf.held(file) is not None for file in choice.otherwise
        )

    def _known_unusable(self, file: ArchiveFile) -> bool:
        asked = self._asked.get(file)
        return asked is not None and self._surroundings.seconds() - asked < _UNUSABLE_SECONDS

    async def _fetch(self, choices: Sequence[Choice], report: Report | None) -> None:
        settings = self._settings
        patience = Patience(settings.attempts, settings.backoff_seconds, settings.backoff_limit_seconds)
        async with ArchiveHttp(
            settings.base_url, timeout_seconds=settings.timeout_seconds, connections=settings.concurrency
        ) as http:
            transfer = Transfer(http, self._shelf, patience, self._surroundings)
            run = _Run(transfer, self._known_unusable, report)
            unusable = await run.work(choices, settings.concurrency)
        for file, error in unusable.items():
            self._asked[file] = self._surroundings.seconds()
            self._bad.pop(file, None)
            if error is not None:
                self._bad[file] = error


class _Run:
    """One run's queue of files and its progress."""

    def __init__(
        self, transfer: Transfer, known_unusable: Callable[[ArchiveFile], bool], report: Report | None
    ) -> None:
        self._transfer = transfer
        self._known_unusable = known_unusable
        self._report = report
        self._queue: asyncio.Queue[Choice] = asyncio.Queue()
        self._unusable: dict[ArchiveFile, BadData | None] = {}
        self._total = 0
        self._done = 0

    async def work(self, choices: Iterable[Choice], workers: int) -> dict[ArchiveFile, BadData | None]:
        """Go through the queue; returns the files that are not published (None) or bad, and how."""
        for choice in choices:
            self._add(choice)
        tasks = [asyncio.create_task(self._worker()) for _ in range(workers)]
        drained = asyncio.create_task(self._queue.join())
        try:
            await asyncio.wait([drained, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # a worker ends only by failing
        finally:
            for task in (drained, *tasks):
                task.cancel()
            await asyncio.gather(drained, *tasks, return_exceptions=True)
        return self._unusable

    async def _worker(self) -> None:
        while True:
            choice = await self._queue.get()
            if not await self._brought(choice.file):
                for file in choice.otherwise:
                    self._add(Choice(file))
            self._done += 1
            if self._report is not None:
                self._report(choice.file.name, self._done, self._total)
            self._queue.task_done()

    async def _brought(self, file: ArchiveFile) -> bool:
        if self._known_unusable(file):
            return False
        try:
            published = await self._transfer.bring(file)
        except BadData as error:
            self._unusable[file] = error
            return False
        if not published:
            self._unusable[file] = None
        return published

    def _add(self, choice: Choice) -> None:
        self._total += 1
        self._queue.put_nowait(choice)


def _run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a coroutine to its end, also where the caller is inside an event loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work()).result()
