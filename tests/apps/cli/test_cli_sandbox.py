from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.cli import sandbox
from apps.sandbox.trading.keys import paper_keys
from trading.errors import FixConfiguration


def options(**more: Any) -> Any:
    return sandbox.sandbox_settings(seed=1, symbols="2", replay=None, now="", speed=1.0, **more).trading


def test_the_paper_account_and_its_keys_are_shown(cli_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("apps.sandbox.server.serve", lambda settings, port: served.append(settings))
    shown = cli_json(
        "sandbox", "serve", "--seed", "7", "--deposit", "usdt:5000,BTC:0.5", "--fault", "drop_after=0.5"
    )
    keys = paper_keys(7, "paper")
    assert shown["paper_accounts"] == [{"account": "paper", "api_key": keys.api_key, "secret": keys.secret}]
    (settings,) = served
    assert {it.asset: it.amount for it in settings.trading.spot_deposits} == {
        "USDT": 5000,
        "BTC": Decimal("0.5"),
    }
    assert settings.trading.futures_deposit_usdt == 5000
    assert settings.trading.faults.drop_after_fraction == 0.5


def test_deposits_are_amounts_of_currencies() -> None:
    assert options().spot_deposits[0].amount == options(deposit="10000").futures_deposit_usdt == 10_000
    for text in ("", "much", "USDT:-1", "USDT:0", "BTC:nan"):
        with pytest.raises(FixConfiguration, match="--deposit has"):
            options(deposit=text)


def test_faults_are_named_and_bounded() -> None:
    faults = options(faults=("seed=3", "timeout_before=0.25", "clock_skew_ms=-5000")).faults
    assert (faults.seed, faults.timeout_before_fraction, faults.clock_skew_ms) == (3, 0.25, -5000)
    with pytest.raises(FixConfiguration, match="names no fault; choose one of ban, clock_skew_after"):
        options(faults=("earthquake=1",))
    with pytest.raises(FixConfiguration, match="--fault ban=2: Input should be less than or equal to 1"):
        options(faults=("ban=2",))
