"""`tidemill explain`: the whole chain of a decision, by any beginning of an id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

Cli = Callable[..., Result]
CliJson = Callable[..., Any]
Book = dict[str, str]


def test_an_order_is_told_from_its_sources_to_its_cost(cli: Cli, book: Book) -> None:
    result = cli("explain", book["order"][:12])
    assert result.exit_code == 0
    for part in (
        book["bought"],
        "fork: enter long BTCUSDT, fired",
        "≥ 0.85",
        "approved",
        "sending",
        "filled",
        "100.05",
        "0.5 USDT",
        "slippage 5.00 bps + fees 10.00 bps = 15.00 bps",
        "bars/interval=15m/date=2025-12-30",
        "dddddddddddddddd",
    ):
        assert part in result.stdout
    assert "\x1b" not in result.stdout


def test_a_decision_and_its_order_tell_the_same_story(cli_json: CliJson, book: Book) -> None:
    assert cli_json("explain", book["order"]) == cli_json("explain", book["bought"][:10])


def test_json_holds_checks_verdict_fills_and_cost(cli_json: CliJson, book: Book) -> None:
    story = cli_json("explain", book["bought"])
    assert story["decision"]["checks"][0] == {
        "name": "fork_score",
        "passed": True,
        "value": 0.91,
        "limit": 0.85,
        "detail": "≥",
    }
    assert story["verdict"]["kind"] == "approved"
    (order,) = story["orders"]
    assert [event["to_state"] for event in order["events"]] == ["intent", "sending", "filled"]
    assert order["fills"][0]["price"] == "100.05"
    assert order["cost"]["total_bps"] == pytest.approx(15.0, abs=1e-9)
    assert len(story["audit_records"]) >= 5
    assert story["would_have_traded"] == ""


def test_a_skipped_decision_says_what_would_have_had_to_change(cli: Cli, book: Book) -> None:
    out = cli("explain", book["skipped"]).stdout
    assert "would have traded had fork_score been ≥ 0.85 (was 0.71)" in out
    assert "not asked" in out


def test_a_refused_decision_names_the_limit_of_the_risk_gate(cli: Cli, book: Book) -> None:
    out = cli("explain", book["refused"]).stdout
    assert "refused (position_too_large)" in out
    assert "would have traded had position_fraction been ≤ 0.2 of equity (was 0.31)" in out


def test_an_unknown_id_gives_the_nearest(cli: Cli, book: Book) -> None:
    wrong = book["bought"][:10] + "zz"
    result = cli("explain", wrong)
    assert result.exit_code == 1
    assert f"no decision or order starts with '{wrong}'" in result.stderr
    assert book["bought"] in result.stderr
    assert "tidemill status" in cli("explain", "q").stderr


def test_an_ambiguous_beginning_lists_the_matches(cli: Cli, book: Book) -> None:
    # An empty ledger aside, three random ids and one order share no beginning but these.
    firsts = [book[role][0] for role in ("bought", "refused", "skipped")]
    shared = next((c for c in firsts if firsts.count(c) > 1), None)
    if shared is None:
        from apps.cli.story import resolve
        from trading.errors import BadData

        class Twins:
            def query(self, sql: str, params: dict[str, str]) -> list[dict[str, Any]]:
                if "from orders" in sql:
                    return []
                row = {"desk": "fork", "action": "enter", "symbol": "X", "reason_code": "r"}
                return [row | {"decision_id": f"{params['prefix']}{n}"} for n in (1, 2)]

        with pytest.raises(
            BadData, match=r"starts 2 ids; give more characters:\n  ab1  fork enter X r\n  ab2"
        ):
            resolve(Twins(), "ab")  # type: ignore[arg-type]
        return
    result = cli("explain", shared)
    assert result.exit_code == 1
    assert "give more characters" in result.stderr
