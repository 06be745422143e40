from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from resources.market_data.archive.download import Choice, Downloader
from resources.market_data.archive.layout import kline_day
from resources.market_data.archive.shelf import Shelf
from resources.market_data.settings import ArchiveSettings
from resources.market_data.surroundings import Surroundings
from trading.model.series import Series


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@dataclass
class Http2Server:
    """Serves files over HTTP/2 and nothing else; tells how many connections and requests it saw."""

    base_url: str
    files: dict[str, bytes] = field(default_factory=dict)
    connections: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def speak(self, connection: ssl.SSLSocket) -> None:
        self.connections.append(connection.selected_alpn_protocol())
        protocol = H2Connection(H2Configuration(client_side=False))
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        while data := connection.recv(65_536):
            for event in protocol.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.answer(protocol, event)
            connection.sendall(protocol.data_to_send())

    def answer(self, protocol: H2Connection, event: RequestReceived) -> None:
        headers = {bytes(name).decode(): bytes(value).decode() for name, value in event.headers}
        path = headers[":path"]
        self.requests.append(path)
        content = self.files.get(path)
        protocol.send_headers(event.stream_id, [(":status", "404" if content is None else "200")])
        protocol.send_data(event.stream_id, content or b"", end_stream=True)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http2Server]:
    chain, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols(["h2"])
    listening = socket.create_server(("127.0.0.1", 0))
    running = Http2Server(f"https://127.0.0.1:{listening.getsockname()[1]}")

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            with accepted, context.wrap_socket(accepted, server_side=True) as connection:
                running.speak(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield running
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_files_come_side_by_side_over_one_http2_connection(server: Http2Server, tmp_path: Path) -> None:
    files = [kline_day(Series.SPOT, "BTCUSDT", datetime.date(2025, 1, day)) for day in range(1, 6)]
    for file in files:
        content = file.name.encode() * 50
        server.files[f"/{file.path}"] = content
        digest = hashlib.sha256(content).hexdigest()
        server.files[f"/{file.path}.CHECKSUM"] = f"{digest}  {file.name}\n".encode()
    absent = kline_day(Series.SPOT, "ETHUSDT", datetime.date(2025, 1, 1))
    shelf = Shelf(tmp_path / "shelf")
    settings = ArchiveSettings(base_url=server.base_url, attempts=1, concurrency=4)
    Downloader(settings, shelf, Surroundings()).fetch([Choice(file) for file in (*files, absent)])
    assert all(shelf.held(file) is not None for file in files)
    assert shelf.held(absent) is None
    assert server.connections == ["h2"]
    assert len(server.requests) == 11
