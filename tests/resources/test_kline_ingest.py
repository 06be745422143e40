"""A day's klines over its life: extended while open, final when closed, repaired, corrected, never forgotten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from resources.certification import JudgementRules, KlineJudge
from resources.ingest import Ingested, KlineIngest
from resources.known import bars_as_of, bars_known_at, klines_known_at
from trading.bars.certificate import CertificateSettings
from trading.bars.quality import QualitySettings
from trading.bars.resample import resample
from trading.errors import BadData, RetryLater
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS, Interval
from trading.model.series import Series
from warehouse import views
from warehouse.datasets.certificates import (
    KLINE_CERTIFICATES,
    KLINE_GAPS,
    KLINE_REPAIRS,
    KLINE_REVISIONS,
    KLINE_SOURCES,
    KLINE_VERSIONS,
)
from warehouse.datasets.instruments import UNIVERSE
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import Lake, open_lake

DAY = date(2026, 1, 3)
START, END = start_ms(DAY), end_ms(DAY)
SYMBOLS = ["AAAUSDT", "BBBUSDT"]
_STAMP = pl.Datetime("ms", "UTC")


class Recorded:
    """A source whose candles, holes and clock a test sets; it answers as the port says."""

    def __init__(self, name: str, *, now_ms: int = END) -> None:
        self.name = name
        self.clock_ms = now_ms
        self.closes: dict[tuple[str, int], float] = {}
        self.holes: set[tuple[str, int]] = set()
        self.files: list[dict[str, object]] = []
        self.unreachable = False

    def now_ms(self) -> int:
        return self.clock_ms

    def klines(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        if self.unreachable:
            raise RetryLater(f"{self.name} did not answer")
        end = min(end_ms, self.clock_ms)
        rows = [
            (symbol, moment, self.closes.get((symbol, (moment - START) // MINUTE_MS), 100.0))
            for symbol in sorted(symbols)
            for moment in range(start_ms, end - MINUTE_MS + 1, MINUTE_MS)
            if (symbol, (moment - START) // MINUTE_MS) not in self.holes
        ]
        frame = pl.DataFrame(
            rows, schema={"symbol": pl.String, "ms": pl.Int64, "close": pl.Float64}, orient="row"
        )
        opened = pl.col("ms").cast(_STAMP)
        prices = [pl.col("close").alias(name) for name in ("open", "high", "low")]
        known = {"volume": pl.lit(1.0), "source": pl.lit(self.name)}
        return frame.with_columns(
            opened.alias("open_time"),
            (pl.col("ms") + MINUTE_MS).cast(_STAMP).alias("known_at"),
            *prices,
            *(value.alias(name) for name, value in known.items()),
            *(
                pl.lit(None, KLINES.schema[name]).alias(name)
                for name in ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
            ),
        ).select(list(KLINES.schema))

    def evidence(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        return pl.DataFrame(self.files, schema=KLINE_SOURCES.schema)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = open_lake(str(tmp_path / "lake"))
    rows = [
        {"symbol": symbol, "base": symbol[:3], "quote": "USDT", "followed": True, "reason": "configured"}
        for symbol in SYMBOLS
    ]
    lake.write(UNIVERSE, DAY, pl.DataFrame(rows, schema=UNIVERSE.schema))
    return lake


def universe(lake: Lake) -> pl.DataFrame:
    return lake.read(UNIVERSE, DAY)


def store(lake: Lake, ingest: KlineIngest) -> Ingested:
    """What the asset does with a day."""
    found = ingest.fetch(universe(lake), DAY)
    ingest.record(DAY, found, lake.write(KLINES, DAY, found.klines))
    return found


def certificate(lake: Lake, second_source: str | None = None) -> pl.DataFrame:
    rules = JudgementRules(QualitySettings(), CertificateSettings(), (), second_source)
    judge = KlineJudge(lake, rules)
    lake.write(KLINE_GAPS, DAY, judge.gaps(DAY, END))
    lake.write(KLINE_CERTIFICATES, DAY, judge.certificates(DAY, END))
    return lake.read(KLINE_CERTIFICATES, DAY)


def everything(lake: Lake) -> dict[str, str]:
    stored = (KLINES, KLINE_SOURCES, KLINE_VERSIONS, KLINE_REVISIONS, KLINE_REPAIRS)
    infos = {dataset.name: lake.info(dataset, DAY) for dataset in stored}
    return {name: info.sha256 for name, info in infos.items() if info}


def test_a_day_extended_minute_by_minute_becomes_the_day_fetched_at_once(lake, tmp_path):
    source = Recorded("binance", now_ms=START + 10 * MINUTE_MS)
    ingest = KlineIngest(lake, source)
    for minute in (10, 11, 700, 1439):
        source.clock_ms = START + minute * MINUTE_MS + 5_000
        assert store(lake, ingest).klines.height == 2 * minute
    source.clock_ms = END + 1
    assert store(lake, ingest).klines.height == 2 * 1440
    extended = lake.info(KLINES, DAY)
    other = open_lake(str(tmp_path / "other"))
    other.write(UNIVERSE, DAY, universe(lake))
    store(other, KlineIngest(other, source))
    assert other.info(KLINES, DAY).sha256 == extended.sha256


def test_fetching_again_leaves_every_byte_as_it_is(lake):
    source = Recorded("archive", now_ms=END + 1)
    source.holes = {("AAAUSDT", 5)}
    source.files = [
        {"symbol": "AAAUSDT", "file": "x.zip", "sha256": "f" * 64, "size_bytes": 5, "source": "archive"}
    ]
    ingest = KlineIngest(lake, source, [Recorded("binance", now_ms=END + 1)])
    store(lake, ingest)
    before = everything(lake)
    assert set(before) == {"klines", "kline_sources", "kline_versions", "kline_repairs"}
    source.clock_ms = END + 999
    again = store(lake, ingest)
    after = everything(lake)
    assert (again.update.changed, again.update.late) == (0, 0)
    assert {name: after[name] == before[name] for name in before} == {
        "klines": True,
        "kline_sources": True,
        "kline_versions": True,
        "kline_repairs": False,  # asked again, at a later time
    }


def test_the_archive_corrects_what_was_provisional_and_both_remain_readable(lake):
    rest = Recorded("binance", now_ms=START + 600 * MINUTE_MS)
    rest.holes = {("BBBUSDT", 20)}
    store(lake, KlineIngest(lake, rest))
    provisional = lake.info(KLINES, DAY)
    archive = Recorded("archive", now_ms=END + 7_000)
    archive.closes = {("AAAUSDT", 10): 101.0}
    found = store(lake, KlineIngest(lake, archive))
    assert (found.update.changed, found.update.late, found.update.compared) == (1, 1, True)
    versions = lake.read(KLINE_VERSIONS, DAY)
    assert versions.select("version", "sha256", "final", "changed", "late").rows() == [
        (1, provisional.sha256, False, 0, 0),
        (2, lake.info(KLINES, DAY).sha256, True, 1, 1),
    ]
    revision = lake.read(KLINE_REVISIONS, DAY).row(0, named=True)
    assert (revision["close"], revision["source"], revision["replaced_by"]) == (100.0, "binance", "archive")
    assert revision["partition_sha256"] == provisional.sha256

    def close_of_ten(at_ms: int) -> list[float]:
        known = klines_known_at(lake, DAY, DAY, at_ms)
        minute = pl.col("open_time").dt.epoch("ms") == START + 10 * MINUTE_MS
        return known.filter(minute, pl.col("symbol") == "AAAUSDT")["close"].to_list()

    assert close_of_ten(START + 10 * MINUTE_MS) == []
    assert close_of_ten(START + 11 * MINUTE_MS) == [100.0]
    assert close_of_ten(END + 6_999) == [100.0]
    assert close_of_ten(END + 7_000) == [101.0]
    assert certificate(lake).filter(pl.col("symbol") == "AAAUSDT")["revised"].to_list() == [1]


def test_sql_and_python_know_the_same_at_every_moment(lake):
    rest, archive = (
        Recorded("binance", now_ms=START + 600 * MINUTE_MS),
        Recorded("archive", now_ms=END + 7_000),
    )
    archive.closes = {("AAAUSDT", 10): 101.0, ("BBBUSDT", 599): 99.0}
    store(lake, KlineIngest(lake, rest))
    store(lake, KlineIngest(lake, archive))
    for moment in (START, START + 11 * MINUTE_MS, END, END + 6_999, END + 7_000):
        known = klines_known_at(lake, DAY, DAY, moment)
        sql = f"select count(*) as n, sum(close) as total from klines_known_at(to_timestamp({moment / 1000}))"
        row = views.query(lake, sql, 1).row(0)
        assert row[0] == known.height
        assert (row[1] or 0.0) == pytest.approx(known["close"].sum())


def test_bars_as_known_are_made_of_the_klines_as_known(lake):
    rest, archive = (
        Recorded("binance", now_ms=START + 600 * MINUTE_MS),
        Recorded("archive", now_ms=END + 7_000),
    )
    archive.closes = {("AAAUSDT", 10): 101.0}
    store(lake, KlineIngest(lake, rest))
    store(lake, KlineIngest(lake, archive))
    first = [
        bars_known_at(lake, DAY, DAY, Interval.H1, moment).filter(pl.col("symbol") == "AAAUSDT")["high"]
        for moment in (START + 61 * MINUTE_MS, END + 7_000)
    ]
    assert first[0].to_list() == [100.0]
    assert first[1][0] == 101.0
    assert len(first[1]) == 24


def test_a_hole_is_filled_from_the_next_source_and_the_question_is_on_record(lake):
    archive, rest = Recorded("archive", now_ms=END + 1), Recorded("binance", now_ms=END + 1)
    archive.holes = {("AAAUSDT", minute) for minute in (7, 8, 9)}
    rest.holes = {("AAAUSDT", 9)}
    store(lake, KlineIngest(lake, archive, [rest]))
    assert lake.read(KLINE_REPAIRS, DAY).select("symbol", "missing_minutes", "asked", "found").rows() == [
        ("AAAUSDT", 3, "binance", 2)
    ]
    rows = certificate(lake)
    row = rows.row(0, named=True)
    assert (row["repaired"], row["no_trades_minutes"], row["status"]) == (2, 1, "certified")
    assert json.loads(row["sources"]) == {"archive": 1437, "binance": 2}
    assert lake.read(KLINE_GAPS, DAY)["reason"].to_list() == ["asked binance: no bar there either"]


def test_a_source_that_cannot_be_asked_proves_nothing(lake):
    archive, rest = Recorded("archive", now_ms=END + 1), Recorded("binance", now_ms=END + 1)
    archive.holes = {("AAAUSDT", minute) for minute in range(100, 160)}
    rest.unreachable = True
    store(lake, KlineIngest(lake, archive, [rest]))
    row = certificate(lake).row(0, named=True)
    assert (row["source_defect_minutes"], row["status"]) == (60, "refused")
    assert lake.info(KLINE_REPAIRS, DAY) is None


def test_a_day_that_was_never_finished_says_whose_outage_it_was(lake):
    source = Recorded("binance", now_ms=START + 600 * MINUTE_MS)
    store(lake, KlineIngest(lake, source))
    rows = certificate(lake)
    assert rows["our_outage_minutes"].to_list() == [840, 840]
    assert rows["final"].to_list() == [False, False]
    assert rows["status"].to_list() == ["refused", "refused"]


def test_what_builds_on_uncertified_klines_is_refused(lake):
    source = Recorded("binance", now_ms=END + 1)
    ingest = KlineIngest(lake, source)
    store(lake, ingest)
    judge = KlineJudge(lake, JudgementRules(QualitySettings(), CertificateSettings()))
    with pytest.raises(
        BadData, match=r"not certified: there is no certificate; .*tidemill backfill --from 2026-01-03"
    ):
        judge.require_certified(DAY)
    certificate(lake)
    assert judge.require_certified(DAY).height == 2880
    source.closes = {("AAAUSDT", 0): 99.0}
    store(lake, ingest)
    with pytest.raises(BadData, match="changed after they were certified"):
        judge.require_certified(DAY)
    certificate(lake)
    assert judge.certified(DAY).passed


def test_a_day_that_has_not_begun_is_refused(lake):
    source = Recorded("binance", now_ms=START - 1)
    with pytest.raises(BadData, match="has not reached it"):
        KlineIngest(lake, source).fetch(universe(lake), DAY)
    assert lake.days(KLINES) == []


def test_day_by_day_equals_whatever_order(lake, tmp_path):
    source = Recorded("archive", now_ms=END + timedelta(days=3) // timedelta(milliseconds=1))
    days = [DAY, DAY + timedelta(days=1)]
    other = open_lake(str(tmp_path / "other"))
    for into, order in ((lake, days), (other, days[::-1])):
        for day in order:
            found = KlineIngest(into, source).fetch(universe(lake), day)
            into.write(KLINES, day, found.klines)
    for day in days:
        assert lake.info(KLINES, day).sha256 == other.info(KLINES, day).sha256


def test_stored_bars_as_of_a_moment_are_those_made_from_what_was_known_then(lake):
    source = Recorded("binance", now_ms=END + 1)
    ingest = KlineIngest(lake, source)
    source.holes = {("BBBUSDT", 30)}
    moments = [START + 7 * 60 * MINUTE_MS, END + 1]
    closes: list[dict[tuple[str, int], float]] = [{}, {("AAAUSDT", 5): 101.0}, {("AAAUSDT", 5): 102.0}]
    for hour, corrected in enumerate(closes):
        source.clock_ms, source.closes = END + 1 + hour * 60 * MINUTE_MS, corrected
        if hour == 2:
            source.holes = set()
        store(lake, ingest)
        moments += [source.clock_ms - 1, source.clock_ms]
    newest = lake.read(KLINES, DAY)
    lake.write(BARS, DAY, resample(newest, Interval.H1, closed_before_ms=END), Interval.H1)
    for moment in sorted(moments):
        expected = bars_known_at(lake, DAY, DAY, Interval.H1, moment)
        assert bars_as_of(lake, DAY, DAY, Interval.H1, moment).equals(expected), moment
    first, last = (bars_as_of(lake, DAY, DAY, Interval.H1, moment) for moment in (END + 1, moments[-1]))
    assert (first["high"].max(), last["high"].max()) == (100.0, 102.0)
