"""The only part that talks to Binance's signed REST APIs: reads that are repeated, commands that never are."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, urlencode
from urllib.request import getproxies, proxy_bypass

import httpx

from resources.market_data.binance.parse import server_time
from resources.market_data.reader import is_web_page, uses_proxies
from resources.market_data.surroundings import Patience, Surroundings
from resources.venues.binance.budgets import Budgets, host_of
from resources.venues.binance.clock import VenueClock
from resources.venues.binance.errors import OutsideWindow, Refused, failure
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.signing import Signer, scrub
from trading.errors import BadData, FixConfiguration, RetryLater, TradingError, UnknownOutcome
from trading.model.series import Market

Parameters = Mapping[str, str | int | Decimal]

_SECURITY = "tidemill_security"
_TIME_PATH = {Market.SPOT: "/api/v3/time", Market.USDM: "/fapi/v1/time"}
#: The venue takes a timestamp that is this far ahead of its own clock.
AHEAD_MS = 1_000
#: Failures to reach the venue at all: the request cannot have arrived.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Security(StrEnum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


class SigningTransport(httpx.BaseTransport):
    """Adds key and signature below the client, so that neither is in what the client logs or raises."""

    def __init__(self, inner: httpx.BaseTransport, signer: Signer) -> None:
        self._inner = inner
        self._signer = signer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with what its security asks for."""
        security = request.extensions.get(_SECURITY, Security.NONE)
        if security is Security.NONE:
            return self._inner.handle_request(request)
        url, content = request.url, request.content
        if security is Security.SIGNED and content:
            content += self._signature(content)
        elif security is Security.SIGNED:
            url = url.copy_with(query=url.query + self._signature(url.query))
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
        headers.append((b"X-MBX-APIKEY", self._signer.key.get_secret_value().encode()))
        return self._inner.handle_request(
            httpx.Request(
                request.method, url, headers=headers, content=content, extensions=request.extensions
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _signature(self, payload: bytes) -> bytes:
        return b"&signature=" + quote(self._signer.sign(payload.decode("ascii")), safe="").encode()


class Api:
    """One of Binance's REST APIs, for one account; safe to share by threads.

    Parameters
    ----------
    transport
        Replaces the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        market: Market,
        signer: Signer,
        settings: BinanceVenueSettings,
        *,
        account: str = "main",
        surroundings: Surroundings | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self.receive_window_ms = settings.receive_window_ms
        self.signer = signer
        self.surroundings = surroundings or Surroundings()
        self._market = market
        self._patience = Patience(settings.attempts, settings.backoff_seconds, settings.backoff_limit_seconds)
        self._budgets = Budgets(host_of(base_url), market, account, settings, self.surroundings)
        inner = transport or httpx.HTTPTransport(verify=_certificates(), proxy=_proxy(base_url))
        self._http = httpx.Client(
            base_url=base_url,
            timeout=settings.timeout_seconds,
            transport=SigningTransport(inner, signer),
            trust_env=False,  # or a proxy of the environment would take requests past the signing
        )
        weakref.finalize(self, self._http.close)
        self.clock = VenueClock(
            self._server_time_ms, self.surroundings.seconds, settings.clock_refresh_seconds
        )

    def read(
        self, path: str, parameters: Parameters, *, weight: int, security: Security = Security.SIGNED
    ) -> bytes:
        """Read, and read again after failures that may pass.

        Raises
        ------
        RetryLater
            After the last attempt.
        Refused
            If the venue refuses the request as it is.
        FixConfiguration, HaltTrading
            If it refuses the key or stops the account.
        """
        last: RetryLater | None = None
        for attempt in range(self._patience.attempts):
            if attempt:
                pause = self._patience.pause_seconds(attempt, self.surroundings.chance())
                self.surroundings.sleep(pause)
            try:
                return self._read_once(path, parameters, weight, security)
            except RetryLater as error:
                last = error
        raise last or RetryLater(f"{path} was never tried")

    def command(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        *,
        weight: int,
        orders: int = 0,
        sending_at_ms: int | None = None,
        security: Security = Security.SIGNED,
    ) -> bytes:
        """Send what may have an effect, once.

        Parameters
        ----------
        orders
            Orders that it counts as.
        sending_at_ms
            The request's timestamp, when another moment than now binds it.

        Raises
        ------
        UnknownOutcome
            If the request went out and no usable answer came back.
        RetryLater
            If it never went out, or the venue said that nothing happened and it may succeed later.
        Refused
            If the venue refused it as it is.
        FixConfiguration, HaltTrading
            If it refuses the key or stops the account.
        """
        self._budgets.before_command(weight, orders=orders)
        stamped = self._stamped(parameters, security, sending_at_ms)
        try:
            response = self._send(method, path, stamped, security)
        except httpx.RequestError as error:
            raise self._lost(method, path, error) from error
        return self._content(response, command=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read_once(self, path: str, parameters: Parameters, weight: int, security: Security) -> bytes:
        self._budgets.before_read(weight)
        try:
            response = self._send("GET", path, self._stamped(parameters, security), security)
        except httpx.RequestError as error:
            raise RetryLater(f"GET {path} got no answer: {type(error).__name__}") from error
        return self._content(response, command=False)

    def _send(
        self, method: str, path: str, parameters: Mapping[str, str], security: Security
    ) -> httpx.Response:
        encoded = urlencode(parameters)
        if method in ("POST", "PUT") and encoded:
            request = self._http.build_request(
                method,
                path,
                content=encoded.encode("ascii"),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                extensions={_SECURITY: security},
            )
        else:
            url = f"{path}?{encoded}" if encoded else path
            request = self._http.build_request(method, url, extensions={_SECURITY: security})
        response = self._http.send(request)
        self._budgets.report(response.headers)
        return response

    def _stamped(
        self, parameters: Parameters, security: Security, sending_at_ms: int | None = None
    ) -> dict[str, str]:
        texts = {name: _text(value) for name, value in parameters.items()}
        if security is not Security.SIGNED:
            return texts
        now_ms = self.clock.now_ms()
        stamp_ms = now_ms if sending_at_ms is None else sending_at_ms
        if not -AHEAD_MS < now_ms - stamp_ms <= self.receive_window_ms:
            raise RetryLater(
                f"a request of {stamp_ms} is {now_ms - stamp_ms} ms old by the venue's clock, and it takes none "
                f"beyond {self.receive_window_ms} ms; nothing was sent"
            )
        return {**texts, "recvWindow": str(self.receive_window_ms), "timestamp": str(stamp_ms)}

    def _content(self, response: httpx.Response, *, command: bool) -> bytes:
        if response.is_success and not is_web_page(response.headers, response.content):
            return response.content
        if response.is_success:
            what = f"{response.request.method} {response.request.url.path} answered with a web page"
            raise UnknownOutcome(f"{what}: look up what came of it") if command else RetryLater(what)
        error = failure(response, command=command, clean=lambda text: scrub(text, self.signer))
        if isinstance(error, OutsideWindow):
            self.clock.refresh()
        if isinstance(error, RetryLater) and error.retry_after_seconds is not None:
            self._budgets.pause(error.retry_after_seconds)
        raise error

    def _lost(self, method: str, path: str, error: httpx.RequestError) -> TradingError:
        what = f"{method} {path}: {type(error).__name__}"
        if isinstance(error, _NEVER_SENT):
            return RetryLater(f"{what}; the venue was not reached, nothing was sent")
        return UnknownOutcome(f"{what} after the request went out; look up what came of it")

    def _server_time_ms(self) -> int:
        path = _TIME_PATH[self._market]
        try:
            content = self.read(path, {}, weight=1, security=Security.NONE)
        except Refused as error:
            raise FixConfiguration(f"{self.base_url} does not serve {path}; correct the address") from error
        try:
            return server_time(content)
        except BadData as error:
            raise RetryLater(f"{self.base_url}: {error}") from error


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Whom to trust; to load that takes longer than all else of opening an API."""
    return httpx.create_ssl_context()


def _proxy(base_url: str) -> str | None:
    """The environment's proxy for an address; None for none."""
    url = httpx.URL(base_url)
    if not uses_proxies(base_url) or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


def _text(value: str | int | Decimal) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
