"""Secrets of the environment in logs, tracebacks and Dagster's records; and nothing else is taken out."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from hypothesis import given
from hypothesis import strategies as st

from resources.instance_storage import PooledRunStorage, RedactedScheduleStorage
from resources.redaction import REDACTED, RedactedRecord, redact_this_process, redacted, traceback_text
from tests.conftest import ROOT

TOKEN = "xoxb-a/b+c d\"e\\f'g-0123456789"

printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=8, max_size=40)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TIDEMILL_SLACK_TOKEN", TOKEN)
    return TOKEN


@given(printable.map(str.strip).filter(lambda text: len(text) >= 8), printable, printable)
def test_however_it_is_written(secret: str, before: str, after: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMILL_BINANCE_SECRET", secret)
        for written in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)):
            assert written not in redacted(f"{before} {written} {after}").replace(REDACTED, "\0")


@pytest.mark.parametrize(
    ("name", "value", "text", "told"),
    [
        ("TIDEMILL_BINANCE_KEY", "abcdefgh1", "key abcdefgh1.", f"key {REDACTED}."),
        ("AWS_SECRET_ACCESS_KEY", "abcdefgh2", "abcdefgh2", REDACTED),
        ("AWS_SESSION_TOKEN", "abcdefgh3", "abcdefgh3", REDACTED),
        ("DAGSTER_PG_PASSWORD", "abcdefgh4", "abcdefgh4", REDACTED),
        ("PGPASSWORD", "abcdefgh5", "abcdefgh5", REDACTED),
        ("TIDEMILL_LEDGER_URL", "postgresql://me:p%40ssword@host/db", "p@ssword", REDACTED),
        (
            "TIDEMILL_LEDGER_URL",
            "postgresql://me:p%40ssword@host/db",
            "no postgresql://me:p%40ssword@host/db",
            f"no postgresql://me:{REDACTED}@host/db",
        ),
        ("TIDEMILL_LEDGER_URL", "postgresql://me@host/database", "me@host/database", "me@host/database"),
        ("TIDEMILL_BINANCE_SECRET", "short", "a short word", "a short word"),
        ("TIDEMILL_SOURCE", "sandboxes", "sandboxes", "sandboxes"),
        ("KEYBOARD", "unrelated", "unrelated", "unrelated"),
    ],
)
def test_what_is_taken_out(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    assert redacted(text) == told


def test_the_key_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    body = "MC4CAQAwBQYDK2VwBCIEIJ0123456789abcdefghijklmnopqrstuv0123456789"
    pem.write_text(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    monkeypatch.setenv("TIDEMILL_GUARD_PRIVATE_KEY_FILE", str(pem))
    assert redacted(f"cannot parse {pem}: {body}") == f"cannot parse {pem}: {REDACTED}"
    monkeypatch.setenv("TIDEMILL_GUARD_PRIVATE_KEY_FILE", str(tmp_path / "absent.pem"))
    assert redacted(f"{tmp_path}/absent.pem") == f"{tmp_path}/absent.pem"


def test_a_log_record_in_all_its_parts(token: str) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s"))
    try:
        raise ConnectionError(f"refused {token}")
    except ConnectionError:
        record = RedactedRecord("n", logging.ERROR, "p", 1, "told %s", (token,), sys.exc_info())
    handler.handle(record)
    record.msg = f"changed later: {token}"
    record.args = ()
    handler.handle(record)
    text = out.getvalue()
    assert token not in text
    assert text.count(REDACTED) == 4
    assert "ConnectionError: refused" in text


def test_a_process_that_dies_of_an_error_that_quotes_a_secret(token: str) -> None:
    code = (
        "import logging, os, threading\n"
        "from resources.redaction import redact_this_process\n"
        "redact_this_process()\n"
        "t = os.environ['TIDEMILL_SLACK_TOKEN']\n"
        "logging.basicConfig()\n"
        "logging.getLogger('x').error('log %s', t)\n"
        "def fail(): raise ValueError('thread ' + t)\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "raise RuntimeError('main ' + t)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for said in (f"log {REDACTED}", f"ValueError: thread {REDACTED}", f"RuntimeError: main {REDACTED}"):
        assert said in done.stderr
    assert token not in done.stderr


def test_dagsters_ticks_and_heartbeats(token: str, tmp_path: Path) -> None:
    error = SerializableErrorInfo(
        f"refused {token}", [f'  File "x"\n    connect("{token}")\n'], "ConnectionError"
    )
    schedules = RedactedScheduleStorage.from_config_value(None, {"base_dir": str(tmp_path)})
    runs = PooledRunStorage.from_config_value(None, {"base_dir": str(tmp_path)})
    assert isinstance(runs, PooledRunStorage)
    assert isinstance(schedules, RedactedScheduleStorage)
    data = TickData(
        "origin", "sensor", InstigatorType.SENSOR, TickStatus.FAILURE, 1_700_000_000.0, error=error
    )
    tick = schedules.create_tick(data)
    schedules.update_tick(tick.with_status(TickStatus.FAILURE, error=error))
    runs.add_daemon_heartbeat(DaemonHeartbeat(1_700_000_000.0, "SENSOR", "id", [error]))
    (stored,) = schedules.get_ticks("origin", "origin")
    assert stored.error is not None
    assert stored.error.message == f"refused {REDACTED}"
    (beat,) = runs.get_daemon_heartbeats().values()
    assert beat.errors is not None
    assert REDACTED in beat.errors[0].stack[0]
    runs.dispose()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ConnectionError" in content
    assert token.encode() not in content
    assert json.dumps(token)[1:-1].encode() not in content


def test_an_error_with_its_causes_is_told_without_the_secret(token: str) -> None:
    try:
        try:
            raise ConnectionError(token)
        except ConnectionError as cause:
            raise RuntimeError(f"{token!r}") from cause
    except RuntimeError as error:
        text = traceback_text(error)
    assert token not in text
    assert text.count(REDACTED) == 2
    assert "direct cause" in text


def test_redaction_can_be_switched_on_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = logging.getLogRecordFactory(), sys.excepthook, threading.excepthook
    try:
        redact_this_process()
        redact_this_process()
        assert logging.getLogRecordFactory() is RedactedRecord
    finally:
        logging.setLogRecordFactory(before[0])
        sys.excepthook, threading.excepthook = before[1:]
