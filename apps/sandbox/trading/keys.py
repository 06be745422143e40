"""Keys of the paper accounts: they follow from a seed, because they guard nothing."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 64


@dataclass(frozen=True, slots=True)
class PaperKeys:
    """An account's two keys: one that signs with HMAC-SHA256, one with Ed25519.

    Attributes
    ----------
    ed25519_private_key
        In PEM, as a client wants it.
    """

    account: str
    api_key: str
    secret: str = field(repr=False)
    ed25519_api_key: str
    ed25519_private_key: str = field(repr=False)
    ed25519_public_key: Ed25519PublicKey = field(repr=False, compare=False)


def paper_keys(seed: int, account: str) -> PaperKeys:
    """The keys of an account in a sandbox whose market has this seed."""
    private = Ed25519PrivateKey.from_private_bytes(_bytes(seed, account, "ed25519 private")[:32])
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return PaperKeys(
        account=account,
        api_key=_text(seed, account, "hmac key"),
        secret=_text(seed, account, "hmac secret"),
        ed25519_api_key=_text(seed, account, "ed25519 key"),
        ed25519_private_key=pem,
        ed25519_public_key=private.public_key(),
    )


def _bytes(seed: int, account: str, purpose: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{account}/{purpose}".encode(), digest_size=_LENGTH).digest()


def _text(seed: int, account: str, purpose: str) -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in _bytes(seed, account, purpose))
