"""The request to re-arm: a code that is shown once, good for some minutes and for the halt that was shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from trading.errors import BadData
from warehouse.flags.files import write_whole

_FILE = "rearm.json"
_CODE_BYTES = 4
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """A request as stored: never the code itself.

    Attributes
    ----------
    flag_changed_at_ms, control_changed_at_ms
        The halts that the person was shown, of the flag file and of the ledger.
    attempts
        Wrong codes so far.
    """

    salt: str
    code_hash: str
    created_at_ms: int
    expires_at_ms: int
    flag_changed_at_ms: int
    control_changed_at_ms: int
    attempts: int = 0


def issue(
    folder: Path, *, flag_changed_at_ms: int, control_changed_at_ms: int, now_ms: int, valid_ms: int
) -> tuple[str, Request]:
    """Make a new request durable, in place of any other; returns its code."""
    code = secrets.token_hex(_CODE_BYTES)
    salt = secrets.token_hex(16)
    request = Request(
        salt, _hash(salt, code), now_ms, now_ms + valid_ms, flag_changed_at_ms, control_changed_at_ms
    )
    _write(folder, request)
    return code, request


def redeem(folder: Path, code: str, now_ms: int) -> Request:
    """Use up a code: it is gone, durably, before this returns.

    Raises
    ------
    BadData
        If there is no request, it has run out, or the code is wrong; after five wrong ones it is void.
    """
    path = folder / _FILE
    try:
        request = Request(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        raise BadData("nobody asked to re-arm; run tidemill resume first, it prints a code") from None
    if not request.created_at_ms <= now_ms < request.expires_at_ms:
        _write_none(folder)
        raise BadData("the code has run out; run tidemill resume again")
    if not hmac.compare_digest(_hash(request.salt, code.strip().lower()), request.code_hash):
        attempts = request.attempts + 1
        if attempts >= _ATTEMPTS:
            _write_none(folder)
            raise BadData(
                f"the code is wrong for the {attempts}th time and void now; run tidemill resume again"
            )
        _write(folder, Request(**{**asdict(request), "attempts": attempts}))
        raise BadData("the code is wrong; it is the one that tidemill resume printed last")
    _write_none(folder)
    return request


def _hash(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}{code}".encode()).hexdigest()


def _write(folder: Path, request: Request) -> None:
    write_whole(folder / _FILE, json.dumps(asdict(request)).encode())


def _write_none(folder: Path) -> None:
    write_whole(folder / _FILE, b"null")
