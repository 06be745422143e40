"""Margin schedules from a file and from the venue, over a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from resources.instruments.brackets import parse_ccxt, parse_venue, read_brackets
from resources.instruments.signed import Credentials, credentials, fetch_brackets
from resources.instruments.terms import complete, schedules
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.instruments.settings import InstrumentSettings
from trading.model.instrument import Instrument
from trading.model.series import Market

SERVER_TIME_MS = 1_700_000_000_000
KEY, SECRET = "canary-key", "canary-secret"
ANSWER = [
    {
        "symbol": "ETHUSDT",
        "notionalCoef": 1.5,
        "brackets": [
            {
                "bracket": 1,
                "initialLeverage": 75,
                "notionalCap": 10000,
                "notionalFloor": 0,
                "maintMarginRatio": 0.0065,
                "cum": 0.0,
            },
            {
                "bracket": 2,
                "initialLeverage": 50,
                "notionalCap": 50000,
                "notionalFloor": 10000,
                "maintMarginRatio": 0.01,
                "cum": 35.0,
            },
        ],
    }
]
Answer = tuple[int, bytes, dict[str, str]]


class Venue:
    """A local server that answers the signed read as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = (200, json.dumps(ANSWER).encode(), {})
        self.time: Answer = (200, json.dumps({"serverTime": SERVER_TIME_MS}).encode(), {})
        self.asked: list[tuple[str, str | None]] = []
        venue = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                venue.asked.append((self.path, self.headers.get("X-MBX-APIKEY")))
                status, body, headers = venue.time if self.path == "/fapi/v1/time" else venue.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing: the tests look at what was asked."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def venue() -> Iterator[Venue]:
    found = Venue()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def account() -> Credentials:
    return Credentials(SecretStr(KEY), SecretStr(SECRET))


@pytest.fixture
def real_file(shared: Path) -> Path:
    return shared / "fixtures/binance/freqtrade/binance_leverage_tiers.json"


def test_real_brackets_make_maintenance_margin_continuous(real_file: Path) -> None:
    found = read_brackets(real_file)
    assert len(found) == 349
    steps = 0
    for symbol, schedule in found.items():
        for before, after in pairwise(schedule):
            at = after.floor_notional
            below = at * before.maintenance_fraction - before.maintenance_amount
            above = at * after.maintenance_fraction - after.maintenance_amount
            assert below == above, f"{symbol} at {at}"
            steps += 1
    assert steps == 2456
    first = found["BTCUSDT"][2]
    assert (first.floor_notional, first.cap_notional, first.max_leverage) == (600_000, 3_000_000, 75)
    assert (first.maintenance_fraction, first.maintenance_amount) == (Decimal("0.0065"), 950)
    assert {"BTCUSDT_250328", "1000BONKUSDC", "ETHBTC"} <= set(found)


def test_any_changed_amount_of_a_real_bracket_is_caught(real_file: Path) -> None:
    content = json.loads(real_file.read_bytes())
    for symbol in list(content)[::25]:
        for number in range(len(content[symbol])):
            tiers = json.loads(json.dumps(content[symbol]))
            tiers[number]["info"]["cum"] = str(float(tiers[number]["info"]["cum"]) + 0.5)
            with pytest.raises(BadData, match=r"a file: margin bracket \d+ of .* deducts"):
                parse_ccxt(json.dumps({symbol: tiers}).encode(), "a file")


def test_the_venues_own_layout_is_read_exactly() -> None:
    (low, high) = parse_venue(json.dumps(ANSWER).encode(), "venue")["ETHUSDT"]
    assert (low.maintenance_fraction, low.maintenance_amount) == (Decimal("0.0065"), 0)
    assert (high.floor_notional, high.cap_notional, high.maintenance_amount) == (10_000, 50_000, 35)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "Invalid JSON"),
        (b"[]garbage", "Invalid JSON"),
        (b'[{"symbol": "A"}]', r"0.brackets"),
        (b'{"BTC/USDT:USDT": [{"tier": 1}]}', r"BTC/USDT:USDT.0.info"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "brackets.json"
    path.write_bytes(content)
    with pytest.raises(BadData, match=message) as caught:
        read_brackets(path)
    assert str(path) in str(caught.value)


def test_the_signature_is_the_documented_one() -> None:
    # The example of Binance's API documentation for signed endpoints.
    documented = Credentials(
        SecretStr("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"),
        SecretStr("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"),
    )
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        "&recvWindow=5000&timestamp=1499827319559"
    )
    assert documented.sign(query) == "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_the_read_is_signed_and_stamped_with_the_venues_time(venue: Venue, account: Credentials) -> None:
    assert list(fetch_brackets(account, venue.url)) == ["ETHUSDT"]
    (time_path, time_key), (path, key) = venue.asked
    assert (time_path, time_key, key) == ("/fapi/v1/time", None, KEY)
    query, _, signature = urlsplit(path).query.rpartition("&signature=")
    assert parse_qs(query) == {"recvWindow": ["5000"], "timestamp": [str(SERVER_TIME_MS)]}
    assert signature == account.sign(query)


def refusal(status: int, code: int, message: str = "no") -> Answer:
    return status, json.dumps({"code": code, "msg": message}).encode(), {}


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            refusal(401, -2015, "Invalid API-key"),
            FixConfiguration,
            "Invalid API-key; check TIDEMILL_BINANCE_KEY",
        ),
        (refusal(400, -1022), FixConfiguration, "check TIDEMILL_BINANCE_KEY and TIDEMILL_BINANCE_SECRET"),
        (refusal(400, -1021), RetryLater, "under way for too long"),
        (refusal(400, -1100), FixConfiguration, "answered 400: no$"),
        ((503, b"<html>busy</html>", {}), RetryLater, "answered 503: <html>busy"),
        ((200, b"<html>hello</html>", {}), BadData, "leverageBracket: content is .*Invalid JSON"),
    ],
)
def test_every_refusal_says_what_to_do(
    venue: Venue, account: Credentials, answer: Answer, kind: type[Exception], message: str
) -> None:
    venue.answer = answer
    with pytest.raises(kind, match=message) as caught:
        fetch_brackets(account, venue.url)
    for secret in (KEY, SECRET, "signature="):
        assert secret not in str(caught.value)


def test_a_pause_that_the_venue_asks_for_is_passed_on(venue: Venue, account: Credentials) -> None:
    venue.answer = (429, b"{}", {"Retry-After": "17"})
    with pytest.raises(RetryLater) as caught:
        fetch_brackets(account, venue.url)
    assert caught.value.retry_after_seconds == 17


def test_a_venue_without_a_time_or_an_answer(venue: Venue, account: Credentials) -> None:
    venue.time = (200, b"{}", {})
    with pytest.raises(BadData, match="serverTime is None"):
        fetch_brackets(account, venue.url)
    venue.server.shutdown()
    venue.server.server_close()
    with pytest.raises(RetryLater, match="did not answer: ConnectError"):
        fetch_brackets(account, venue.url)
    with pytest.raises(FixConfiguration, match="only travel over https"):
        fetch_brackets(account, "http://fapi.example.com")


def set_keys(monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    monkeypatch.setenv("TIDEMILL_BINANCE_KEY", key)
    monkeypatch.setenv("TIDEMILL_BINANCE_SECRET", secret)


def test_credentials_come_in_pairs_and_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "", "")
    assert credentials() is None
    set_keys(monkeypatch, KEY, "")
    with pytest.raises(
        FixConfiguration, match="TIDEMILL_BINANCE_KEY is set and TIDEMILL_BINANCE_SECRET is not"
    ):
        credentials()
    set_keys(monkeypatch, KEY, SECRET)
    found = credentials()
    assert found is not None
    assert found.key.get_secret_value() == KEY
    assert "canary" not in repr(found)


def test_where_the_schedules_come_from(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_file: Path
) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    found: Callable[[str, str], object] = lambda source, file: len(  # noqa: E731
        schedules(InstrumentSettings(brackets_file=file), source=source, futures_base_url=venue.url)
    )
    set_keys(monkeypatch, "", "")
    assert found("binance", "") == 0
    set_keys(monkeypatch, KEY, SECRET)
    assert found("archive", "") == 1
    assert found("sandbox", "") == 0
    assert found("sandbox", str(real_file)) == 349
    (tmp_path / "own.json").write_text(json.dumps(ANSWER), encoding="utf-8")
    assert found("binance", "own.json") == 1
    with pytest.raises(FixConfiguration, match=r"brackets_file: .*none.json cannot be read"):
        found("binance", "none.json")


def test_a_spot_market_asks_nobody_and_gets_its_fees(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, KEY, SECRET)
    one = Decimal(1)
    spot = Instrument("ETHUSDT", "ETH", "USDT", one, one, one, one, one)
    future = Instrument("ETHUSDT", "ETH", "USDT", one, one, one, one, one, market=Market.USDM)
    settings = InstrumentSettings(spot_taker_fee_bps=Decimal("7.5"))
    (done,) = complete([spot], settings, source="binance", futures_base_url=venue.url)
    assert (done.maker_fee_bps, done.taker_fee_bps, done.brackets) == (Decimal(10), Decimal("7.5"), ())
    assert venue.asked == []
    (done,) = complete([future], settings, source="binance", futures_base_url=venue.url)
    assert (done.maker_fee_bps, done.taker_fee_bps, len(done.brackets)) == (Decimal(2), Decimal(5), 2)
