"""Channels over real HTTP on loopback; the token reaches Slack's address and nothing else."""

import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from resources.notifiers.delivery import DeliveryResult, deliver
from resources.notifiers.log import LogNotifier
from resources.notifiers.slack import SlackNotifier
from trading.alerts.alert import Alert, Severity
from trading.errors import FixConfiguration, RetryLater, TradingError, UnknownOutcome

CANARY = "xoxb-canary-71c4f0"


class FakeSlack(ThreadingHTTPServer):
    """Answers chat.postMessage as told and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: object = {"ok": True, "channel": "C1", "ts": "1772409600.000100"}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.hang_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        slack: FakeSlack = self.server  # type: ignore[assignment]
        raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = json.loads(raw) if raw.startswith("{") else {k: v[0] for k, v in parse_qs(raw).items()}
        slack.requests.append((self.path, self.headers["Authorization"], fields))
        if slack.hang_up:
            self.connection.close()
            return
        body = slack.answer if isinstance(slack.answer, str) else json.dumps(slack.answer)
        self.send_response(slack.status)
        self.send_header("Content-Type", "application/json")
        for name, value in slack.headers.items():
            self.send_header(name, value)
        missing = 10 if body == "cut off" else 0
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    server = FakeSlack()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def channel(slack: FakeSlack, **changes) -> SlackNotifier:
    return SlackNotifier(SecretStr(CANARY), "#alerts", base_url=slack.url, **changes)


def test_a_message_arrives_once_with_token_channel_and_escaped_text(slack: FakeSlack) -> None:
    assert channel(slack).send("Halted", "loss > 5 % <!channel>", "critical") == "C1:1772409600.000100"
    ((path, authorization, fields),) = slack.requests
    assert path == "/api/chat.postMessage"
    assert authorization == f"Bearer {CANARY}"
    assert fields["channel"] == "#alerts"
    assert fields["text"] == ":rotating_light: *Halted*\nloss &gt; 5 % &lt;!channel&gt;"


@pytest.mark.parametrize(
    ("header", "seconds"), [("Retry-After", 30.0), ("retry-after", 30.0), ("X-Other", None)]
)
def test_a_rate_limit_says_how_long_to_wait_and_is_not_retried_here(
    slack: FakeSlack, header: str, seconds: float | None
) -> None:
    slack.status, slack.headers = 429, {header: "30"}
    slack.answer = {"ok": False, "error": "ratelimited"}
    with pytest.raises(RetryLater, match="asked to wait") as caught:
        channel(slack).send("a", "b", "info")
    assert caught.value.retry_after_seconds == seconds
    assert len(slack.requests) == 1


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "channel_not_found", "missing_scope"])
def test_wrong_token_or_channel_is_for_a_person_to_fix(slack: FakeSlack, code: str) -> None:
    slack.answer = {"ok": False, "error": code}
    with pytest.raises(FixConfiguration, match=code):
        channel(slack).send("a", "b", "info")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"ok": False, "error": "internal_error"}),
        (500, {"ok": False, "error": "some_error"}),
        (502, "<html>bad gateway</html>"),
        (200, "not json"),
        (200, {"ok": True}),
        (200, []),
        (200, [1]),
        (200, "cut off"),
    ],
)
def test_an_answer_that_proves_nothing_is_unknown(slack: FakeSlack, status: int, answer: object) -> None:
    slack.status, slack.answer = status, answer
    with pytest.raises(UnknownOutcome):
        channel(slack).send("a", "b", "info")
    assert len(slack.requests) == 1


def test_a_connection_that_breaks_after_the_request_is_unknown_and_not_retried(slack: FakeSlack) -> None:
    slack.hang_up = True
    with pytest.raises(UnknownOutcome, match="may have been posted"):
        channel(slack).send("a", "b", "info")
    assert len(slack.requests) == 1


def test_nobody_listening_means_nothing_was_posted() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    notifier = SlackNotifier(SecretStr(CANARY), "#a", base_url=f"http://127.0.0.1:{port}/api/")
    with pytest.raises(RetryLater, match="nothing was posted"):
        notifier.send("a", "b", "info")


def test_the_token_travels_over_https_or_within_the_machine_only() -> None:
    for url in ("http://slack.com/api/", "ftp://127.0.0.1/", "http://127.0.0.1.example.com/"):
        with pytest.raises(FixConfiguration, match="only travel over https"):
            SlackNotifier(SecretStr(CANARY), "#a", base_url=url)
    with pytest.raises(FixConfiguration, match="token is empty"):
        SlackNotifier(SecretStr(" "), "#a")


def test_the_token_comes_from_the_environment(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FixConfiguration, match="TIDEMILL_TEST_TOKEN is not set"):
        SlackNotifier.from_environment("TIDEMILL_TEST_TOKEN", "#a")
    monkeypatch.setenv("TIDEMILL_TEST_TOKEN", CANARY)
    SlackNotifier.from_environment("TIDEMILL_TEST_TOKEN", "#a", base_url=slack.url).send("a", "b", "info")
    assert slack.requests[0][1] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"ok": True, "ts": "1", "channel": "C"}),
        (200, {"ok": False, "error": f"invalid token {CANARY}"}),
        (200, {"ok": False, "error": "invalid_auth", "detail": CANARY}),
        (429, {"ok": False, "error": CANARY}),
        (500, f"oops {CANARY}"),
        (None, {}),
    ],
)
def test_the_token_never_shows_in_repr_logs_errors_or_results(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture, status: int | None, answer: object
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.answer, slack.hang_up = answer, status is None
    slack.status = status or 200
    notifier = channel(slack)
    shown = [repr(notifier), str(notifier), str(vars(notifier))]
    chained: list[BaseException | None] = []
    try:
        shown.append(notifier.send("title", "body", "warning"))
    except TradingError as error:
        shown.append("".join(traceback.format_exception(error)))
        chained += [error.__cause__, error.__context__]
    shown.append(str(deliver(Alert("k", Severity.INFO, "t", "b", 0), [notifier])))
    assert chained in ([], [None, None])
    assert slack.requests, "the request with the token must really have gone out"
    assert CANARY not in "".join([*shown, caplog.text])


def test_the_log_channel_writes_one_line_at_the_right_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    notifier = LogNotifier()
    first = notifier.send("Stale", "AAA\nCRITICAL forged line", "warning")
    second = notifier.send("Other", "é ✓", "no such severity")
    notifier.send("Other", "x", "info")
    assert [record.levelname for record in caplog.records] == ["WARNING", "CRITICAL", "INFO"]
    assert caplog.records[0].getMessage() == "Stale: AAA\\nCRITICAL forged line"
    assert caplog.records[1].getMessage() == "Other: é ✓"
    assert first.startswith("log:")
    assert first != second


class Broken:
    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def send(self, title: str, body: str, severity: str) -> str:
        raise self.error


def test_one_failing_channel_never_keeps_the_others_from_it(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    alert = Alert("halt", Severity.CRITICAL, "Halted", "by a person", 0)
    notifiers = [
        Broken(RetryLater("busy", 7.0)),
        Broken(FixConfiguration("no such channel")),
        Broken(KeyError(CANARY)),
        channel(slack),
        LogNotifier(),
    ]
    results = deliver(alert, notifiers)
    assert results[:4] == [
        DeliveryResult("broken", False, "", "RetryLater: busy", 7.0),
        DeliveryResult("broken", False, "", "FixConfiguration: no such channel"),
        DeliveryResult("broken", False, "", "KeyError in the channel"),
        DeliveryResult("slack", True, "C1:1772409600.000100"),
    ]
    assert (results[4].channel, results[4].delivered) == ("log", True)
    assert caplog.records[-1].getMessage() == "Halted: by a person"
    assert deliver(alert, []) == []
