"""audit verify and status on a real ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import Result

Cli = Callable[..., Result]
CliJson = Callable[..., Any]
Book = dict[str, str]


def _edit(home: Path, statement: str) -> None:
    with duckdb.connect(str(home / "var" / "ledger.duckdb")) as connection:
        connection.execute(statement)


def test_an_intact_chain_verifies(cli: Cli, cli_json: CliJson, book: Book) -> None:
    report = cli_json("audit", "verify")
    assert report["intact"] is True
    assert report["records"] == report["head"]["sequence"] > 5
    result = cli("audit", "verify")
    assert result.exit_code == 0
    assert f"{report['records']} records" in result.stdout


@pytest.mark.parametrize(
    ("damage", "at"),
    [
        ("update audit set payload = '{}' where sequence = 3", 3),
        ("delete from audit where sequence = 2", 2),
        ("delete from audit where sequence > 4", 5),
        ("update audit set at_ms = at_ms + 1 where sequence = 1", 1),
    ],
)
def test_a_broken_chain_names_its_first_broken_record(
    cli: Cli, home: Path, book: Book, damage: str, at: int
) -> None:
    _edit(home, damage)
    result = cli("audit", "verify")
    assert result.exit_code == 1
    assert f"BROKEN at record {at}" in result.stdout
    assert f'"broken_at": {at}' in cli("audit", "verify", "--json").stdout


def test_a_tail_cut_with_its_head_shows_against_the_anchor_in_the_lake(
    cli: Cli, cli_json: CliJson, home: Path, book: Book
) -> None:
    from datetime import UTC, date, datetime

    import polars as pl

    from warehouse.datasets.research import AUDIT_ANCHORS
    from warehouse.lake.lake import open_lake

    head = cli_json("audit", "verify")["head"]
    with duckdb.connect(str(home / "var" / "ledger.duckdb"), read_only=True) as connection:
        (ledger_id,) = connection.execute("select ledger_id from ledger_identity").fetchone() or ("",)
    rows = [
        {"ledger_id": ledger_id, **head, "anchored_at": datetime(2025, 12, 31, tzinfo=UTC)},
        {
            "ledger_id": "another",
            "sequence": 9_999,
            "hash": "0" * 64,
            "anchored_at": datetime(2025, 12, 31, tzinfo=UTC),
        },
    ]
    frame = pl.DataFrame(rows).cast(dict(AUDIT_ANCHORS.schema))
    open_lake(str(home / "var" / "lake")).write(AUDIT_ANCHORS, date(2025, 12, 31), frame)
    assert cli_json("audit", "verify")["anchors"] == 1
    _edit(home, "delete from audit where sequence > 4")
    _edit(home, "update audit_head set sequence = 4, hash = (select hash from audit where sequence = 4)")
    result = cli("audit", "verify")
    assert result.exit_code == 1
    assert "the tail was cut" in result.stdout


def test_status_shows_the_account_and_what_was_decided(cli: Cli, cli_json: CliJson, book: Book) -> None:
    view = cli_json("status")
    (holding,) = view["holdings"]
    assert holding["position"]["symbol"] == "BTCUSDT"
    assert holding["price"] is None
    assert view["equity"]["cash"] == "9499.25"
    assert view["equity"]["unpriced_symbols"] == ["BTCUSDT"]
    assert view["last_tick"]["tick_id"] == "a" * 32
    assert {row["decision_id"] for row in view["newest_decisions"]} == {
        book[role] for role in ("bought", "refused", "skipped")
    }
    out = cli("status").stdout
    assert "Kill flag: off" in out
    assert "9,499.25" in out
    assert book["bought"][:12] in out


def test_status_marks_positions_at_the_newest_price_of_the_lake(
    cli_json: CliJson, home: Path, book: Book, lake_of_a_day: str
) -> None:
    view = cli_json("status")
    (holding,) = view["holdings"]
    assert holding["price"] == 110.0
    assert float(holding["unrealised_pnl"]) == pytest.approx(5 * 110 - (5 * 100.05 + 0.5))
    assert float(view["equity"]["equity"]) == pytest.approx(9499.25 + 550)
    klines = next(item for item in view["datasets"] if item["dataset"] == "klines")
    assert (klines["rows"], klines["newest_day"]) == (4, lake_of_a_day)


def test_status_of_an_empty_home(cli: Cli) -> None:
    result = cli("status")
    assert result.exit_code == 0
    assert "The lake is empty. Fill it with: tidemill run daily" in result.stdout
    assert "Last tick: none yet" in result.stdout
    assert "Source files, its time is 2025-12-31 00:00 UTC" in result.stdout


def test_status_goes_on_when_the_source_does_not_answer(cli: Cli, home: Path) -> None:
    for path in (home / "klines").iterdir():
        path.unlink()
    result = cli("status")
    assert result.exit_code == 0
    assert "Source files does not answer" in result.stdout
    assert "Kill flag: off" in result.stdout
