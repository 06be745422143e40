from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.postgres_server import PostgresServer, packaged_binaries
from trading.errors import BadData, FixConfiguration, RetryLater, UnknownOutcome
from warehouse.ledger.backend import Ledger, open_ledger
from warehouse.ledger.sql import bind, statements, translate

ROOT = Path(__file__).resolve().parents[3]


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def notes(ledger: Ledger) -> list[dict]:
    with ledger.read() as tx:
        return tx.query("select * from note order by id")


@pytest.fixture
def noted(empty_ledger: Ledger) -> Ledger:
    with empty_ledger.transaction() as tx:
        tx.execute(
            "create table note (id bigint primary key, text text, amount decimal(38, 18), size double precision)"
        )
    return empty_ledger


INSERT = "insert into note (id, text, amount, size) values (:id, :text, :amount, :size)"


def row(number: int, text: str | None = None, amount: str = "1", size: float | None = None) -> dict:
    return {"id": number, "text": text, "amount": Decimal(amount), "size": size}


@given(st.text(alphabet=":'\"%;-a$ ()", max_size=30))
def test_a_literal_is_never_rewritten(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    sql = f"select {literal}, :a::text"
    assert translate(sql, "duckdb") == (f"select {literal}, $a::text", ("a",))
    assert translate(sql, "postgres") == (f"select {literal.replace('%', '%%')}, %(a)s::text", ("a",))
    assert list(statements(f"{sql}; {sql} ;")) == [sql, sql]


def test_a_literal_survives_the_driver(noted: Ledger) -> None:
    text = "a:b %s :id '::' ; --"
    with noted.transaction() as tx:
        tx.execute("insert into note (id, text) values (:id, 'a:b %s :id ''::'' ; --') -- :gone", {"id": 1})
        tx.execute(INSERT, row(2, text))
        rows = tx.query(
            'select id, text = :text as same, 7 % 4 as "rest: %", :id::text as id_text from note '
            "where text like 'a:b%' order by id",
            {"text": text, "id": 5},
        )
    assert [tuple(r.values()) for r in rows] == [(1, True, 3, "5"), (2, True, 3, "5")]
    assert list(rows[0]) == ["id", "same", "rest: %", "id_text"]


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ValueError, match=r"\['b'\] have no value; given: \['a'\]"):
        bind(("a", "b"), {"a": 1})


def test_values_come_back_as_they_went_in(noted: Ledger) -> None:
    amounts = ["1", "-0.000000000000000001", "12345678901234567890.123456789012345678", "0.1"]
    with noted.transaction() as tx:
        tx.execute_many(INSERT, [row(i, f"n{i}", amount, 0.1 + i) for i, amount in enumerate(amounts)])
        tx.execute(INSERT, row(9, None, "0", float("nan")))
    stored = notes(noted)
    assert [r["amount"] for r in stored] == [*map(Decimal, amounts), Decimal(0)]
    assert [r["size"] for r in stored] == [0.1, 1.1, 2.1, 3.1, None], "a NaN is stored as missing"


def test_many_rows_in_one_call(noted: Ledger) -> None:
    rows = [row(i, f"{i}:%'", str(i)) for i in range(1000)]
    with noted.transaction() as tx:
        tx.execute_many(INSERT, iter(rows))
        tx.execute_many(INSERT, [])
        tx.execute_many(
            "update note set text = :text where id = :id", [{"id": 3, "text": "x"}, {"id": 4, "text": "y"}]
        )
    stored = notes(noted)
    assert [(r["id"], r["amount"]) for r in stored] == [(i, Decimal(i)) for i in range(1000)]
    assert [r["text"] for r in stored[2:6]] == ["2:%'", "x", "y", "5:%'"]


def test_execute_counts_the_rows_it_changed(noted: Ledger) -> None:
    with noted.transaction() as tx:
        assert tx.execute(INSERT, row(1)) == 1
        assert tx.execute(INSERT + " on conflict do nothing", row(1)) == 0
        assert tx.execute(INSERT, row(2)) == 1
        assert tx.execute("update note set text = 'x'") == 2
        assert tx.execute("update note set text = 'y'") == 2, "the same row twice in one transaction"
        assert tx.execute("delete from note where id = 7") == 0
        assert tx.execute("select * from note") == 0
        assert tx.execute("create table other (id bigint)") == 0


def test_an_error_rolls_everything_back(noted: Ledger) -> None:
    with pytest.raises(KeyError), noted.transaction() as tx:
        tx.execute(INSERT, row(1))
        raise KeyError
    assert notes(noted) == []


def test_a_broken_constraint_is_bad_data(noted: Ledger) -> None:
    with pytest.raises(BadData, match="refused the write"), noted.transaction() as tx:
        tx.execute(INSERT, row(1))
        tx.execute(INSERT, row(1))
    with pytest.raises(BadData, match="refused the write"), noted.transaction() as tx:
        tx.execute(INSERT, row(2, amount="1e30"))
    assert notes(noted) == []


def test_a_swallowed_error_cannot_commit_half(noted: Ledger) -> None:
    with pytest.raises(BadData, match="rolled back"), noted.transaction() as tx:
        tx.execute(INSERT, row(1))
        with pytest.raises(BadData):
            tx.execute(INSERT, row(1))
    assert notes(noted) == []


def test_reading_cannot_write(noted: Ledger) -> None:
    with pytest.raises(Exception, match="read-only"), noted.read() as tx:
        tx.execute(INSERT, row(1))
    assert notes(noted) == []


def test_transactions_do_not_nest(noted: Ledger) -> None:
    with noted.transaction() as tx:
        with pytest.raises(RuntimeError, match="do not nest"), noted.transaction():
            pass
        tx.execute(INSERT, row(1))
    assert len(notes(noted)) == 1


def test_threads_take_turns(noted: Ledger) -> None:
    """A read-modify-write loses nothing: nobody changes what a transaction has read."""
    with noted.transaction() as tx:
        tx.execute(INSERT, row(1, amount="0"))

    def add() -> None:
        for _ in range(5):
            with noted.transaction() as tx:
                amount = tx.query("select amount from note where id = 1")[0]["amount"]
                tx.execute("update note set amount = :amount where id = 1", {"amount": amount + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes(noted)[0]["amount"] == 20


HOLD = """
import sys, time
from warehouse.ledger.backend import open_ledger
with open_ledger(sys.argv[1]).transaction() as tx:
    tx.execute("insert into note (id) values (1)")
    print("inside", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_nothing_and_frees_the_lock(noted: Ledger, ledger_url: str) -> None:
    holder = run_python(HOLD, ledger_url)
    try:
        assert holder.stdout.readline() == "inside\n", holder.stderr.read()
        impatient = open_ledger(ledger_url, lock_timeout_seconds=0.3)
        started = time.monotonic()
        with pytest.raises(RetryLater, match=r"in use.*waited 0.3 s") as busy, impatient.transaction():
            pass
        assert 0.25 < time.monotonic() - started < 5
        impatient.close()
        if noted.dialect == "duckdb":
            assert f"by process {holder.pid}:" in str(busy.value)
            assert "ledger.duckdb" in str(busy.value)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    with noted.transaction() as tx:
        assert tx.query("select * from note") == []
        tx.execute(INSERT, row(2))
    assert [r["id"] for r in notes(noted)] == [2]


def test_a_foreign_program_on_the_duckdb_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    foreign = run_python(
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)",
        str(path),
    )
    try:
        assert foreign.stdout.readline() == "open\n"
        ledger = open_ledger(f"duckdb:///{path}", lock_timeout_seconds=0.3)
        with pytest.raises(RetryLater, match="open in another program"), ledger.transaction():
            pass
    finally:
        os.kill(foreign.pid, signal.SIGKILL)
        foreign.communicate()
    assert open_ledger(f"duckdb:///{path}").migrate()


def test_between_transactions_the_duckdb_file_is_free(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    ledger = open_ledger(f"duckdb:///{path}")
    ledger.migrate()
    take = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    assert run_python(take, str(path)).communicate(timeout=60)[1] == ""
    with pytest.raises(BadData), ledger.transaction() as tx:
        tx.execute("insert into ledger_identity select * from ledger_identity")
    assert run_python(take, str(path)).communicate(timeout=60)[1] == "", "after an error, too"
    assert not path.with_name("ledger.duckdb.wal").exists()
    assert ledger.migrate() == []


_FORK = """
import os, sys
from warehouse.ledger.backend import open_ledger
ledger = open_ledger(sys.argv[1])
with ledger.transaction() as tx:
    tx.execute("create table note (id bigint primary key)")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        ledger = open_ledger(sys.argv[1])
        with ledger.transaction() as tx:
            tx.execute("insert into note (id) values (:id)", {"id": number})
        os._exit(0)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
with ledger.read() as tx:
    print(codes, [row["id"] for row in tx.query("select id from note order by id")])
"""


def test_forked_children_open_the_ledger_for_themselves(ledger_url: str) -> None:
    if ledger_url.startswith("postgres"):
        pytest.skip("a pool belongs to the process that opened it")
    out, err = run_python(_FORK, ledger_url).communicate(timeout=60)
    assert out.strip() == "[0, 0, 0, 0] [0, 1, 2, 3]", err


def test_a_file_that_is_no_ledger_is_bad_data(tmp_path: Path) -> None:
    (tmp_path / "ledger.duckdb").write_bytes(b"not a database" * 1000)
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb", lock_timeout_seconds=1)
    with pytest.raises(BadData, match="cannot be opened"), ledger.transaction():
        pass


def test_a_relative_duckdb_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_ledger("duckdb:///var/ledger.duckdb").migrate()
    with duckdb.connect(str(tmp_path / "var/ledger.duckdb")) as connection:
        assert connection.execute("select count(*) from ledger_identity").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "url",
    [
        "var/ledger.duckdb",
        "duckdb://",
        "duckdb:///",
        "duckdb:///:memory:",
        "duckdb://ledger.duckdb",
        "mysql://h/db",
    ],
)
def test_a_url_without_a_backend_is_refused(url: str) -> None:
    with pytest.raises(FixConfiguration, match="duckdb:///"):
        open_ledger(url)


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret%zz@h/db", "postgresql://u:s3cret@h:port:1/db?x=s3cret"]
)
def test_a_bad_postgres_url_keeps_the_password(url: str) -> None:
    with pytest.raises(FixConfiguration) as refused:
        open_ledger(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_wrong_password_and_a_dead_server_say_so_without_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        password = connection.info.password
    wrong = open_ledger(postgres_url.replace(password, "wr0ng"), lock_timeout_seconds=2)
    with pytest.raises(FixConfiguration, match="authentication failed") as refused, wrong.transaction():
        pass
    assert "wr0ng" not in str(refused.value)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = open_ledger(
            f"postgresql://u:s3cret@127.0.0.1:{closed.getsockname()[1]}/db", lock_timeout_seconds=2
        )
        with pytest.raises(RetryLater, match="cannot be reached") as unreachable, dead.transaction():
            pass
    assert "s3cret" not in str(unreachable.value)


class CuttingProxy:
    """Passes bytes to a Postgres and cuts the line when the client says a word."""

    def __init__(self, port: int) -> None:
        self.word, self.deliver = b"", False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, upstream: bool) -> None:
        with source, target:
            try:
                while data := source.recv(65536):
                    cut = upstream and self.word and self.word in data
                    if cut:
                        source.shutdown(socket.SHUT_RDWR)
                    if not cut or self.deliver:
                        target.sendall(data)
                    if cut:
                        time.sleep(0.1)
                        target.shutdown(socket.SHUT_RDWR)
                        return
            except OSError:
                return


@pytest.mark.parametrize("deliver", [True, False])
def test_a_line_cut_during_the_commit_is_an_unknown_outcome(postgres_url: str, deliver: bool) -> None:
    table = f"cut_{int(deliver)}"
    with psycopg.connect(postgres_url, autocommit=True) as direct:
        port = direct.info.port
        direct.execute(f"create table {table} (id bigint)")
        proxy = CuttingProxy(port)
        ledger = open_ledger(postgres_url.replace(str(port), str(proxy.port)), lock_timeout_seconds=5)
        try:
            with ledger.transaction() as tx:
                tx.execute(f"insert into {table} values (1)")
            proxy.word, proxy.deliver = b"commit\x00", deliver
            with pytest.raises(UnknownOutcome, match="during the commit"), ledger.transaction() as tx:
                tx.execute(f"insert into {table} values (2)")
            proxy.word = b"values (3)"
            with pytest.raises(RetryLater, match="before the commit"), ledger.transaction() as tx:
                tx.execute(f"insert into {table} values (3)")
            proxy.word = b""
            with ledger.transaction() as tx:
                tx.execute(f"insert into {table} values (4)")
        finally:
            ledger.close()
            proxy.close()
        stored = {number for (number,) in direct.execute(f"select id from {table}")}
    assert stored == ({1, 2, 4} if deliver else {1, 4})


def test_the_packaged_postgres_serves_a_machine_that_has_none() -> None:
    server = PostgresServer(packaged_binaries())
    try:
        server.start()
        ledger = open_ledger(server.url)
        assert ledger.migrate()
        ledger.close()
        port = server.port
    finally:
        server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


FULL_DISK = """
import os, resource, signal, sys
from trading.errors import RetryLater, UnknownOutcome
from warehouse.ledger.backend import open_ledger
ledger = open_ledger(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
# No file of this process may grow any more, as on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    with ledger.transaction() as tx:
        for number in range(10, 40):
            tx.execute("insert into note (id, text) values (:n, :text)", {"n": number, "text": os.urandom(50_000).hex()})
except (RetryLater, UnknownOutcome) as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/ledger.duckdb"
    ledger = open_ledger(url)
    with ledger.transaction() as tx:
        tx.execute("create table note (id bigint primary key, text text)")
        tx.execute("insert into note values (1, 'before')")
    said, trouble = run_python(FULL_DISK, url).communicate()
    assert said.startswith(("RetryLater ledger", "UnknownOutcome ledger")), trouble
    assert notes(ledger) == [{"id": 1, "text": "before"}]
    with ledger.transaction() as tx:
        tx.execute("insert into note values (2, 'after')")
    assert len(notes(ledger)) == 2
