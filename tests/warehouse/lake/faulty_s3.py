"""A real S3 server on the loopback (moto) that records its requests and fails on request."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Environ = dict[str, Any]
#: A WSGI application: how the server answers, or a fault in its place.
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    query: str


def refusal(status: str, code: str, message: str = "on purpose") -> App:
    """An S3 error document."""

    def answer(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return answer


def html(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    """What a proxy, or the console of a server, answers."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = b"<!doctype html><html><body><p>Welcome<br></body></html>"
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]


class S3Server:
    """Moto's S3 over HTTP, with faults between it and its clients."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        self._moto: App = DomainDispatcherApplication(create_backend_app)
        self._faults: list[tuple[str, App]] = []
        self.requests: list[Request] = []
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(self, method: str, *faults: App) -> None:
        """Answer the next requests of a method with these faults, one each."""
        self._faults += [(method, fault) for fault in faults]

    def clear(self) -> None:
        self._faults.clear()
        self.requests.clear()

    def break_off(self, environ: Environ, start: Callable[..., Any]) -> Iterator[bytes]:
        """Send half of the true answer, then drop the connection."""
        body = b"".join(self._moto(environ, start))
        yield body[: len(body) // 2]
        raise ConnectionResetError("on purpose")

    def kill(self, pid: Callable[[], int], *, stored: bool) -> App:
        """Kill the client, after its object is stored or when half of it has arrived."""

        def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
            if stored:
                body = list(self._moto(environ, start))
                os.kill(pid(), signal.SIGKILL)
                return body
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]) // 2)
            os.kill(pid(), signal.SIGKILL)
            return refusal("400 Bad Request", "IncompleteBody")(environ, start)

        return answer

    def _answer(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        self.requests.append(Request(method, environ["PATH_INFO"], environ["QUERY_STRING"]))
        for number, (wanted, fault) in enumerate(self._faults):
            if wanted == method:
                del self._faults[number]
                return fault(environ, start)
        return self._moto(environ, start)
