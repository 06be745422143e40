"""Signatures against documented vectors, keys from the environment, and keys that never show."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from binance_exchange import KEY, SECRET, Exchange, refusal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from resources.instruments.signed import KEY_VARIABLE, SECRET_VARIABLE, Credentials
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.signing import (
    PRIVATE_KEY_VARIABLE,
    Ed25519Signer,
    scrub,
    signer_from_environment,
)
from resources.venues.binance.transport import Api
from trading.errors import FixConfiguration, TradingError
from trading.model.series import Market

#: From Binance's REST documentation, "SIGNED endpoint examples for POST /api/v3/order".
_DOCUMENTED_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
_DOCUMENTED_QUERY = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    "&timestamp=1499827319559"
)
_DOCUMENTED_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"

#: From RFC 8032, section 7.1: secret key, message and signature.
_RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


def test_hmac_gives_the_documented_signature() -> None:
    signer = Credentials(SecretStr("key"), SecretStr(_DOCUMENTED_SECRET))
    assert signer.sign(_DOCUMENTED_QUERY) == _DOCUMENTED_SIGNATURE


@pytest.mark.parametrize(("secret", "message", "signature"), _RFC_8032)
def test_ed25519_gives_the_signatures_of_the_standard(secret: str, message: str, signature: str) -> None:
    private_key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    signer = Ed25519Signer(SecretStr("key"), private_key)
    assert base64.b64decode(signer.sign(bytes.fromhex(message).decode())).hex() == signature


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n"), min_size=1))
def test_any_payload_is_signed_as_the_standard_library_does(text: str) -> None:
    signer = Credentials(SecretStr("key"), SecretStr(SECRET))
    assert signer.sign(text) == hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def _pem(path: Path, private_key: object, mode: int = 0o600) -> Path:
    path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[attr-defined]  # both kinds have it
    path.chmod(mode)
    return path


def test_the_private_key_file_makes_an_ed25519_signer(tmp_path: Path) -> None:
    private_key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_RFC_8032[0][0]))
    path = _pem(tmp_path / "key.pem", private_key)
    signer = signer_from_environment({KEY_VARIABLE: KEY, PRIVATE_KEY_VARIABLE: str(path)})
    private_key.public_key().verify(base64.b64decode(signer.sign("a=1")), b"a=1")
    assert KEY not in repr(signer)


def test_the_secret_makes_an_hmac_signer() -> None:
    signer = signer_from_environment({KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET})
    assert signer.sign("a=1") == hmac.new(SECRET.encode(), b"a=1", hashlib.sha256).hexdigest()
    assert KEY not in repr(signer)
    assert SECRET not in repr(signer)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, f"{KEY_VARIABLE} is not set"),
        ({KEY_VARIABLE: KEY}, "neither is"),
        ({KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET, PRIVATE_KEY_VARIABLE: "/x"}, "both are"),
        ({KEY_VARIABLE: KEY, PRIVATE_KEY_VARIABLE: "/does/not/exist"}, "cannot be read"),
    ],
)
def test_an_incomplete_environment_is_named(given: dict[str, str], expected: str) -> None:
    with pytest.raises(FixConfiguration, match=expected) as caught:
        signer_from_environment(given)
    assert SECRET not in str(caught.value)


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = _pem(tmp_path / "key.pem", Ed25519PrivateKey.generate(), mode=0o644)
    with pytest.raises(FixConfiguration, match="chmod 600"):
        signer_from_environment({KEY_VARIABLE: KEY, PRIVATE_KEY_VARIABLE: str(path)})


@pytest.mark.parametrize("kind", ["text", "rsa"])
def test_a_file_that_is_no_ed25519_key_is_refused_without_quoting_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    if kind == "rsa":
        _pem(path, generate_private_key(65537, 1024))
    else:
        path.write_text(SECRET)
        path.chmod(0o600)
    with pytest.raises(FixConfiguration) as caught:
        signer_from_environment({KEY_VARIABLE: KEY, PRIVATE_KEY_VARIABLE: str(path)})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_signature_with_reserved_characters_arrives_as_it_was(
    binance_settings: BinanceVenueSettings,
) -> None:
    # Base64 has + / =, which mean something else in a query: the server must read what was signed.
    seen: list[str] = []

    class Slashes:
        key = SecretStr(KEY)

        def sign(self, payload: str) -> str:
            seen.append(payload)
            return "a+/b=="

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/time"):
            return httpx.Response(200, json={"serverTime": 1_700_000_000_000})
        sent = urlsplit(str(request.url)).query + request.content.decode()
        assert parse_qs(sent)["signature"] == ["a+/b=="]
        assert sent.startswith(seen[-1])
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    api = Api("https://x", Market.SPOT, Slashes(), binance_settings, transport=transport)
    api.read("/api/v3/account", {"omitZeroBalances": "true"}, weight=1)
    api.command("POST", "/api/v3/order", {"symbol": "BTCUSDT"}, weight=1)
    api.command("DELETE", "/api/v3/order", {"symbol": "BTCUSDT"}, weight=1)
    assert len(seen) == 3


def test_key_secret_and_signature_are_in_no_log_and_no_error(
    exchange: Exchange, spot_api: Api, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = [repr(spot_api), repr(credentials), repr(spot_api.__dict__)]

    def echo(parameters: dict[str, str]) -> object:
        # The worst that a proxy or the venue could do: quote the request.
        return refusal(-1102, f"bad: X-MBX-APIKEY={KEY}&symbol=B&signature=deadbeef&more")

    exchange.pages["GET /api/v3/order"] = echo
    exchange.pages["POST /api/v3/order"] = echo
    exchange.faults["DELETE /api/v3/order"] = ["drop"]
    exchange.pages["GET /api/v3/account"] = {"canTrade": True, "balances": []}
    spot_api.read("/api/v3/account", {}, weight=1)
    for method in ("GET", "POST", "DELETE"):
        with pytest.raises(TradingError) as caught:
            if method == "GET":
                spot_api.read("/api/v3/order", {"symbol": "B"}, weight=1)
            else:
                spot_api.command(method, "/api/v3/order", {"symbol": "B"}, weight=1)
        error: BaseException | None = caught.value
        while error is not None:
            texts += [str(error), repr(error), repr(getattr(error, "request", ""))]
            error = error.__cause__ or error.__context__
    texts += [part for record in caplog.records for part in [record.getMessage(), repr(record.args)]]
    everything = "\n".join(texts)
    assert "/api/v3/account" in everything  # the log is not just empty
    signatures = [request.signature for request in exchange.requests if request.signed]
    assert len(signatures) == 4
    for hidden in (KEY, SECRET, "deadbeef", *signatures):
        assert hidden not in everything


def test_scrubbing_finds_a_signature_in_json_too(credentials: Credentials) -> None:
    assert "abc" not in scrub('{"signature": "abc"}', credentials)
