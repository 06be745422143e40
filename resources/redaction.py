"""Secrets of the environment are taken out of every text that leaves a process: logs, tracebacks, Dagster's records.

No code of ours puts them there. A library's exception may: it quotes the address, the header or the
object that it failed on.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus, unquote

REDACTED = "**********"

#: Which variables are looked at, and which of them hold a secret, an address with one, or a file of one.
_PREFIXES = ("TIDEMILL_", "AWS_", "DAGSTER_", "PG", "POSTGRES_")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE")
_ADDRESS_PASSWORD = re.compile(r"://[^/?#]*?:(.+)@")
_FILE = "_FILE"
#: Shorter values are no secrets, and taking them out would eat ordinary words.
_SHORTEST = 8


def redacted(text: str) -> str:
    """A text without the secrets that stand in this process's environment."""
    for form in _forms(_secrets(os.environ)):
        text = text.replace(form, REDACTED)
    return text


def redact_this_process() -> None:
    """From now on, take secrets out of log records and of the tracebacks of uncaught errors."""
    logging.setLogRecordFactory(RedactedRecord)
    sys.excepthook = _print_redacted
    threading.excepthook = _print_thread


class RedactedRecord(logging.LogRecord):
    """A log record whose text, however it was put together, has no secret in it."""

    def getMessage(self) -> str:
        """The message with its arguments."""
        return redacted(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        """The traceback, once a formatter has written it."""
        return self._traceback

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._traceback = text if text is None else redacted(text)


def traceback_text(error: BaseException) -> str:
    """An error with its traceback and causes, as Python prints it, without secrets."""
    return redacted("".join(traceback.format_exception(error)))


def _print_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        sys.stderr.write(traceback_text(error))


def _print_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        name = arguments.thread.name if arguments.thread else "?"
        sys.stderr.write(f"Exception in thread {name}:\n{traceback_text(arguments.exc_value)}")


def _secrets(environment: Mapping[str, str]) -> frozenset[str]:
    found: set[str] = set()
    # Names first: most of them are none of ours, and this runs for every line of a log.
    for name in environment:
        if not name.startswith(_PREFIXES):
            continue
        value = environment.get(name, "")
        if _SECRET.search(name):
            found |= _lines_of(value) if name.endswith(_FILE) else {value, value.strip()}
        elif (match := _ADDRESS_PASSWORD.search(value)) is not None:
            found |= {match[1], unquote(match[1])}
    return frozenset(value for value in found if len(value) >= _SHORTEST)


@lru_cache(maxsize=8)
def _lines_of(path: str) -> frozenset[str]:
    """The lines of a PEM file that are the key; none when it cannot be read."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return frozenset()
    return frozenset(line.strip() for line in lines if not line.startswith("-----"))


@lru_cache(maxsize=8)
def _forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """How the secrets may be written, longest first: as they are, percent-encoded, as text within text."""
    written = {
        form
        for secret in secrets
        for form in (
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            quote(secret),
            json.dumps(secret)[1:-1],
            repr(secret)[1:-1],
        )
    }
    return tuple(sorted(written, key=len, reverse=True))
