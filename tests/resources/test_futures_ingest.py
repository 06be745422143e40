"""A day of perpetuals: repaired from the next source, certified for its bytes, and refused where it has holes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from resources.futures_certification import FuturesJudge
from resources.futures_ingest import FuturesIngest
from trading.errors import BadData
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from trading.model.series import Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.futures import FUNDING_RATES, MARK_KLINES
from warehouse.datasets.futures_certificates import (
    FUTURES_CERTIFICATES,
    FUTURES_GAPS,
    FUTURES_REPAIRS,
    FUTURES_SOURCES,
)
from warehouse.lake.lake import Lake, open_lake

DAY = date(2026, 1, 3)
START, END = start_ms(DAY), end_ms(DAY)
_STAMP = pl.Datetime("ms", "UTC")
CONTRACTS = pl.DataFrame(
    [("AAAUSDT", None, None, 8), ("BBBUSDT", None, None, 8)],
    schema={"symbol": pl.String, "listed_at": _STAMP, "delisted_at": _STAMP, "interval_hours": pl.Int64},
    orient="row",
)


class Prices:
    """Mark prices and funding, with the holes and the bad symbol that a test wants."""

    def __init__(self, name: str, holes: set[tuple[str, int]] = frozenset(), bad: str = "") -> None:
        self.name = name
        self.holes = holes
        self.bad = bad
        self.paid_hours = [0, 8, 16]
        self.clock_ms = END + 1
        self.rates: dict[tuple[str, int], float] = {}
        self.closes: dict[tuple[str, int], float] = {}

    def now_ms(self) -> int:
        return self.clock_ms

    def klines(self, symbols: Sequence[str], start: int, end: int, series: Series) -> pl.DataFrame:
        assert series is Series.MARK
        if self.bad in symbols:
            raise BadData(f"{self.bad}-1m-2026-01-03.zip is no whole zip")
        rows = [
            (
                symbol,
                moment,
                1.0,
                2.0,
                1.0,
                self.closes.get((symbol, minute), 1.0),
                self.name,
                moment + MINUTE_MS,
            )
            for symbol in symbols
            for moment in range(start, min(end, self.clock_ms - MINUTE_MS + 1), MINUTE_MS)
            if (symbol, minute := (moment - START) // MINUTE_MS) not in self.holes
        ]
        return pl.DataFrame(rows, schema=list(MARK_KLINES.schema), orient="row").cast(MARK_KLINES.schema)

    def evidence(self, symbols: Sequence[str], *_: object) -> pl.DataFrame:
        rows = [(symbol, f"{symbol}.zip", "0" * 64, 5, self.name) for symbol in symbols]
        return pl.DataFrame(rows, schema=KLINE_SOURCES.schema, orient="row")

    def funding_rates(self, symbols: Sequence[str], start: int, end: int) -> pl.DataFrame:
        rows = [
            (symbol, moment, self.rates.get((symbol, hour), 0.0001), 8, self.name, moment)
            for symbol in symbols
            for hour in self.paid_hours
            if (moment := START + hour * 60 * MINUTE_MS) < self.clock_ms
        ]
        return pl.DataFrame(rows, schema=list(FUNDING_RATES.schema), orient="row").cast(FUNDING_RATES.schema)

    funding_evidence = evidence


class Judge(FuturesJudge):
    """Judges the contracts of this module."""

    def contracts(self, day: date) -> pl.DataFrame:
        return CONTRACTS


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


def store(lake: Lake, name: str, ingest: FuturesIngest) -> None:
    """What the asset does with a day of one series."""
    dataset = {MARK_KLINES.name: MARK_KLINES, FUNDING_RATES.name: FUNDING_RATES}[name]
    found = ingest.fetch(name, CONTRACTS, DAY)
    series = pl.lit(name).alias("series")
    ingest.record(name, DAY, found, lake.write(dataset, DAY, found.rows))
    lake.write(FUTURES_SOURCES, DAY, found.files.select(series, pl.all()))
    lake.write(FUTURES_REPAIRS, DAY, found.repairs.select(series, pl.all()))


def certified(lake: Lake) -> tuple[Judge, dict[str, dict[str, object]]]:
    judge = Judge(lake, 0.02)
    lake.write(FUTURES_GAPS, DAY, judge.gaps(DAY, END))
    lake.write(FUTURES_CERTIFICATES, DAY, judge.certificates(DAY, END))
    return judge, {row["symbol"]: row for row in lake.read(FUTURES_CERTIFICATES, DAY).iter_rows(named=True)}


def minutes(symbol: str, first: int, last: int) -> set[tuple[str, int]]:
    return {(symbol, minute) for minute in range(first, last + 1)}


def test_what_one_source_lacks_the_next_one_has(lake: Lake) -> None:
    both = minutes("AAAUSDT", 100, 103)
    first = Prices("archive", both | minutes("AAAUSDT", 10, 49))
    store(lake, MARK_KLINES.name, FuturesIngest(lake, first, [Prices("binance", both)], ()))
    judge, rows = certified(lake)
    assert rows["AAAUSDT"]["sources"] == '{"archive":1396,"binance":40}'
    assert (rows["AAAUSDT"]["observed"], rows["AAAUSDT"]["repaired"]) == (1436, 40)
    assert (rows["AAAUSDT"]["no_trades_rows"], rows["AAAUSDT"]["source_defect_rows"]) == (4, 0)
    assert (rows["AAAUSDT"]["files"], rows["AAAUSDT"]["status"]) == (1, "certified")
    asked = lake.read(FUTURES_REPAIRS, DAY)
    assert asked.select("missing_minutes", "asked", "found").rows() == [
        (40, "binance", 40),
        (4, "binance", 0),
    ]
    assert lake.read(FUTURES_GAPS, DAY).select("missing_rows", "kind").rows() == [(4, "no_trades")]
    assert judge.require_certified(MARK_KLINES, DAY).height == 1440 + 1436


def test_holes_that_nobody_could_be_asked_about_are_refused(lake: Lake) -> None:
    store(lake, MARK_KLINES.name, FuturesIngest(lake, Prices("archive", minutes("BBBUSDT", 0, 28)), [], ()))
    judge, rows = certified(lake)
    assert rows["AAAUSDT"]["status"] == "certified"
    assert rows["BBBUSDT"]["reason"] == "29 of 1440 rows are missing that must exist"
    with pytest.raises(BadData, match="mark_klines of 2026-01-03 is not certified: 1 refused, first BBBUSDT"):
        judge.require_certified(MARK_KLINES, DAY)


def test_a_symbol_whose_file_is_bad_comes_from_the_next_source(lake: Lake) -> None:
    bad = Prices("archive", bad="BBBUSDT")
    store(lake, MARK_KLINES.name, FuturesIngest(lake, bad, [Prices("binance")], ()))
    _, rows = certified(lake)
    assert [row["sources"] for row in rows.values()] == ['{"archive":1440}', '{"binance":1440}']
    with pytest.raises(BadData, match="no whole zip"):
        FuturesIngest(lake, bad, [], ()).fetch(MARK_KLINES.name, CONTRACTS, DAY)


def test_a_missing_payment_refuses_its_series_alone(lake: Lake) -> None:
    source = Prices("archive")
    source.paid_hours = [0, 16]
    ingest = FuturesIngest(lake, source, [], ())
    store(lake, FUNDING_RATES.name, ingest)
    lake.write(MARK_KLINES, DAY, ingest.fetch(MARK_KLINES.name, CONTRACTS, DAY).rows)
    judge, _ = certified(lake)
    assert judge.certified(DAY, [MARK_KLINES]).passed
    outcome = judge.certified(DAY, [FUNDING_RATES])
    assert (outcome.passed, outcome.severity, outcome.value) == (False, "block", 2.0)
    assert "AAAUSDT of funding_rates: 1 of 3 rows are missing" in outcome.description
    assert lake.read(FUTURES_GAPS, DAY)["first_missing"].dt.hour().to_list() == [8, 8]


def test_without_a_certificate_of_these_bytes_nothing_is_read(lake: Lake) -> None:
    ingest = FuturesIngest(lake, Prices("archive"), [], ())
    store(lake, MARK_KLINES.name, ingest)
    judge = Judge(lake, 0.02)
    with pytest.raises(BadData, match="there is no certificate of what is stored"):
        judge.require_certified(MARK_KLINES, DAY)
    certified(lake)
    stored = judge.require_certified(MARK_KLINES, DAY)
    lake.write(MARK_KLINES, DAY, stored.with_columns(pl.col("close") + 0.0, pl.col("high") * 2))
    with pytest.raises(BadData, match="there is no certificate of what is stored"):
        judge.require_certified(MARK_KLINES, DAY)
