"""The part of a file that grows while its rest comes."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from resources.market_data.archive.http import Answer
from resources.market_data.reader import is_web_page, web_page
from trading.errors import RetryLater


class Saving:
    """Writes what comes after what is there, or in its place where the server begins anew.

    Attributes
    ----------
    have
        Bytes of an earlier run.
    sha256
        Of the part, in hex, once the context has ended; None where bytes of an earlier run are in it.
    """

    def __init__(self, part: Path) -> None:
        self.have = part.stat().st_size if part.is_file() else 0
        self._part = part
        self._out: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._anew = False
        self.sha256: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()
            if self._anew:
                self.sha256 = self._hash.hexdigest()

    def receive(self, answer: Answer, data: bytes) -> None:
        """Keep a piece of a successful answer.

        Raises
        ------
        RetryLater
            If the answer is a web page, or another range than was asked for.
        OSError
            If the part cannot be written.
        """
        if self._out is None:
            self._out = self._begin(answer, data)
        self._out.write(data)
        self._hash.update(data)

    def _begin(self, answer: Answer, data: bytes) -> BinaryIO:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            if is_web_page(answer.headers, data):
                raise web_page(answer.url)
            self._anew = True
            return self._part.open("wb")
        if not answer.headers.get("content-range", "").startswith(f"bytes {self.have}-"):
            self._part.unlink(missing_ok=True)
            raise RetryLater(f"{answer.url} answered with another range than was asked for")
        return self._part.open("ab")
