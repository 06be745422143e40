"""Who signed a request, and whether it still holds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from cryptography.exceptions import InvalidSignature

from apps.sandbox.errors import illegal, missing
from apps.sandbox.trading import errors
from apps.sandbox.trading.keys import PaperKeys

_USUAL_WINDOW_MS, _LONGEST_WINDOW_MS = 5_000, 60_000
_AHEAD_MS = 1_000
_KEY_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that was proven to come from an account, without its signature."""

    account: str
    parameters: dict[str, str]


class Signatures:
    """Knows the accounts' keys.

    Parameters
    ----------
    keys
        Of every account.
    """

    def __init__(self, keys: Iterable[PaperKeys]) -> None:
        self._owners: dict[str, PaperKeys] = {}
        for pair in keys:
            self._owners[pair.api_key] = self._owners[pair.ed25519_api_key] = pair

    def owner(self, api_key: str | None) -> PaperKeys:
        """Whose key it is."""
        if not api_key or len(api_key) != _KEY_LENGTH or not api_key.isalnum():
            raise errors.bad_key_format()
        if api_key not in self._owners:
            raise errors.unknown_key()
        return self._owners[api_key]

    def verify(self, api_key: str | None, query: str, body: str, now_ms: int) -> SignedRequest:
        """The request, or the answer that refuses it.

        Parameters
        ----------
        query, body
            As they came over the wire, encoded.
        now_ms
            The venue's clock.
        """
        keys = self.owner(api_key)
        payload, signature = _split(query, body)
        parameters = parsed(payload)
        if signature is None:
            raise missing("signature")
        _check_time(parameters, now_ms)
        signed = "".join(payload).encode()
        valid = (
            _ed25519(keys, signed, signature)
            if api_key == keys.ed25519_api_key
            else _hmac(keys, signed, signature)
        )
        if not valid:
            raise errors.bad_signature()
        return SignedRequest(keys.account, parameters)


def parsed(parts: Iterable[str]) -> dict[str, str]:
    """Parameters of the query and the body."""
    found: dict[str, str] = {}
    for part in parts:
        for name, value in parse_qsl(part, keep_blank_values=True):
            if name in found:
                raise errors.duplicate_parameter()
            found[name] = value
    return found


def _split(query: str, body: str) -> tuple[tuple[str, str], str | None]:
    signature: str | None = None
    kept: list[str] = []
    for part in (query, body):
        pieces = part.split("&") if part else []
        for piece in pieces:
            if piece.startswith("signature="):
                signature = unquote(piece.partition("=")[2])
        kept.append("&".join(piece for piece in pieces if not piece.startswith("signature=")))
    return (kept[0], kept[1]), signature


def _check_time(parameters: dict[str, str], now_ms: int) -> None:
    sent_ms = _number(parameters, "timestamp")
    if sent_ms is None:
        raise missing("timestamp")
    window_ms = _number(parameters, "recvWindow")
    window_ms = _USUAL_WINDOW_MS if window_ms is None else window_ms
    if window_ms > _LONGEST_WINDOW_MS:
        raise errors.window_too_long()
    if sent_ms >= now_ms + _AHEAD_MS:
        raise errors.too_early()
    if now_ms - sent_ms > window_ms:
        raise errors.too_late()


def _number(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise illegal(name)
    return int(text)


def _hmac(keys: PaperKeys, payload: bytes, signature: str) -> bool:
    expected = hmac.new(keys.secret.encode(), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _ed25519(keys: PaperKeys, payload: bytes, signature: str) -> bool:
    try:
        keys.ed25519_public_key.verify(base64.b64decode(signature, validate=True), payload)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
