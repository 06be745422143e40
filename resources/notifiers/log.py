"""The log as an alert channel: always there, whatever else fails."""

from __future__ import annotations

import logging

from trading.model.canonical import digest

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


class LogNotifier:
    """Writes each alert as one line of the standard library's logging."""

    name = "log"

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("tidemill.alerts")

    def send(self, title: str, body: str, severity: str) -> str:
        """Log the alert; the receipt is a hash of its content. An unknown severity logs as critical."""
        level = _LEVELS.get(severity, logging.CRITICAL)
        # One line each: a text from outside must not be able to forge further log lines.
        self._logger.log(level, "%s: %s", _one_line(title), _one_line(body))
        return f"log:{digest(title, body, severity)[:16]}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
