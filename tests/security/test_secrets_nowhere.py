"""Keys, tokens and passwords are used, and told nowhere: not even by an error that quotes every one of them."""

from __future__ import annotations

import gzip
import os
import sqlite3
from pathlib import Path

import duckdb
import polars as pl
import pytest
from canary_home import Deployment
from leaking_desk import MARKER
from secret_search import files, found, parquet_text

from apps.sandbox.server import EmbeddedSandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Told = dict[str, bytes]


@pytest.fixture(scope="module")
def told(deployment: Deployment) -> Told:
    return dict(deployment.places())


def test_every_secret_was_used(deployment: Deployment, sandbox: EmbeddedSandbox) -> None:
    said = deployment.said
    assert deployment.exit_codes["embedded"] == 0, said["embedded"][-4000:]
    assert set(deployment.slack.tokens) == {f"Bearer {deployment.secrets['TIDEMILL_SLACK_TOKEN']}"}
    # The other run came as far as the desk: with its password, its bucket and its signed account.
    assert deployment.exit_codes["leaking"] == 1, said["leaking"][-4000:]
    assert MARKER in said["leaking"], said["leaking"][-4000:]


def test_where_a_secret_would_be_the_words_beside_it_are(deployment: Deployment, told: Told) -> None:
    """The search sees: the error's harmless part is in each place that keeps or shows errors."""
    seen = {item.removeprefix("marker in ") for item in found(told.items(), {"marker": MARKER})}
    run_id = deployment.failed_run
    compute_log = next(name for name in told if run_id in name and name.endswith(".err"))
    expected = {
        "terminal of leaking",
        compute_log,
        f"events of decision {run_id}",
        f"download of decision {run_id}",
        f"captured logs of decision {run_id}",
        f"err of decision {run_id}",
    }
    assert expected <= seen
    assert any(name.startswith("var/dagster/event_log.db") for name in seen)


def test_no_secret_is_told_anywhere(deployment: Deployment, told: Told) -> None:
    for needed in ("var/ledger.duckdb (rows)", "table audit", "slack", "instance", "resources", "/config"):
        assert len(told[needed]) > 50, needed
    assert found(told.items(), deployment.secrets) == []


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    planted = 'S3cret/"of the sea" ' + os.urandom(8).hex()
    raw, packed = planted.encode(), gzip.compress(planted.encode())
    (tmp_path / "run.log").write_bytes(b"x" * 70_000 + raw)
    (tmp_path / "run.log.gz").write_bytes(packed)
    pl.DataFrame({"a": ["b" * 50] * 9_999 + [planted] * 9_999}).write_parquet(tmp_path / "data.parquet")
    with duckdb.connect(str(tmp_path / "ledger.duckdb")) as ledger:
        ledger.execute("create table t as select 'word ' || n % 10 as a from range(5000) r(n)")
        ledger.execute("insert into t values (?)", [planted])
    events = sqlite3.connect(tmp_path / "event_log.db")
    events.execute("create table event_logs (event text)")
    events.execute("insert into event_logs values (?)", [f'{{"message": "{planted}"}}'])
    events.commit()
    events.close()
    places = list(files(tmp_path))
    names = {item.removeprefix("it in ") for item in found(places, {"it": planted})}
    assert {
        "run.log",
        "run.log.gz (unpacked)",
        "data.parquet (rows)",
        "ledger.duckdb (rows)",
        "event_log.db",
    } <= names
    assert found([("url", b"pg://u:S3cret%2F%22of%20the%20sea%22")], {"it": 'S3cret/"of the sea"'}) == [
        "it in url"
    ]
    assert found(places, {"other": "not there"}) == []
    assert planted.encode() in parquet_text((tmp_path / "data.parquet").read_bytes())
