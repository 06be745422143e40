"""Files that arrive while others are read: waited for one by one, and a failure reaches whoever waits."""

from __future__ import annotations

import threading

import pytest

from resources.market_data.archive.arrivals import Arrivals, Batch
from trading.errors import RetryLater


def test_a_reader_waits_for_its_own_batch_only() -> None:
    done: list[str] = []
    gate = threading.Event()

    def second() -> None:
        assert gate.wait(30)
        done.append("second")

    arrivals = Arrivals()
    arrivals.begin([Batch(["a", "b"], lambda: done.append("first")), Batch(["c"], second)])
    arrivals.wait("b")
    assert done == ["first"]
    gate.set()
    arrivals.wait("c")
    assert done == ["first", "second"]


def test_what_nobody_expects_is_not_waited_for() -> None:
    arrivals = Arrivals()
    arrivals.wait("a")
    arrivals.begin([Batch(["a"], lambda: None)])
    arrivals.wait("b")
    assert (arrivals.expects("a"), arrivals.expects("b")) == (True, False)


def test_a_failure_reaches_those_who_wait_for_it_or_for_what_comes_behind() -> None:
    def fail() -> None:
        raise RetryLater("the archive cannot be read")

    arrivals = Arrivals()
    done: list[str] = []
    arrivals.begin([Batch(["a"], lambda: None), Batch(["b"], fail), Batch(["c"], lambda: done.append("c"))])
    arrivals.wait("a")
    for item in ("b", "c"):
        with pytest.raises(RetryLater, match="cannot be read"):
            arrivals.wait(item)
    assert done == [], "nothing is fetched behind a failure"


def test_a_new_range_ends_the_one_before_after_its_batch_at_work() -> None:
    started, gate = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        started.set()
        assert gate.wait(30)
        done.append("old 1")

    arrivals = Arrivals()
    arrivals.begin([Batch(["a"], first), Batch(["b"], lambda: done.append("old 2"))])
    assert started.wait(30)
    arrivals.begin([Batch(["c"], lambda: done.append("new"))])
    arrivals.wait("c")
    gate.set()
    old = [thread for thread in threading.enumerate() if thread.name == "arrivals"]
    for thread in old:
        thread.join(30)
    assert sorted(done) == ["new", "old 1"]
