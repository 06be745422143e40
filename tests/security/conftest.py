"""One Tidemill with every kind of secret in its environment, which has traded, failed, and is open in the UI."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import psycopg
import pytest
import yaml
from canary_home import BUCKET, Deployment, Slack

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.keys import paper_keys
from apps.sandbox.trading.settings import TradingSettings
from tests.dagster_service import ROOT, DagsterService, free_port
from tests.postgres_server import shared_server
from trading.simulation.settings import MarketSettings

DAY = "2025-03-10"
DESK = ROOT / "tests" / "turnstile_desk.py"
LEAKING = Path(__file__).parent / "leaking_desk.py"
LEAKING_KINDS = ("common", "ed25519", "postgres", "s3", "leaked")
CLOSE_MS = int(datetime.fromisoformat(f"{DAY}T00:15:00+00:00").timestamp() * 1000)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[EmbeddedSandbox]:
    market = MarketSettings(
        symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"),
        late_listing_days=0,
        venue_outage_probability=0,
        symbol_outage_probability=0,
    )
    clock = ClockSettings(start=f"{DAY}T00:20:00", speed=0.0)
    trading = TradingSettings(accounts=("canary", "canary-two"))
    with EmbeddedSandbox(SandboxSettings(market=market, clock=clock, trading=trading)) as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield client
    server.stop()


def _ledger(password: str) -> tuple[str, str]:
    """A database whose owner has this password, and its address for users and for the test."""
    server = shared_server()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create role canary login password '{password}'")
        connection.execute("create database canary owner canary")
    address = f"127.0.0.1:{server.port}/canary"
    return f"postgresql://canary:{quote(password, safe='')}@{address}", server.url.rsplit("/", 1)[
        0
    ] + "/canary"


@pytest.fixture(scope="session")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, sandbox: EmbeddedSandbox, s3: Any
) -> Iterator[Deployment]:
    hmac, ed25519 = (paper_keys(sandbox.settings.market.seed, name) for name in ("canary", "canary-two"))
    keys = tmp_path_factory.mktemp("keys")
    pem = keys / "private.pem"
    pem.touch(mode=0o600)
    pem.write_text(ed25519.ed25519_private_key)
    password = f"Canary/p@ss:{secrets.token_hex(6)}"
    url, url_of_test = _ledger(password)
    common = {
        "TIDEMILL_SLACK_TOKEN": f"xoxb-canary-{secrets.token_hex(8)}",
        "TIDEMILL_SIGNING_KEY": secrets.token_hex(32),
    }
    leaked = ("TIDEMILL_SLACK_TOKEN", "TIDEMILL_SIGNING_KEY", "TIDEMILL_BINANCE_KEY", "TIDEMILL_LEDGER_URL")
    s3_secret = f"Canary/+{secrets.token_hex(12)}"
    variables = {
        "common": common,
        "hmac": {"TIDEMILL_BINANCE_KEY": hmac.api_key, "TIDEMILL_BINANCE_SECRET": hmac.secret},
        "ed25519": {
            "TIDEMILL_BINANCE_KEY": ed25519.ed25519_api_key,
            "TIDEMILL_BINANCE_PRIVATE_KEY_FILE": str(pem),
        },
        "postgres": {"TIDEMILL_LEDGER_URL": url},
        "leaked": {"LEAKED_VARIABLES": ",".join((*leaked, "AWS_SECRET_ACCESS_KEY"))},
        "s3": {"AWS_ACCESS_KEY_ID": "canary-user", "AWS_SECRET_ACCESS_KEY": s3_secret},
    }
    values = {
        **common,
        "HMAC key": hmac.api_key,
        "HMAC secret": hmac.secret,
        "Ed25519 key": ed25519.ed25519_api_key,
        "Ed25519 private key": ed25519.ed25519_private_key.splitlines()[1],
        "Postgres password": password,
        "S3 secret": s3_secret,
    }
    home = tmp_path_factory.mktemp("canary") / "home"
    slack = Slack()
    _configure(home, sandbox.base_url, slack.url, s3.meta.endpoint_url)
    made = Deployment(home, values, variables, slack, url_of_test, s3)
    made.command("embedded", "run", "daily", kinds=("common", "hmac"))
    made.command("leaking", "run", "daily", kinds=LEAKING_KINDS)
    port = free_port()
    command = [sys.executable, "-m", "apps.cli.main", "ui", "--port", str(port)]
    environment = made.environment("leaking", *LEAKING_KINDS)
    with DagsterService({"ui": command}, port, environment, home) as service:
        made.service = service
        made.failed_run = _fail_in_a_worker(service)
        yield made
    slack.shutdown()
    slack.server_close()


def _configure(home: Path, exchange: str, slack: str, s3_url: str) -> None:
    """Two configurations of one home: files and DuckDB; Postgres, S3 and a desk that tells everything."""
    (home / "config").mkdir(parents=True)
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    addresses = {"base_url": exchange, "futures_base_url": exchange}
    embedded = {
        "history_days": 1,
        "market_data": {"source": "binance", "binance": addresses},
        "universe": {"symbols": ["BTCUSDT", "ETHUSDT", "SOLUSDT"]},
        "venue": {"kind": "binance_spot", "binance": addresses},
        "desks": [{"use": f"{DESK}:Turnstile"}],
        "risk": {"max_spread_bps": 1000},
        "factory": {
            "window_days": 7,
            "evolution": {
                "candidates": 8,
                "looks_per_candidate": 2,
                "population": 4,
                "elites": 1,
                "round_size": 8,
                "minimum_trades": 1,
            },
        },
        "alerts": {"slack": {"enabled": True, "channel": "C1", "base_url": slack}},
    }
    lake = {"uri": f"s3://{BUCKET}/lake", "endpoint_url": s3_url, "region": "eu-central-1"}
    leaking = embedded | {"lake": lake, "desks": [{"use": f"{LEAKING}:Leaking"}]}
    for name, content in (("embedded", embedded), ("leaking", leaking)):
        (home / "config" / f"{name}.yaml").write_text(yaml.safe_dump(content))


def _fail_in_a_worker(service: DagsterService) -> str:
    """Launch a decision that fails, wait for its end and for what the daemon does about it; returns its id."""
    tick = {"ops": {"take_snapshot": {"config": {"bar_close_ms": CLOSE_MS}}}}
    run_id = service.launch("decision", config=tick)
    service.wait_until(
        "the run has failed",
        lambda: any(run["runId"] == run_id and run["status"] == "FAILURE" for run in service.runs()),
        180,
    )
    return run_id
