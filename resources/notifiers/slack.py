"""Slack as an alert channel, through slack-sdk."""

from __future__ import annotations

import logging
import os
import re
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from pydantic import SecretStr

from trading.errors import FixConfiguration, RetryLater, TradingError, UnknownOutcome

SLACK_API = "https://slack.com/api/"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MARKS = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}
#: Answers after which Slack may still have posted the message.
_UNCLEAR = frozenset({"internal_error", "fatal_error", "request_timeout"})
_LATER = frozenset({"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org"})


class SlackNotifier:
    """Posts alerts to one channel with ``chat.postMessage``.

    Parameters
    ----------
    token
        Bot token with the scope ``chat:write``. It is sent to ``base_url`` and appears nowhere else.
    channel
        Channel id or name.
    base_url
        Slack's API; plain HTTP is accepted for this machine only.
    """

    name = "slack"

    def __init__(
        self, token: SecretStr, channel: str, *, base_url: str = SLACK_API, timeout_seconds: int = 10
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise FixConfiguration(
                f"slack base_url is {base_url!r}: the token may only travel over https; use {SLACK_API}"
            )
        if not token.get_secret_value().strip():
            raise FixConfiguration("slack token is empty: set it in the environment, or drop the channel")
        self._token = token
        self._channel = channel
        self._base_url = base_url
        self._timeout_seconds = timeout_seconds

    @classmethod
    def from_environment(
        cls, token_variable: str, channel: str, *, base_url: str = SLACK_API
    ) -> SlackNotifier:
        """Build the notifier with the token in an environment variable.

        Raises
        ------
        FixConfiguration
            If the variable is not set.
        """
        token = os.environ.get(token_variable, "")
        if not token.strip():
            raise FixConfiguration(
                f"slack: environment variable {token_variable} is not set; export the bot token there, "
                "or take slack out of the alert channels"
            )
        return cls(SecretStr(token), channel, base_url=base_url)

    def __repr__(self) -> str:
        return f"SlackNotifier(channel={self._channel!r}, base_url={self._base_url!r})"

    def send(self, title: str, body: str, severity: str) -> str:
        """Post one message and return ``<channel>:<timestamp>``, Slack's id of it. Never sends twice.

        Raises
        ------
        RetryLater
            If Slack asked to wait or could not be reached: nothing was posted.
        UnknownOutcome
            If the connection broke after the request went out.
        FixConfiguration
            If the token or the channel is wrong.
        """
        text = f"{_MARKS.get(severity, _MARKS['critical'])} *{_escape(title)}*\n{_escape(body)}"
        failure: TradingError | None = None
        answer: Any = None
        try:
            answer = self._post(text)
        except (OSError, HTTPException, ValueError, TypeError, AttributeError) as error:
            failure = _transport_failure(error)
        # Raised outside the handler: a chained SDK error would carry the request, token included.
        if failure is not None:
            raise failure
        status, headers, data = answer
        if data.get("ok") is True and "ts" in data:
            return f"{data.get('channel', self._channel)}:{data['ts']}"
        raise _refusal(status, headers, data, self._channel)

    def _post(self, text: str) -> tuple[int, dict[str, str], dict[str, Any]]:
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        # The SDK logs requests and answers at debug level; this logger has no handlers and no parents.
        silent = logging.Logger("slack", level=logging.CRITICAL + 1)
        client = WebClient(
            token=self._token.get_secret_value(),
            base_url=self._base_url,
            timeout=self._timeout_seconds,
            logger=silent,
            retry_handlers=[],  # the SDK would post again after a broken connection
        )
        try:
            response = client.chat_postMessage(channel=self._channel, text=text)
        except SlackApiError as error:
            response = error.response
        except SlackClientError:
            raise ValueError("unreadable answer") from None
        data = response.data if isinstance(response.data, dict) else {}
        return response.status_code, dict(response.headers), data


def _transport_failure(error: Exception) -> TradingError:
    reason = error.reason if isinstance(error, URLError) else error
    # urllib wraps what fails before the request is out; refused and unresolved certainly are.
    never_sent = isinstance(reason, ConnectionRefusedError) or type(reason).__name__ in (
        "gaierror",
        "SSLCertVerificationError",
    )
    if never_sent:
        return RetryLater(f"slack could not be reached ({type(reason).__name__}); nothing was posted")
    return UnknownOutcome(
        f"slack: the connection failed ({type(reason).__name__}) after the request; it may have been posted"
    )


def _refusal(status: int, headers: dict[str, str], data: dict[str, Any], channel: str) -> TradingError:
    # Only a bare error code is repeated: anything longer could echo what we sent.
    code = str(data.get("error", ""))
    if not re.fullmatch(r"[a-z_]{1,40}", code):
        code = "an unreadable answer"
    if status == 429 or code in _LATER:
        wait = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
        seconds = float(wait) if re.fullmatch(r"\d{1,6}(\.\d+)?", wait) else None
        return RetryLater(f"slack asked to wait ({code}, HTTP {status})", seconds)
    if status >= 500 or code in _UNCLEAR or code == "an unreadable answer":
        return UnknownOutcome(f"slack answered {code} (HTTP {status}); the message may have been posted")
    return FixConfiguration(
        f"slack refused the message to {channel!r}: {code}; check the token's scope chat:write "
        "and that the app is a member of the channel"
    )


def _escape(text: str) -> str:
    """Slack's three control characters, so that no text can mention or link by accident."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
