"""A loopback server that speaks as Binance's documents say, checks signatures by itself, and misbehaves on demand."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

KEY = "canary-key-5f1c"
SECRET = "canary-secret-9b2e"

#: Status, body and headers.
Answer = tuple[int, Any, dict[str, str]]
Handler = Callable[[dict[str, str]], Answer | Any]


def refusal(code: int, message: str, status: int = 400, **headers: str) -> Answer:
    """An error as Binance writes it."""
    return status, {"code": code, "msg": message}, {k.replace("_", "-"): v for k, v in headers.items()}


@dataclass
class Request:
    """What arrived: parameters without the signature, and whether key and signature were right."""

    method: str
    path: str
    parameters: dict[str, str]
    keyed: bool
    signed: bool
    signature: str


@dataclass
class Exchange:
    """What each path answers, what came, and which requests go wrong how.

    ``faults`` holds for each ``METHOD path`` what to do with the next requests: ``drop`` handles it and
    closes the connection without an answer, ``hang`` handles it and says nothing for a while.
    """

    pages: dict[str, Handler | Any] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    base_url: str = ""
    ahead_ms: int = 0
    hang_seconds: float = 0.6

    def now_ms(self) -> int:
        """The exchange's clock."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def asked(self, key: str) -> list[Request]:
        """The requests of one method and path."""
        return [item for item in self.requests if f"{item.method} {item.path}" == key]

    def last(self, key: str) -> dict[str, str]:
        """Parameters of the newest request of one method and path."""
        return self.asked(key)[-1].parameters


def _handler(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for headers and body: no waiting for an acknowledgement

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            payload = parts.query + body
            unsigned, _, signature = payload.rpartition("&signature=")
            expected = hmac.new(SECRET.encode(), unsigned.encode(), hashlib.sha256).hexdigest()
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(unsigned or payload)),
                self.headers.get("X-MBX-APIKEY") == KEY,
                bool(signature) and hmac.compare_digest(signature, expected),
                signature,
            )
            exchange.requests.append(request)
            key = f"{self.command} {parts.path}"
            answer = self._answer(key, request)
            faults = exchange.faults.get(key) or [""]
            fault = faults.pop(0)
            if fault == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if fault == "hang":
                time.sleep(exchange.hang_seconds)
            self._send(*answer)

        def _answer(self, key: str, request: Request) -> Answer:
            if key.endswith(("/v3/time", "/v1/time")):
                return 200, {"serverTime": exchange.now_ms()}, {}
            if not request.keyed:
                return refusal(-2014, "API-key format invalid.", 401)
            if not request.signed and "listenKey" not in key:
                return refusal(-1022, "Signature for this request is not valid.")
            if request.signed:
                age_ms = exchange.now_ms() - int(request.parameters["timestamp"])
                if not -1_000 < age_ms <= int(request.parameters["recvWindow"]):
                    return refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
            page = exchange.pages.get(key)
            if page is None:
                return 404, b"<html>404</html>", {"Content-Type": "text/html"}
            found = page(request.parameters) if callable(page) else page
            return found if isinstance(found, tuple) else (200, found, {})

        def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # the client has given up

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def running() -> Iterator[Exchange]:
    """An exchange with nothing on it yet."""
    state = Exchange()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
