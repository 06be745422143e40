"""Bringing one archive file onto the shelf: verified, resumed, tried again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx

from resources.market_data.archive.claims import Claims
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.shelf import Shelf
from resources.market_data.reader import is_web_page, refused, web_page
from resources.market_data.surroundings import Patience, Surroundings
from trading.errors import BadData, RetryLater

_CHECKSUM = re.compile(r"^(?P<sha256>[0-9a-f]{64}) [ *](?P<name>\S+)\s*$")
_WHOLE_TRIES = 2
_Result = TypeVar("_Result")


class Transfer:
    """Downloads of one run over one asynchronous client.

    Parameters
    ----------
    http
        Client whose base address is the archive's.
    """

    def __init__(
        self, http: httpx.AsyncClient, shelf: Shelf, patience: Patience, surroundings: Surroundings
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
                if not await self._patiently(file.path, partial(self._continue, file, part)):
                    return False
                if await asyncio.to_thread(self._shelf.accept, file, expected):
                    return True
                # A part of an older version of the file proves nothing against the newer one.
                whole_tries += not resumed
        raise BadData(
            f"{file.name}: the file contradicts its CHECKSUM, twice; do not use it, try again later"
        )

    async def _checksum(self, file: ArchiveFile) -> str | None:
        response = await self._http.get(f"{file.path}.CHECKSUM")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success:
            raise refused(response, "market_data.archive.base_url")
        if is_web_page(response.headers, response.content):
            raise web_page(str(response.request.url))
        match = _CHECKSUM.match(response.text)
        if match is None or match["name"].rsplit("/", 1)[-1] != file.name:
            raise BadData(
                f"{file.name}.CHECKSUM is {response.text[:120]!r}, expected a SHA-256 and the name {file.name}"
            )
        return match["sha256"]

    async def _continue(self, file: ArchiveFile, part: Path) -> bool:
        """Download what the part lacks; False when the file is not published."""
        have = part.stat().st_size if part.is_file() else 0
        # Compressed on the way, a file could not be gone on with.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        async with self._http.stream("GET", file.path, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                return False
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return have > 0  # nothing is left: the checksum judges what is there
            if not response.is_success:
                await response.aread()
                raise refused(response, "market_data.archive.base_url")
            resumes = response.status_code == httpx.codes.PARTIAL_CONTENT
            if resumes and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink()
                raise RetryLater(f"{response.request.url} answered with another range than was asked for")
            await self._receive(response, part, append=resumes)
        return True

    async def _receive(self, response: httpx.Response, part: Path, *, append: bool) -> None:
        try:
            with part.open("ab" if append else "wb") as out:
                async for chunk in response.aiter_raw():
                    if not append and out.tell() == 0 and is_web_page(response.headers, chunk):
                        raise web_page(str(response.request.url))
                    out.write(chunk)
        except OSError as error:
            raise self._shelf.unwritable(error) from error

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
            except httpx.TransportError as error:
                last = RetryLater(f"{self._http.base_url}{path} cannot be read: {error!r}")
            except RetryLater as error:
                last = error
        raise last or RetryLater(f"{path} was never tried")
