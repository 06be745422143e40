"""Bringing one archive file onto the shelf: verified, resumed, tried again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from resources.market_data.archive.claims import Claims
from resources.market_data.archive.http import Answer, ArchiveHttp
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.saving import Saving
from resources.market_data.archive.shelf import Shelf
from resources.market_data.reader import is_web_page, refusal, web_page
from resources.market_data.surroundings import Patience, Surroundings
from trading.errors import BadData, RetryLater, TradingError

_CHECKSUM = re.compile(r"^(?P<sha256>[0-9a-f]{64}) [ *](?P<name>\S+)\s*$")
_WHOLE_TRIES = 2
_Result = TypeVar("_Result")


class Transfer:
    """Downloads of one run over one asynchronous client."""

    def __init__(
        self, http: ArchiveHttp, shelf: Shelf, patience: Patience, surroundings: Surroundings
    ) -> None:
        self._http = http
        self._shelf = shelf
        self._claims = Claims(shelf.locks)
        self._patience = patience
        self._surroundings = surroundings

    async def bring(self, file: ArchiveFile) -> bool:
        """Put the file onto the shelf; False when it is not published.

        A part that an earlier run left behind is gone on with, where the server allows that.

        Raises
        ------
        BadData
            If two whole downloads contradict the checksum, or the checksum is of another file.
        RetryLater
            If the archive cannot be read, or the shelf cannot be written.
        FixConfiguration
            If the server refuses the request.
        """
        async with self._claims.claim(file.path):
            if self._shelf.held(file) is not None:
                return True
            whole_tries = 0
            while whole_tries < _WHOLE_TRIES:
                expected = await self._patiently(file.path, partial(self._checksum, file))
                if expected is None:
                    return False
                part = self._shelf.part(file)
                resumed = part.is_file() and part.stat().st_size > 0
                saved = await self._patiently(file.path, partial(self._continue, file, part))
                if saved is None:
                    return False
                if await self._accepted(file, expected, saved.sha256):
                    return True
                # A part of an older version of the file proves nothing against the newer one.
                whole_tries += not resumed
        raise BadData(
            f"{file.name}: the file contradicts its CHECKSUM, twice; do not use it, try again later"
        )

    async def _accepted(self, file: ArchiveFile, expected: str, actual: str | None) -> bool:
        if (
            self._shelf.durable or actual is None
        ):  # flushed to the disk, or read again: others go on meanwhile
            return await asyncio.to_thread(self._shelf.accept, file, expected, actual)
        return self._shelf.accept(file, expected, actual)

    async def _checksum(self, file: ArchiveFile) -> str | None:
        answer = await self._http.get(f"{file.path}.CHECKSUM")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise _refused(answer)
        if is_web_page(answer.headers, answer.content):
            raise web_page(answer.url)
        match = _CHECKSUM.match(answer.text)
        if match is None or match["name"].rsplit("/", 1)[-1] != file.name:
            raise BadData(
                f"{file.name}.CHECKSUM is {answer.text[:120]!r}, expected a SHA-256 and the name {file.name}"
            )
        return match["sha256"]

    async def _continue(self, file: ArchiveFile, part: Path) -> Saving | None:
        """Download what the part lacks; None when the file is not published."""
        try:
            with Saving(part) as saving:
                # Compressed on the way, a file could not be gone on with.
                headers = ["Accept-Encoding: identity"]
                if saving.have:
                    headers.append(f"Range: bytes={saving.have}-")
                answer = await self._http.get(file.path, headers, saving.receive)
            if answer.is_success:
                if saving.sha256 is None:
                    part.touch()  # a body without a byte is a file too
                return saving
        except OSError as error:
            raise self._shelf.unwritable(error) from error
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return saving if saving.have else None  # nothing is left: the checksum judges what is there
        raise _refused(answer)

    async def _patiently(self, path: str, read: Callable[[], Awaitable[_Result]]) -> _Result:
        """The read, repeated after failures that may pass."""
        last: RetryLater | None = None
        for attempt in range(self._patience.attempts):
            if attempt:
                await self._surroundings.pause(
                    self._patience.pause_seconds(attempt, self._surroundings.chance())
                )
            try:
                return await read()
            except RetryLater as error:
                last = error
        raise last or RetryLater(f"{path} was never tried")


def _refused(answer: Answer) -> TradingError:
    return refusal(answer.url, answer.status, answer.text, answer.headers, "market_data.archive.base_url")
