"""The user-data stream: events as they come, and the call for a resync after everything that may lose one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from resources.market_data.reader import uses_proxies
from resources.market_data.surroundings import Patience, Surroundings
from resources.venues.binance.errors import Refused
from resources.venues.binance.stream.events import OrderUpdate, Resync, StreamEnded, StreamEvent
from resources.venues.binance.stream.parse import message
from resources.venues.binance.stream.sequence import Sequence
from resources.venues.binance.stream.sources import Source, expired
from trading.errors import BadData, RetryLater, UnknownOutcome

_log = logging.getLogger(__name__)
#: The library writes addresses and frames at its lowest level, and the address may hold a listen key.
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.CRITICAL)

_POLL_SECONDS = 0.5
_KEEP_ALIVE_AGAIN_SECONDS = 60.0
_PATIENCE = Patience(attempts=1, backoff_seconds=0.5, backoff_limit_seconds=30.0)
_LOST = (WebSocketException, OSError, TimeoutError, RetryLater, UnknownOutcome, BadData)


class UserStream:
    """Reads one account's stream for as long as it is wanted, over as many connections as that takes.

    Parameters
    ----------
    patience
        Pauses between connections.
    """

    def __init__(
        self,
        source: Source,
        *,
        surroundings: Surroundings | None = None,
        patience: Patience = _PATIENCE,
    ) -> None:
        self._source = source
        self._surroundings = surroundings or Surroundings()
        self._patience = patience
        self._sequence = Sequence()
        self._received = False

    def events(self, stop: threading.Event) -> Iterator[StreamEvent]:
        """Events until ``stop`` is set. Each connection begins with a `Resync`.

        Raises
        ------
        FixConfiguration, HaltTrading
            If the venue refuses the key or stops the account.
        """
        failures, why = 0, "the stream begins"
        while not stop.is_set():
            self._received = False
            try:
                with self._connected() as connection:
                    early = self._source.begin(connection)
                    self._sequence.restart()
                    yield Resync(why)
                    for content in early:
                        yield from self._told(content)
                    yield from self._read(connection, stop)
            except _EndOfStream as ended:
                why = ended.reason
            except Refused as error:
                if not expired(error):
                    raise
                why = "the listen key expired"
            except _LOST as error:
                why = f"the stream was lost: {type(error).__name__}"
            if stop.is_set():
                return
            failures = 1 if self._received else failures + 1
            pause_seconds = self._patience.pause_seconds(min(failures, 10), self._surroundings.chance())
            _log.warning("user-data stream: %s; again in %.1f s", why, pause_seconds)
            stop.wait(pause_seconds)

    def _connected(self) -> AbstractContextManager[ClientConnection]:
        url = self._source.url()
        direct = not uses_proxies(url)
        return connect(url, logger=_wire, proxy=None if direct else True, close_timeout=1.0)

    def _read(self, connection: ClientConnection, stop: threading.Event) -> Iterator[StreamEvent]:
        every_seconds = self._source.keep_alive_seconds
        due = self._surroundings.seconds() + (every_seconds or 0.0)
        while not stop.is_set():
            if every_seconds is not None and self._surroundings.seconds() >= due:
                due = self._surroundings.seconds() + self._kept_alive(every_seconds)
            try:
                content = connection.recv(timeout=_POLL_SECONDS)
            except TimeoutError:
                continue
            self._received = True
            yield from self._told(content)

    def _kept_alive(self, every_seconds: float) -> float:
        """Keep the stream alive; returns the seconds until it must be done again."""
        try:
            self._source.keep_alive()
        except (RetryLater, UnknownOutcome) as error:
            _log.warning("user-data stream: keep-alive failed: %s", error)
            return _KEEP_ALIVE_AGAIN_SECONDS
        return every_seconds

    def _told(self, content: str | bytes) -> Iterator[StreamEvent]:
        try:
            meant = message(content)
        except BadData as error:
            # What it was about is not known: whoever keeps books must look for themselves.
            yield Resync(str(error))
            return
        if isinstance(meant, StreamEnded):
            raise _EndOfStream(meant.reason)
        if isinstance(meant, OrderUpdate):
            yield from self._sequence.order(meant)
        elif meant is not None:
            yield meant


class _EndOfStream(Exception):
    """The venue ended the stream."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = f"the venue ended the stream: {reason}"
