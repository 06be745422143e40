"""A small server that publishes archive files and answers of venues, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from resources.market_data.archive.layout import ArchiveFile

Answer = tuple[int, dict[str, str], bytes]


def zipped(entry: str, text: bytes) -> bytes:
    """A zip of one file, the same bytes every time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(entry), text)
    return packed.getvalue()


@dataclass
class VenueServer:
    """What is served by path, and what was asked for.

    ``cut`` is the bytes after which the connection of a file drops, and ``stall`` those after which
    it falls silent, once for each path; ``pages`` answers a path by its query.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, Callable[[dict[str, str]], Any]] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    stall: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    base_url: str = ""

    def publish(self, file: ArchiveFile, text: bytes, *, entry: str | None = None) -> bytes:
        """Serve a CSV as the archive would, with its checksum."""
        content = zipped(entry or file.entry, text)
        self.serve(file, content)
        return content

    def serve(self, file: ArchiveFile, content: bytes, *, checksum: str | None = None) -> None:
        """Serve a zip; the checksum is the right one unless another is given."""
        digest = checksum or hashlib.sha256(content).hexdigest()
        self.files[f"/{file.path}"] = content
        self.files[f"/{file.path}.CHECKSUM"] = f"{digest}  {file.name}\n".encode()

    def asked(self, ending: str) -> list[str]:
        """The ``Range`` header of each request for a path with the ending."""
        return [wanted for path, _, wanted in self.requests if path.endswith(ending)]


def _handler(server: VenueServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            wanted = self.headers.get("Range", "")
            server.requests.append((parts.path, query, wanted))
            planned = server.answers.get(parts.path)
            if planned:
                self._send(*planned.pop(0))
            elif parts.path in server.pages:
                self._send(200, {"Content-Type": "application/json"}, self._page(parts.path, query))
            elif parts.path in server.files:
                self._file(parts.path, wanted)
            else:
                self._send(404, {"Content-Type": "application/xml"}, b"<Error><Code>NoSuchKey</Code></Error>")

        def _page(self, path: str, query: dict[str, str]) -> bytes:
            return orjson.dumps(server.pages[path](query))

        def _file(self, path: str, wanted: str) -> None:
            content, start = server.files[path], 0
            headers = {"Content-Type": "application/octet-stream"}
            status = 200
            if wanted and server.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                status = 206 if start < len(content) else 416
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            body = content[start:]
            cut = server.cut.pop(path, None)
            stall = server.stall.pop(path, None)
            self._send(status, headers, body, send=cut or stall)
            if stall is not None:
                self.wfile.flush()
                self.connection.recv(1)  # until the other side is gone

        def _send(self, status: int, headers: dict[str, str], body: bytes, send: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if send is None else body[:send])
            if send is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def running() -> Iterator[VenueServer]:
    """A server with nothing on it yet."""
    state = VenueServer()
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
