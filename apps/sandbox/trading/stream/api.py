"""The user-data stream: listen keys over HTTP, events over websockets.

Three ways in, as at the venue: ``/ws/KEY`` sends bare events, ``/stream?streams=KEY`` wraps each with its
stream's name, and ``/ws-api/v3`` takes a signed subscription for the spot account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.sandbox.answers import json_answer
from apps.sandbox.errors import ApiError, missing
from apps.sandbox.guard import Guard, Handler
from apps.sandbox.trading.api import monotonic_seconds
from apps.sandbox.trading.exchange import PaperExchange
from apps.sandbox.trading.faults import Draws, SkewedClock
from apps.sandbox.trading.settings import TradingFaults
from apps.sandbox.trading.signing import Signatures, parsed
from apps.sandbox.trading.spot import events as spot_events
from apps.sandbox.trading.stream.faults import Event, EventFaults
from apps.sandbox.trading.stream.keys import ListenKeys
from apps.sandbox.trading.usdm import events as futures_events
from trading.model.series import Market

_LOOK_SECONDS = 0.02
#: Looks without an event after which events held back go out.
_QUIET_LOOKS = 50
_SERVICE_RESTART = 1012
_PATHS = {Market.SPOT: "/api/v3/userDataStream", Market.USDM: "/fapi/v1/listenKey"}
_SUBSCRIBE = "userDataStream.subscribe.signature"


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A connection's account, and what it has yet to hear."""

    account: str
    market: Market
    events: asyncio.Queue[Event]


class StreamApi:
    """Tells connected clients what happens to their accounts."""

    def __init__(self, exchange: PaperExchange, clock: SkewedClock, faults: TradingFaults) -> None:
        self._exchange = exchange
        self._clock = clock
        self._settings = faults
        self._draws = Draws(faults.seed)
        self._signatures = Signatures(exchange.keys)
        self._keys = ListenKeys(monotonic_seconds)
        self._lines: list[_Line] = []
        exchange.listen(self._hear)

    def routes(self, guards: dict[Market, Guard]) -> list[BaseRoute]:
        """Routes of the listen keys, and of the sockets."""
        found: list[BaseRoute] = []
        for market in self._exchange.markets:
            for method, action in (("POST", self._create), ("PUT", self._keep), ("DELETE", self._end)):
                handler = guards[market](self._by_key(market, action), 2)
                found.append(Route(_PATHS[market], handler, methods=[method]))
        found.append(WebSocketRoute("/ws/{key}", self._bare))
        found.append(WebSocketRoute("/stream", self._combined))
        found.append(WebSocketRoute("/ws-api/v3", self._subscription))
        return found

    def _by_key(self, market: Market, action: Callable[[str, Market, str | None], Any]) -> Handler:
        async def handle(request: Request) -> Response:
            owner = self._signatures.owner(request.headers.get("x-mbx-apikey"))
            values = parsed((request.url.query, (await request.body()).decode()))
            return json_answer(action(owner.account, market, values.get("listenKey")))

        return handle

    def _create(self, account: str, market: Market, text: str | None) -> Any:
        return {"listenKey": self._keys.create(account, market)}

    def _keep(self, account: str, market: Market, text: str | None) -> Any:
        if market is Market.SPOT and text is None:
            raise missing("listenKey")
        kept = self._keys.keep(account, market, text)
        return {} if market is Market.SPOT else {"listenKey": kept}

    def _end(self, account: str, market: Market, text: str | None) -> Any:
        if market is Market.SPOT and text is None:
            raise missing("listenKey")
        self._keys.end(account, market, text)
        return {}

    async def _bare(self, socket: WebSocket) -> None:
        await self._by_listen_key(socket, socket.path_params["key"], lambda event: event)

    async def _combined(self, socket: WebSocket) -> None:
        key = socket.query_params.get("streams", "")
        await self._by_listen_key(socket, key, lambda event: {"stream": key, "data": event})

    async def _by_listen_key(self, socket: WebSocket, key: str, wrapped: Callable[[Event], Event]) -> None:
        opened = self._keys.opens(key)
        if opened is None:
            await socket.accept()
            await socket.close(1008)
            return
        with suppress(WebSocketDisconnect), self._hearing(opened.account, opened.market) as line:
            await socket.accept()
            await self._tell(socket, line, wrapped, lambda: self._keys.opens(key) is not None)
            expired = wrapped({"e": "listenKeyExpired", "E": self._clock.now_ms(), "listenKey": key})
            await socket.send_text(orjson.dumps(expired).decode())
            await socket.close()

    async def _subscription(self, socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect, orjson.JSONDecodeError):
            account, answer = self._subscribed(orjson.loads(await socket.receive_text()))
            if account is None:
                await socket.send_text(orjson.dumps(answer).decode())
                await socket.close()
                return
            with self._hearing(account, Market.SPOT) as line:
                await socket.send_text(orjson.dumps(answer).decode())
                await self._tell(socket, line, _subscribed_event, lambda: True)

    def _subscribed(self, asked: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Whom a subscription is for, and the answer to it."""
        try:
            if asked.get("method") != _SUBSCRIBE:
                raise ApiError(400, -1000, f"Only the method {_SUBSCRIBE} is served here.")
            values = {name: str(value) for name, value in asked.get("params", {}).items()}
            signature = values.pop("signature", "")
            query = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
            signed = f"{query}&signature={signature.replace('+', '%2B')}"
            request = self._signatures.verify(values.get("apiKey"), signed, "", self._clock.now_ms())
        except ApiError as error:
            said = {"code": error.code, "msg": error.message}
            return None, {"id": asked.get("id"), "status": error.status, "error": said}
        return request.account, {"id": asked.get("id"), "status": 200, "result": {"subscriptionId": 0}}

    @contextmanager
    def _hearing(self, account: str, market: Market) -> Iterator[_Line]:
        """A line that collects an account's events from now on."""
        line = _Line(account, market, asyncio.Queue())
        self._lines.append(line)
        try:
            yield line
        finally:
            self._lines.remove(line)

    async def _tell(
        self,
        socket: WebSocket,
        line: _Line,
        wrapped: Callable[[Event], Event],
        valid: Callable[[], bool],
    ) -> None:
        """Send an account's events while the key is valid.

        Raises
        ------
        WebSocketDisconnect
            When the client has gone, or a fault has dropped the connection.
        """
        faults = EventFaults(self._settings, self._draws, f"{line.account}/{line.market}")
        gone = asyncio.ensure_future(_until_gone(socket))
        quiet = 0
        try:
            while valid():
                self._exchange.advance(line.account, line.market)
                quiet += 1
                ready = faults.flushed() if quiet >= _QUIET_LOOKS else []
                while not line.events.empty():
                    quiet, event = 0, line.events.get_nowait()
                    if faults.drops():
                        await socket.close(_SERVICE_RESTART)
                        raise WebSocketDisconnect(_SERVICE_RESTART)
                    ready += faults.passed_on(event)
                for event in ready:
                    await socket.send_text(orjson.dumps(wrapped(event)).decode())
                done, _ = await asyncio.wait([gone], timeout=_LOOK_SECONDS)
                if done:
                    raise WebSocketDisconnect
        finally:
            gone.cancel()

    def _hear(self, account: str, market: Market, happened: list[object]) -> None:
        lines = [line for line in self._lines if (line.account, line.market) == (account, market)]
        if not lines:
            return
        instruments = self._exchange.account(account, market).instruments
        for event in happened:
            spot = market is Market.SPOT
            told = spot_events.payload(event) if spot else futures_events.payload(event, instruments)
            for line in lines:
                line.events.put_nowait(told)


def _subscribed_event(event: Event) -> Event:
    return {"subscriptionId": 0, "event": event}


async def _until_gone(socket: WebSocket) -> None:
    """Read what the client sends, which means nothing here, until it leaves."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
