"""The venue's ticks and lots, read beside the watch: an entry is cancelled without them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from trading.errors import FixConfiguration, RetryLater, TradingError
from trading.model.instrument import Instrument

#: Reads the venue's instruments by symbol. Raises `RetryLater` while it does not answer.
ReadInstruments = Callable[[], Mapping[str, Instrument]]

#: Longest time that an order waits for a reading which is under way.
_PATIENCE_SECONDS = 1.0


class Rules:
    """The instruments of one venue, asked for until they are known; safe to share by threads.

    The request may have to wait for the weight that others at this address have used up, for a minute. Nobody
    else waits with it.
    """

    def __init__(self, read: ReadInstruments) -> None:
        self._read = read
        self._found: Mapping[str, Instrument] = {}
        self._problem = ""
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()

    def prepare(self) -> None:
        """Begin to read, unless that is under way."""
        with self._lock:
            if not self._idle.is_set():
                return
            self._idle.clear()
        threading.Thread(target=self._fill, name="instruments", daemon=True).start()

    def of(self, symbol: str) -> Instrument:
        """An instrument.

        Raises
        ------
        RetryLater
            If the venue has not answered yet.
        FixConfiguration
            If it lists no such instrument.
        """
        if symbol not in self._found:
            self._wait()
        try:
            return self.all()[symbol]
        except KeyError:
            raise FixConfiguration(
                f"{symbol}: the venue lists no such instrument; close it by hand"
            ) from None

    def all(self) -> Mapping[str, Instrument]:
        """Every instrument by symbol. Raises `RetryLater` if the venue has not answered yet."""
        if not self._found:
            self._wait()
        if not self._found:
            raise RetryLater(f"the venue's ticks and lots are not known yet {self._problem}".rstrip())
        return self._found

    def _wait(self) -> None:
        self.prepare()
        self._idle.wait(_PATIENCE_SECONDS)

    def _fill(self) -> None:
        try:
            self._found = self._read()
            self._problem = ""
        except TradingError as error:
            self._problem = f"({error})"
        finally:
            self._idle.set()
