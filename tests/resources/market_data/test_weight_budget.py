from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.market_data.binance.client import BinanceClient
from resources.market_data.budget import Quota, WeightBudget
from resources.market_data.settings import BinanceSettings
from resources.market_data.spending import FileBook, MemoryBook
from resources.market_data.surroundings import Surroundings
from tests.venue_server import VenueServer
from trading.errors import FixConfiguration, RetryLater
from trading.model.series import Market


class Waits:
    """A clock that only sleeping advances."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def sleep(self, duration: float) -> None:
        assert duration > 0
        self.now += duration

    def seconds(self) -> float:
        return self.now


@given(
    st.integers(10, 200),
    st.lists(st.tuples(st.integers(1, 10), st.floats(0, 30)), min_size=1, max_size=120),
    st.floats(0, 1e6),
)
def test_no_window_ever_sees_more_than_the_share(
    limit: int, requests: list[tuple[int, float]], begin: float
) -> None:
    waits = Waits(begin)
    budget = WeightBudget(Quota("test", limit, 0.5), MemoryBook(), waits.seconds, waits.sleep)
    sent: list[tuple[float, int]] = []
    for weight, idle in requests:
        waits.now += idle
        budget.acquire(weight)
        sent.append((waits.now, weight))
    for first, (opened, _) in enumerate(sent):
        window = [weight for at, weight in sent[first:] if at < opened + 60]
        assert sum(window) <= max(limit * 0.5, window[0])


def test_what_others_spent_counts_from_the_venues_report() -> None:
    waits = Waits()
    budget = WeightBudget(Quota("test", 100, 1.0), MemoryBook(), waits.seconds, waits.sleep)
    budget.acquire(10)
    budget.report(95)
    budget.report(20)
    waits.now += 30
    budget.acquire(10)
    assert waits.now == 1_060.0
    budget.set_limit(15)
    budget.acquire(10)
    assert waits.now == 1_120.0


def test_a_pause_holds_everybody_and_a_ban_is_told_to_everybody() -> None:
    waits, book = Waits(), MemoryBook()
    one, two = (WeightBudget(Quota("venue", 100), book, waits.seconds, waits.sleep) for _ in range(2))
    one.pause(7)
    one.pause(2)
    two.acquire(1)
    assert waits.now == 1_007.0
    one.pause(3_600)
    with pytest.raises(RetryLater, match="venue has asked for a pause, and 3600 s") as banned:
        two.acquire(1)
    assert banned.value.retry_after_seconds == 3_600.0


def test_a_file_outlives_its_writers_but_not_a_clock_set_back(tmp_path: Path) -> None:
    waits, file = Waits(), tmp_path / "home" / "weights.json"

    def budget(name: str) -> WeightBudget:
        return WeightBudget(Quota(name, 10, 1.0), FileBook(file, name), waits.seconds, waits.sleep)

    budget("spot").acquire(10)
    budget("futures").acquire(10)
    assert waits.now == 1_000.0
    budget("spot").acquire(1)
    assert waits.now == 1_060.0
    budget("spot").pause(80)
    waits.now = 10.0  # two hours off, and corrected
    budget("spot").acquire(10)
    assert waits.now == 10.0


@pytest.mark.parametrize("content", ["", "[]", '{"spot": {}}', '{"spot": {"spent": 5}}', "<html>"])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "weights.json"
    file.write_text(content)
    with pytest.raises(FixConfiguration, match=r"weight_file .*weights\.json is no record.*delete it"):
        WeightBudget(Quota("spot", 10), FileBook(file, "spot"), time.time, time.sleep).acquire(1)


def test_a_retry_after_stops_the_other_process_too(venue: VenueServer, tmp_path: Path) -> None:
    settings = BinanceSettings(
        base_url=venue.base_url, weight_file=str(tmp_path / "weights.json"), attempts=1
    )
    venue.pages["/x"] = lambda _: {}
    venue.answers["/x"] = [(418, {"Retry-After": "3600"}, b"{}")]
    first, second = BinanceClient(settings), BinanceClient(settings)
    futures = BinanceClient(settings, market=Market.USDM)
    try:
        with pytest.raises(RetryLater, match="418"):
            first.get("/x", {}, weight=1)
        with pytest.raises(RetryLater, match="has asked for a pause"):
            second.get("/x", {}, weight=1)
        assert len(venue.requests) == 1
        assert not any("usdm" in name for name in json.loads((tmp_path / "weights.json").read_bytes()))
    finally:
        for client in (first, second, futures):
            client.close()


WORKER = textwrap.dedent("""
    import sys
    from resources.market_data.binance.client import BinanceClient
    from resources.market_data.settings import BinanceSettings

    settings = BinanceSettings(
        base_url=sys.argv[1], weight_file=sys.argv[2], weight_limit=40, weight_fraction=1.0, attempts=1
    )
    client = BinanceClient(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(1000):
        client.get("/x", {}, weight=2)
""")


def test_processes_together_never_exceed_the_limit(venue: VenueServer, tmp_path: Path) -> None:
    venue.pages["/x"] = lambda _: {}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, venue.base_url, str(tmp_path / "weights.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        deadline = time.monotonic() + 20
        while len(venue.requests) < 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)  # they would go on now, if they did not all wait for the window
        assert all(worker.poll() is None for worker in workers)
        assert len(venue.requests) == 20
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_threads_share_one_budget() -> None:
    waits = Waits()
    lock = threading.Lock()

    def sleep(duration: float) -> None:
        with lock:
            waits.now += duration

    budget = WeightBudget(Quota("test", 100, 1.0), MemoryBook(), waits.seconds, sleep)
    threads = [threading.Thread(target=lambda: [budget.acquire(1) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.now == 1_000.0
    budget.acquire(20)
    budget.acquire(1)
    assert waits.now == 1_060.0


def test_the_clock_that_a_shared_file_is_kept_in_is_the_time_of_day(
    tmp_path: Path, venue: VenueServer
) -> None:
    file = tmp_path / "weights.json"
    venue.pages["/x"] = lambda _: {}
    surroundings = Surroundings(seconds=lambda: 5.0, wall_seconds=lambda: 1_700_000_000.0)
    client = BinanceClient(BinanceSettings(base_url=venue.base_url, weight_file=str(file)), surroundings)
    client.get("/x", {}, weight=3)
    client.close()
    (entry,) = json.loads(file.read_bytes()).values()
    assert entry["spent"] == {"1700000000": 3}
