"""Days stored beside the work of whoever makes them: the same bytes, and no failure is lost."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from resources.storing import Storing
from trading.errors import BadData
from trading.model.days import start_ms
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import REFERENCE_KLINES
from warehouse.lake.lake import Lake, open_lake
from warehouse.lake.partition import PartitionInfo

DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(6)]


def candles(day: date, *, minutes: int = 5, price: float = 1.0) -> pl.DataFrame:
    opened = [start_ms(day) + minute * MINUTE_MS for minute in range(minutes)]
    values = dict.fromkeys(("open", "high", "low", "close", "volume"), [price] * minutes)
    frame = pl.DataFrame(
        {"symbol": ["BTCUSDT"] * minutes, "open_time": opened, **values, "source": "coinbase"}
    )
    return frame.cast({"open_time": pl.Datetime("ms", "UTC")})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


@pytest.mark.parametrize("threads", [0, 2])
def test_every_day_is_stored_and_told_in_order(lake: Lake, tmp_path: Path, threads: int) -> None:
    told: dict[date, str] = {}

    def written(day: date, info: PartitionInfo) -> None:
        told[day] = info.sha256

    with Storing(lake, REFERENCE_KLINES, written=written, threads=threads) as storing:
        for number, day in enumerate(DAYS, start=1):
            storing.put(day, candles(day, minutes=number))
    assert [info.day for info in storing.infos] == DAYS
    plain = open_lake(str(tmp_path / "plain"))
    one_by_one = [
        plain.write(REFERENCE_KLINES, day, candles(day, minutes=n)) for n, day in enumerate(DAYS, 1)
    ]
    assert [info.sha256 for info in storing.infos] == [info.sha256 for info in one_by_one]
    assert told == {info.day: info.sha256 for info in one_by_one}


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("broken", [0, 3, 5])
def test_a_day_that_cannot_be_stored_ends_the_row(lake: Lake, threads: int, broken: int) -> None:
    with (
        pytest.raises(BadData, match="column open is NaN"),
        Storing(lake, REFERENCE_KLINES, threads=threads) as storing,
    ):
        for number, day in enumerate(DAYS):
            storing.put(day, candles(day, price=float("nan") if number == broken else 1.0))
    assert DAYS[broken] not in lake.days(REFERENCE_KLINES)
    assert lake.days(REFERENCE_KLINES)[:broken] == DAYS[:broken]


def test_a_failure_of_the_maker_is_not_hidden_and_leaves_no_thread(lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError), Storing(lake, REFERENCE_KLINES) as storing:
        storing.put(DAYS[0], candles(DAYS[0]))
        _ = 1 / 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store-")]
