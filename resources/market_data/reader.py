"""Reads over HTTP that are repeated with care; what every venue's client is built on."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Protocol

import httpx

from resources.market_data.surroundings import Patience, Surroundings
from trading.errors import FixConfiguration, RetryLater, TradingError

_PAGE_MARK = b"<"


class Allowance(Protocol):
    """What a request must wait for before it is sent."""

    def acquire(self, weight: int) -> None:
        """Wait until the weight may be spent."""
        ...

    def pause(self, duration_seconds: float) -> None:
        """Let nobody send for a while."""
        ...


class HttpReader:
    """Bounded retries with backoff over one pooled connection; safe to share by threads.

    Parameters
    ----------
    failure
        The error that an answer other than success means.
    transport
        Replaces the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        concurrency: int,
        patience: Patience,
        surroundings: Surroundings,
        failure: Callable[[httpx.Response], TradingError],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._patience = patience
        self._surroundings = surroundings
        self._failure = failure
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            trust_env=uses_proxies(base_url),
            transport=transport,
        )
        # Whoever drops the reader without closing it leaves no open socket behind.
        weakref.finalize(self, self._http.close)

    def get(
        self,
        path: str,
        parameters: Mapping[str, str | int],
        *,
        allowance: Allowance,
        weight: int = 1,
    ) -> httpx.Response:
        """Read, and read again after failures that may pass.

        Raises
        ------
        RetryLater
            After the last attempt; from the allowance when the pause asked for is too long.
        FixConfiguration
            If the other side refuses the request itself.
        """
        last: RetryLater | None = None
        for attempt in range(self._patience.attempts):
            if attempt:
                self._wait(attempt, last, allowance)
            allowance.acquire(weight)
            try:
                response = self._http.get(path, params=dict(parameters))
            except httpx.TransportError as error:
                last = RetryLater(f"{self.base_url}{path} did not answer: {error!r}")
                continue
            failed = self._judge(response)
            if failed is None:
                return response
            if not isinstance(failed, RetryLater):
                raise failed
            last = failed
        if last is not None and last.retry_after_seconds is not None:
            allowance.pause(last.retry_after_seconds)
        raise last or RetryLater(f"{path} was never tried")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _judge(self, response: httpx.Response) -> TradingError | None:
        if not response.is_success:
            return self._failure(response)
        if is_web_page(response.headers, response.content):
            return web_page(str(response.request.url))
        return None

    def _wait(self, attempt: int, last: RetryLater | None, allowance: Allowance) -> None:
        asked = last.retry_after_seconds if last else None
        if asked is not None:
            # The limit is the account's: everybody holds their breath.
            allowance.pause(asked)
            return
        self._surroundings.sleep(self._patience.pause_seconds(attempt, self._surroundings.chance()))


def is_web_page(headers: Mapping[str, str], start: bytes) -> bool:
    """Whether a successful answer is a page for people: a portal, a proxy, a notice of maintenance."""
    return "text/html" in headers.get("content-type", "") or start.lstrip()[:1] == _PAGE_MARK


def web_page(url: str) -> RetryLater:
    """The error for an answer that is a web page."""
    return RetryLater(
        f"{url} answered with a web page instead of data; a proxy or a notice of maintenance is in the "
        "way: open the address in a browser, or try again later"
    )


def refused(response: httpx.Response, setting: str) -> TradingError:
    """The usual error for an answer other than success; ``setting`` names the address to correct."""
    return refusal(str(response.request.url), response.status_code, response.text, response.headers, setting)


def refusal(url: str, status: int, text: str, headers: Mapping[str, str], setting: str) -> TradingError:
    """The same of any client's answer; ``headers`` go by names in lower case."""
    what = f"{url} answered {status}: {text[:200]}"
    if retryable(status):
        return RetryLater(what, _pause_asked_seconds(headers))
    return FixConfiguration(f"{what}; correct {setting}, or use another source")


def retryable(status: int) -> bool:
    """Whether a read that got this status may simply be read again."""
    return status in (418, 429) or status >= 500


def retry_after_seconds(response: httpx.Response) -> float | None:
    """The pause that the other side asks for; None when it does not say (or not in seconds)."""
    return _pause_asked_seconds(response.headers)


def _pause_asked_seconds(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def uses_proxies(base_url: str) -> bool:
    """Whether proxies of the environment apply: never to a server on this machine."""
    return httpx.URL(base_url).host not in ("127.0.0.1", "localhost", "::1")
