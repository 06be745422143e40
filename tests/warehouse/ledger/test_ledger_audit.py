from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading.errors import HaltTrading
from trading.ledger.chain import Anchor
from warehouse.ledger import audit
from warehouse.ledger.backend import Ledger

ROOT = Path(__file__).resolve().parents[3]


class Undo(Exception):
    """Rolls a tampering back."""


@pytest.fixture
def sealed(ledger: Ledger) -> Ledger:
    with ledger.transaction() as tx:
        audit.append_all(
            tx, [audit.Entry("kind", f"s{n}", {"n": n, "text": "it's ü"}) for n in range(8)], 1000
        )
    return ledger


def test_a_page_boundary_hides_nothing(sealed: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with sealed.read() as tx:
        head = audit.head(tx)
    for page in (1, 3, 8, 9):
        monkeypatch.setattr(audit, "_PAGE", page)
        report = audit.verify(sealed, [head])
        assert (report.intact, report.records, report.head, report.anchors) == (True, 8, head, 1)


def test_appending_nothing_changes_nothing(sealed: Ledger) -> None:
    with sealed.transaction() as tx:
        before = audit.head(tx)
        assert audit.append_all(tx, [], 1) == []
        assert audit.head(tx) == before
        record = audit.append(tx, "kind", "s", [1], 2000)
        assert (record.sequence, record.payload, record.previous_hash) == (9, "[1]", before.hash)
    assert audit.verify(sealed).records == 9


TAMPERINGS = st.one_of(
    st.tuples(
        st.sampled_from(["kind", "subject", "payload", "previous_hash", "hash"]),
        st.text(alphabet="ab'{}:0é", max_size=8),
        st.integers(1, 8),
    ).map(lambda t: (f"update audit set {t[0]} = :value where sequence = :n", {"value": t[1], "n": t[2]})),
    st.tuples(st.sampled_from(["at_ms", "sequence"]), st.integers(1, 8)).map(
        lambda t: (f"update audit set {t[0]} = {t[0]} + 100 where sequence = :n", {"n": t[1]})
    ),
    st.integers(1, 8).map(lambda n: ("delete from audit where sequence = :n", {"n": n})),
    st.integers(0, 7).map(lambda n: ("delete from audit where sequence > :n", {"n": n})),
    st.tuples(st.integers(1, 8), st.integers(1, 8))
    .filter(lambda t: t[0] != t[1])
    .map(
        lambda t: (
            "update audit set subject = (select b.subject from audit b where b.sequence = :other),"
            " payload = (select b.payload from audit b where b.sequence = :other) where sequence = :n",
            {"n": t[0], "other": t[1]},
        )
    ),
    st.integers(-9, 9)
    .filter(bool)
    .map(lambda n: ("update audit_head set sequence = sequence + :n", {"n": n})),
    st.just(("update audit_head set hash = 'x'", {})),
    st.just(("delete from audit_head", {})),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tampering=TAMPERINGS)
def test_any_tampering_with_the_tables_is_found(sealed: Ledger, tampering: tuple[str, dict]) -> None:
    sql, params = tampering
    with pytest.raises(Undo), sealed.transaction() as tx:
        assert tx.execute(sql, params) >= 1
        report = audit.verify_in(tx)
        assert not report.intact, tampering
        assert report.problem
        raise Undo
    assert audit.verify(sealed).intact


def test_a_rewritten_ledger_is_found_by_an_anchor(sealed: Ledger) -> None:
    with sealed.read() as tx:
        anchor = audit.head(tx)
    with sealed.transaction() as tx:
        tx.execute("delete from audit")
        tx.execute("update audit_head set sequence = 0, hash = :hash", {"hash": "0" * 64})
        audit.append_all(tx, [audit.Entry("kind", f"forged{n}", n) for n in range(9)], 1000)
    assert audit.verify(sealed).intact
    report = audit.verify(sealed, [Anchor(0, "0" * 64), anchor])
    assert (report.intact, report.broken_at) == (False, 8)
    assert "rewritten" in report.problem


def test_a_chain_without_a_head_is_not_continued(sealed: Ledger) -> None:
    with sealed.transaction() as tx:
        tx.execute("delete from audit_head")
    with pytest.raises(HaltTrading, match="head row is missing"), sealed.transaction() as tx:
        audit.append(tx, "kind", "s", 1, 1)


WRITER = """
import sys
from warehouse.ledger import audit, portfolio
from warehouse.ledger.backend import open_ledger
from decimal import Decimal
ledger = open_ledger(sys.argv[1], lock_timeout_seconds=60)
for number in range(4):
    with ledger.transaction() as tx:
        portfolio.deposit(tx, f"{sys.argv[2]}-{number}", Decimal("0.1"), "USDT", number)
        balance = portfolio.cash(tx)
        tx.execute("update controls set value = :value where name = 'balance'", {"value": f"{balance.normalize():f}"})
ledger.close()
"""


def test_eight_processes_write_at_once_and_nothing_is_lost(ledger: Ledger, ledger_url: str) -> None:
    with ledger.transaction() as tx:
        tx.execute("insert into controls values ('balance', '0', '', 0, '')")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, ledger_url, str(n)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for n in range(8)
    ]
    for writer in writers:
        _, said = writer.communicate()
        assert writer.returncode == 0, said
    with ledger.read() as tx:
        ids = {row["transfer_id"] for row in tx.query("select transfer_id from transfers")}
        assert tx.query("select value from controls where name = 'balance'") == [{"value": "3.2"}]
    assert ids == {f"deposit:{n}-{number}" for n in range(8) for number in range(4)}
    report = audit.verify(ledger)
    assert (report.intact, report.records) == (True, 32)
