from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from paper_client import KEYS, NOW_MS, PaperClient

from apps.sandbox.errors import ApiError
from apps.sandbox.trading.keys import paper_keys
from apps.sandbox.trading.signing import Signatures

ACCOUNT = "/api/v3/account"
# The example of Binance's documentation: a secret, a request in two parts, and its signature.
KNOWN_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KNOWN_QUERY = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
KNOWN_BODY = "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
WHOLE_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED_SIGNATURE = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        (f"{KNOWN_QUERY}&{KNOWN_BODY}", "", WHOLE_SIGNATURE),
        ("", f"{KNOWN_QUERY}&{KNOWN_BODY}", WHOLE_SIGNATURE),
        (KNOWN_QUERY, KNOWN_BODY, MIXED_SIGNATURE),
    ],
)
def test_the_documented_example_is_accepted(query: str, body: str, signature: str) -> None:
    keys = replace(KEYS, secret=KNOWN_SECRET)
    signed = f"{body}&signature={signature}".lstrip("&")
    request = Signatures([keys]).verify(keys.api_key, query, signed, 1_499_827_319_559)
    assert request.parameters == {
        "symbol": "LTCBTC",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "0.1",
        "recvWindow": "5000",
        "timestamp": "1499827319559",
    }
    with pytest.raises(ApiError, match="Signature"):
        other = (query.replace("LTCBTC", "LTCETH"), signed.replace("LTCBTC", "LTCETH"))
        Signatures([keys]).verify(keys.api_key, *other, 1_499_827_319_559)


def test_both_kinds_of_key_open_the_same_account(paper: PaperClient) -> None:
    with PaperClient(paper.sandbox, ed25519=True) as other:
        other.post("/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert other.get(ACCOUNT) == paper.get(ACCOUNT)
        other.signature = lambda payload: "bm8="  # type: ignore[method-assign]
        assert other.refused("GET", ACCOUNT) == -1022
        other.signature = lambda payload: "no base64"  # type: ignore[method-assign]
        assert other.refused("GET", ACCOUNT) == -1022


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"timestamp": NOW_MS - 5_000}, None),
        ({"timestamp": NOW_MS - 5_001}, -1021),
        ({"timestamp": NOW_MS - 5_001, "recvWindow": 6_000}, None),
        ({"timestamp": NOW_MS - 100, "recvWindow": 99}, -1021),
        ({"timestamp": NOW_MS + 999}, None),
        ({"timestamp": NOW_MS + 1_000}, -1021),
        ({"timestamp": NOW_MS, "recvWindow": 60_001}, -1131),
        ({"timestamp": None}, -1102),
        ({"timestamp": "soon"}, -1100),
    ],
)
def test_a_request_holds_for_its_window(paper: PaperClient, values: dict[str, Any], code: int | None) -> None:
    answer = paper.send("GET", ACCOUNT, **values)
    assert answer.json().get("code") == code


def test_strangers_are_refused(paper: PaperClient) -> None:
    def asked(key: str | None, path: str = ACCOUNT) -> httpx.Response:
        headers = {} if key is None else {"X-MBX-APIKEY": key}
        return httpx.get(f"{paper.sandbox.base_url}{path}", headers=headers)

    for key, code in ((None, -2014), ("short", -2014), ("x" * 63 + "-", -2014), ("a" * 64, -2015)):
        answer = asked(key)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert asked(KEYS.api_key).json()["code"] == -1102
    assert asked(KEYS.api_key, f"{ACCOUNT}?timestamp={NOW_MS}&signature=00").json()["code"] == -1022
    assert (
        asked(KEYS.api_key, f"{ACCOUNT}?timestamp={NOW_MS}&timestamp={NOW_MS}&signature=0").json()["code"]
        == -1101
    )
    with PaperClient(paper.sandbox, replace(KEYS, secret="other")) as stranger:
        assert stranger.refused("GET", ACCOUNT) == -1022


def test_keys_follow_from_seed_and_name_and_stay_out_of_reprs() -> None:
    assert paper_keys(7, "a") == paper_keys(7, "a")
    every = [paper_keys(seed, name) for seed in (1, 2) for name in ("a", "b")]
    texts = [text for keys in every for text in (keys.api_key, keys.secret, keys.ed25519_api_key)]
    assert len(set(texts)) == len(texts)
    assert KEYS.secret not in repr(KEYS)
    assert "PRIVATE" not in repr(KEYS)
