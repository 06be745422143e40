"""How each market's user-data stream is opened and kept open."""

from __future__ import annotations

import uuid
from typing import Protocol
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, TypeAdapter
from websockets.sync.client import ClientConnection

from resources.venues.binance.errors import Meaning, OutsideWindow, Refused, error_of, meaning_of
from resources.venues.binance.reading import parsed
from resources.venues.binance.signing import scrub
from resources.venues.binance.transport import Api, Security
from trading.errors import RetryLater

_LISTEN_KEY = "/fapi/v1/listenKey"
_ANSWER_SECONDS = 10.0
_OK = 200


class ListenKey(BaseModel):
    """The answer to a new listen key."""

    listenKey: str


_KEY = TypeAdapter(ListenKey)


class Source(Protocol):
    """A stream that can be opened.

    Attributes
    ----------
    keep_alive_seconds
        How often `keep_alive` must be called; None for never.
    """

    keep_alive_seconds: float | None

    def url(self) -> str:
        """Where to connect now; may ask the venue. It is a secret where it holds a listen key."""
        ...

    def begin(self, connection: ClientConnection) -> list[str | bytes]:
        """Ask for events on a new connection; returns what came before the answer."""
        ...

    def keep_alive(self) -> None:
        """Keep the stream from expiring. Raises `Refused` when it has expired already."""
        ...


class SpotSource:
    """Spot: a signed subscription on the WebSocket API. It needs no key to be kept alive."""

    keep_alive_seconds: float | None = None

    def __init__(self, api: Api, websocket_url: str) -> None:
        self._api = api
        self._url = websocket_url

    def url(self) -> str:
        """The WebSocket API."""
        return self._url

    def begin(self, connection: ClientConnection) -> list[str | bytes]:
        """Subscribe with a signature over the parameters in the order of their names.

        Raises
        ------
        RetryLater
            If no answer came in time, or the venue asks to come back.
        FixConfiguration, HaltTrading, Refused
            If it refuses the subscription.
        """
        number = uuid.uuid4().hex
        parameters: dict[str, str | int] = {
            "apiKey": self._api.signer.key.get_secret_value(),
            "recvWindow": self._api.receive_window_ms,
            "timestamp": self._api.clock.now_ms(),
        }
        parameters["signature"] = self._api.signer.sign(urlencode(sorted(parameters.items())))
        request = {
            "id": number,
            "method": "userDataStream.subscribe.signature",
            "params": parameters,
        }
        connection.send(orjson.dumps(request).decode("ascii"))
        early: list[str | bytes] = []
        while True:
            content = connection.recv(timeout=_ANSWER_SECONDS)
            body = _object(content)
            if body.get("id") == number:
                self._require_success(body)
                return early
            early.append(content)

    def keep_alive(self) -> None:
        """Nothing: the connection itself is the subscription."""

    def _require_success(self, body: dict[str, object]) -> None:
        status = body.get("status")
        if status == _OK:
            return
        error = body.get("error")
        code, message = 0, ""
        if isinstance(error, dict):
            code, message = int(error.get("code", 0)), scrub(str(error.get("msg", "")), self._api.signer)
        meaning = meaning_of(status if isinstance(status, int) else 500, code, message)
        what = f"user-data stream: the subscription was answered with {status} ({code}): {message}"
        failed = error_of(meaning, what, code, message, command=False)
        if isinstance(failed, OutsideWindow):
            self._api.clock.refresh()
        raise failed


class UsdmSource:
    """Futures: a listen key over REST, valid for an hour, that is part of the address."""

    keep_alive_seconds: float | None = 1_800.0

    def __init__(self, api: Api, websocket_url: str) -> None:
        self._api = api
        self._url = websocket_url

    def url(self) -> str:
        """The address of a new listen key, or of the one that is valid still."""
        content = self._api.command("POST", _LISTEN_KEY, {}, weight=1, security=Security.KEY)
        return f"{self._url}/{parsed(_KEY, content, _LISTEN_KEY).listenKey}"

    def begin(self, connection: ClientConnection) -> list[str | bytes]:
        """Nothing: who connects is subscribed."""
        return []

    def keep_alive(self) -> None:
        """Extend the listen key by an hour."""
        self._api.command("PUT", _LISTEN_KEY, {}, weight=1, security=Security.KEY)


def expired(error: Refused) -> bool:
    """Whether the venue said that the listen key is gone."""
    return error.meaning is Meaning.NO_LISTEN_KEY


def _object(content: str | bytes) -> dict[str, object]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RetryLater(f"user-data stream: a message is no JSON ({error})") from error
    if not isinstance(body, dict):
        raise RetryLater("user-data stream: a message is no object")
    return body
