"""The key that the risk gate signs intents with."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from trading.errors import FixConfiguration

#: Environment variable that holds the key, as at least 64 hex digits.
SIGNING_KEY = "TIDEMILL_SIGNING_KEY"
#: Where the key lies otherwise, under the home folder.
SIGNING_KEY_FILE = "var/signing.key"
_BYTES = 32


def signing_key(path: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The key from the environment, else from a file that only its owner can read, made on first use.

    Parameters
    ----------
    path
        The file; written once, with mode 0600, and never replaced.

    Raises
    ------
    FixConfiguration
        If the key is no hexadecimal number of 32 bytes or more, or others may read the file. The
        message never contains the key.
    """
    given = (os.environ if environment is None else environment).get(SIGNING_KEY)
    if given is not None:
        return _parsed(given, SIGNING_KEY)
    if not path.exists():
        _create(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise FixConfiguration(f"{path} has mode {mode:o}: others may read the signing key; chmod 600 it")
    return _parsed(path.read_text(encoding="ascii").strip(), str(path))


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made whole under another name, mode 0600 from the start, and linked: of two processes one wins.
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _parsed(text: str, place: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < _BYTES:
        raise FixConfiguration(f"{place}: the signing key must be at least {2 * _BYTES} hex digits")
    return key
