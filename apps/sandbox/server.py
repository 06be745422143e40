"""Serving the exchange: as a process of its own, or inside another."""

from __future__ import annotations

import atexit
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from apps.sandbox.app import create_app
from apps.sandbox.backing import Backings, FuturesBacking, SecondVenueBacking, SimulationBacking
from apps.sandbox.clock import SandboxClock, create_clock
from apps.sandbox.replay import ReplayBacking
from apps.sandbox.settings import SandboxSettings
from apps.sandbox.trading.exchange import PaperExchange
from trading.errors import FixConfiguration, RetryLater
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.second_venue import SecondVenue

_START_SECONDS = 20.0


def create_backings(settings: SandboxSettings) -> Backings:
    """The markets that the settings name."""
    if settings.backing == "simulation":
        market = Market(settings.market, odd_symbols=settings.odd_symbols)
        return Backings(
            SimulationBacking(market),
            FuturesBacking(FuturesMarket(market)),
            SecondVenueBacking(SecondVenue(market)),
        )
    if not settings.replay_folder:
        raise FixConfiguration("sandbox.replay_folder is empty; a replay needs a folder of 1m Parquet files")
    return Backings(ReplayBacking(Path(settings.replay_folder)))


def create(settings: SandboxSettings) -> tuple[Starlette, SandboxClock]:
    """The exchange and its clock, which never starts before the journal's end."""
    backings = create_backings(settings)
    clock = create_clock(settings.clock, backings.spot.end_ms)
    app = create_app(backings, clock, settings)
    reached_ms = app.state.exchange.reached_ms
    if reached_ms > clock.now_ms():
        clock.set(reached_ms)
    return app, clock


def serve(settings: SandboxSettings, host: str = "127.0.0.1", port: int = 8090) -> None:
    """Run the exchange until interrupted."""
    app, _ = create(settings)
    uvicorn.Server(_config(app, host, port)).run()


def _config(app: Starlette, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        lifespan="off",
    )


class EmbeddedSandbox:
    """The exchange in a daemon thread of this process, on a free loopback port.

    Use it as a context manager, or through `shared` for one exchange per settings and process.

    Attributes
    ----------
    exchange
        The paper accounts. They belong to the server's thread: look at them while no request is under way.
    """

    _shared: dict[SandboxSettings, EmbeddedSandbox] = {}  # noqa: RUF012 - one registry per process
    _lock = threading.Lock()

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        app, self.clock = create(settings)
        self.exchange: PaperExchange = app.state.exchange
        self._server = uvicorn.Server(_config(app, "127.0.0.1", 0))
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @classmethod
    def shared(cls, settings: SandboxSettings) -> EmbeddedSandbox:
        """The running exchange of these settings, started on first use and stopped at exit."""
        with cls._lock:
            sandbox = cls._shared.get(settings)
            if sandbox is None:
                sandbox = cls._shared[settings] = cls(settings).start()
                atexit.register(sandbox.stop)
            return sandbox

    @property
    def base_url(self) -> str:
        """Address of the running exchange."""
        if self._socket is None:
            raise FixConfiguration("the sandbox is not running; start it first")
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> Self:
        """Listen on a free port and wait until the exchange answers."""
        if self._thread is not None:
            return self
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RetryLater(f"the sandbox did not start within {_START_SECONDS:.0f} s")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving; safe to call twice."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=5.0)
        if self._socket is not None:
            self._socket.close()
        self._thread, self._socket = None, None
        with self._lock:
            for settings, sandbox in list(self._shared.items()):
                if sandbox is self:
                    del self._shared[settings]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
