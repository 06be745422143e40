"""The deployment for real: compose's own commands, a PostgreSQL server, and a lake in S3.

A market view and a decision are launched through the webserver, dequeued by the daemon, and leave
their runs, events and ledger rows in Postgres and their partitions in S3.
"""

import logging
import shlex
from datetime import UTC, datetime
from urllib.parse import urlsplit

import boto3
import psycopg
import pytest
import yaml

from tests.dagster_service import ROOT, DagsterService, free_port, service_environment
from tests.postgres_server import postgres_url  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

DAY = "2025-03-05"
CLOSE_MS = int(datetime(2025, 3, 5, 6, 0, tzinfo=UTC).timestamp() * 1000)
BUCKET = "tidemill-lake"

CONFIGURATION = f"""
market_data:
  sandbox:
    exchange:
      clock: {{start: "{DAY}T06:03:00", speed: 0}}   # the market stands still just after a close
universe: {{symbols: [BTCUSDT, ETHUSDT, SOLUSDT]}}
lake: {{uri: "s3://{BUCKET}/lake", endpoint_url: "%s", region: eu-central-1}}
"""


@pytest.fixture(scope="module")
def s3():
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


@pytest.fixture(scope="module")
def databases(postgres_url):  # noqa: F811
    """The two databases that compose makes: Dagster's and the ledger's."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in ("dagster", "tidemill"):
            connection.execute(f"CREATE DATABASE {name}")
    return postgres_url.rsplit("/", 1)[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory, databases, s3):
    home = tmp_path_factory.mktemp("deployment")
    (home / "config").mkdir()
    (home / "config" / "tidemill.yaml").write_text(CONFIGURATION % s3.meta.endpoint_url)
    (home / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    address = urlsplit(databases)
    environment = service_environment(
        home,
        DAGSTER_PG_HOST=address.hostname,
        DAGSTER_PG_PORT=str(address.port),
        DAGSTER_PG_USER=address.username,
        DAGSTER_PG_PASSWORD=address.password,
        DAGSTER_PG_DATABASE="dagster",
        TIDEMILL_LEDGER_URL=f"{databases}/tidemill",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_EC2_METADATA_DISABLED="true",
    )
    port = free_port()
    with DagsterService(compose_commands(port), port, environment, home) as running:
        yield running


def compose_commands(port):
    """The commands of compose.yaml, on this machine's paths and a free port of the loopback."""
    here = {
        "/opt/tidemill/workspace.yaml": str(ROOT / "workspace.yaml"),
        "0.0.0.0": "127.0.0.1",
        "3000": str(port),
    }
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    return {
        name: [here.get(word, word) for word in shlex.split(services[name]["command"])]
        for name in ("webserver", "daemon")
    }


def test_a_decision_through_webserver_and_daemon(service, databases, s3):
    intraday = service.launch("intraday", tags={"dagster/partition": DAY})
    service.succeed(intraday, 180)
    decision = service.launch(
        "decision", config={"ops": {"take_snapshot": {"config": {"bar_close_ms": CLOSE_MS}}}}
    )
    service.succeed(decision, 120)

    with psycopg.connect(f"{databases}/dagster") as instance:
        runs = dict(instance.execute("SELECT run_id, status FROM runs").fetchall())
        made = instance.execute(
            "SELECT asset_key FROM event_logs WHERE run_id = %s AND partition = %s"
            " AND dagster_event_type = 'ASSET_MATERIALIZATION'",
            [intraday, DAY],
        ).fetchall()
        heartbeats = instance.execute("SELECT count(*) FROM daemon_heartbeats").fetchone()
    assert runs[intraday] == runs[decision] == "SUCCESS"
    assert {'["klines"]', '["screener_ratings_15m"]', '["rating_kicks"]'} <= {key for (key,) in made}
    assert heartbeats[0] > 0

    with psycopg.connect(f"{databases}/tidemill") as ledger:
        (tick, closed) = ledger.execute("SELECT tick_id, bar_close_ms FROM snapshots").fetchone()
        decided = ledger.execute("SELECT count(*) FROM decisions WHERE tick_id = %s", [tick]).fetchone()
        audited = ledger.execute("SELECT count(*) FROM audit").fetchone()
    assert closed == CLOSE_MS
    assert decided[0] > 0
    assert audited[0] > 0

    stored = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert f"lake/klines/date={DAY}/data.parquet" in stored
    assert any(key.startswith("lake/audit_anchors/") for key in stored)
    assert not (service.home / "var" / "lake").exists()
