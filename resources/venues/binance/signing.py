"""Signing of requests with HMAC-SHA256 or Ed25519. Keys come from the environment and are never printed."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from resources.instruments.signed import KEY_VARIABLE, SECRET_VARIABLE, Credentials
from trading.errors import FixConfiguration

#: Environment variable that names the PEM file of an Ed25519 private key; it replaces the secret.
PRIVATE_KEY_VARIABLE = "TIDEMILL_BINANCE_PRIVATE_KEY_FILE"

_SIGNATURE = re.compile(r"(signature[\"']?\s*[=:]\s*[\"']?)[^&\s\"']+", re.IGNORECASE)


class Signer(Protocol):
    """Who the requests are from, and the proof of it."""

    @property
    def key(self) -> SecretStr:
        """The API key."""
        ...

    def sign(self, payload: str) -> str:
        """The signature of a payload, as the venue's ``signature`` parameter before percent-encoding."""
        ...


class Ed25519Signer:
    """Signs with an Ed25519 private key; the venue only ever has the public one."""

    def __init__(self, key: SecretStr, private_key: Ed25519PrivateKey) -> None:
        self._key = key
        self._private_key = private_key

    @property
    def key(self) -> SecretStr:
        """The API key."""
        return self._key

    def sign(self, payload: str) -> str:
        """Base64 of the signature of the payload."""
        return base64.b64encode(self._private_key.sign(payload.encode())).decode("ascii")

    def __repr__(self) -> str:
        return "Ed25519Signer(**********)"


def scrub(text: str, signer: Signer) -> str:
    """A text of the venue without the key or a signature, should it quote the request."""
    return _SIGNATURE.sub(r"\1**********", text.replace(signer.key.get_secret_value(), "**********"))


def signer_from_environment(environment: Mapping[str, str] | None = None) -> Signer:
    """The signer that the environment's variables describe.

    Raises
    ------
    FixConfiguration
        If the key is missing, both kinds of secret or none are given, or the private key cannot be used.
        No message holds a value of them.
    """
    given = os.environ if environment is None else environment
    key, secret, file = (
        given.get(name, "").strip() for name in (KEY_VARIABLE, SECRET_VARIABLE, PRIVATE_KEY_VARIABLE)
    )
    if not key:
        raise FixConfiguration(f"{KEY_VARIABLE} is not set; trading on Binance needs a key")
    if bool(secret) == bool(file):
        both = "both are" if secret else "neither is"
        raise FixConfiguration(
            f"{SECRET_VARIABLE} and {PRIVATE_KEY_VARIABLE}: {both} set; set the one that belongs to the key"
        )
    if secret:
        return Credentials(SecretStr(key), SecretStr(secret))
    return Ed25519Signer(SecretStr(key), _private_key(Path(file)))


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode & 0o777
        content = path.read_bytes()
    except OSError as error:
        raise FixConfiguration(f"{PRIVATE_KEY_VARIABLE}: {path} cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise FixConfiguration(f"{path} has mode {mode:o}: others may read the private key; chmod 600 it")
    try:
        private_key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is left out: its text may quote the file.
        raise FixConfiguration(f"{path} is no unencrypted private key in PEM form") from None
    if not isinstance(private_key, Ed25519PrivateKey):
        raise FixConfiguration(f"{path} is no Ed25519 key; make one with openssl genpkey -algorithm ed25519")
    return private_key
