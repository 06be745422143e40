"""Requests to the archive's server: libcurl's, many at once, over HTTP/2 where the server speaks it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

import certifi
import pycurl

from resources.market_data.reader import uses_proxies
from trading.errors import RetryLater

#: Most bytes handed over at once: a file comes in few pieces, and each piece costs a call.
_PIECE_BYTES = 256 * 1024
#: Below a byte a second, a server is silent.
_SILENT_BYTES_PER_SECOND = 1


@dataclass(slots=True)
class Answer:
    """What a server answered.

    Attributes
    ----------
    headers
        By name in lower case.
    content
        The body; empty where a receiver took it.
    """

    url: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")


#: Takes the body of a successful answer piece by piece.
Receiver = Callable[[Answer, bytes], None]


class ArchiveHttp:
    """Reads of one event loop below an address; an asynchronous context that owns its connections.

    libcurl takes a tenth of the time of httpx here, where thousands of small files are asked for.

    Parameters
    ----------
    timeout_seconds
        Longest wait for a connection, and longest silence within an answer.
    connections
        Most connections at once.
    """

    def __init__(self, base_url: str, *, timeout_seconds: float, connections: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._connections = connections
        self._direct = not uses_proxies(base_url)
        self._trust = os.environ.get("SSL_CERT_FILE") or certifi.where()
        self._multi: pycurl.AsyncCurlMulti

    async def __aenter__(self) -> Self:
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self._connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._multi.aclose()

    async def get(self, path: str, headers: Sequence[str] = (), receive: Receiver | None = None) -> Answer:
        """Read a path below the address.

        Parameters
        ----------
        receive
            Takes the body of a successful answer; what it raises ends the request and is raised here.

        Raises
        ------
        RetryLater
            If no whole answer comes: names the address and libcurl's reason.
        """
        exchange = _Exchange(Answer(f"{self._base_url}/{path}"), receive)
        curl = self._handle(exchange, headers)
        try:
            await self._multi.perform(curl)
        except pycurl.error as error:
            if exchange.failure is not None:
                raise exchange.failure from None
            code, reason = error.args
            raise RetryLater(f"{exchange.answer.url} cannot be read: {reason} (curl {code})") from error
        return exchange.answer

    def _handle(self, exchange: _Exchange, headers: Sequence[str]) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, exchange.answer.url)
        curl.setopt(pycurl.HTTPHEADER, list(headers))
        curl.setopt(pycurl.USERAGENT, "tidemill")
        curl.setopt(pycurl.HEADERFUNCTION, exchange.header)
        curl.setopt(pycurl.WRITEFUNCTION, exchange.piece)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.BUFFERSIZE, _PIECE_BYTES)
        # Requests wait for the first one to tell whether a single connection will do for all.
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.CAINFO, self._trust)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(self._timeout_seconds * 1000))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, _SILENT_BYTES_PER_SECOND)
        curl.setopt(pycurl.LOW_SPEED_TIME, math.ceil(self._timeout_seconds))
        curl.setopt(pycurl.NOSIGNAL, 1)  # threads other than the main one download too
        if self._direct:
            curl.setopt(pycurl.PROXY, "")
        return curl


class _Exchange:
    """One request's answer, as libcurl brings it; what is raised in a callback would only be printed."""

    def __init__(self, answer: Answer, receive: Receiver | None) -> None:
        self.answer = answer
        self.failure: BaseException | None = None
        self._receive = receive

    def header(self, line: bytes) -> None:
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):  # of a proxy or an interim answer at first
            self.answer.status = int(text.split()[1])
            self.answer.headers.clear()
        elif text:
            name, _, value = text.partition(":")
            self.answer.headers[name.strip().lower()] = value.strip()

    def piece(self, data: bytes) -> int:
        """Pass on a piece of the body; taking none of it makes libcurl end the request."""
        try:
            if self._receive is None or not self.answer.is_success:
                self.answer.content += data
            else:
                self._receive(self.answer, data)
        except BaseException as error:
            self.failure = error
            return 0
        return len(data)
