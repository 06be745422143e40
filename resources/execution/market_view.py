"""The market view of a tick, read from the lake: what the desks may look at, and from which partitions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from trading.instruments.rows import instruments_of
from trading.model.days import day_at, start_ms
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS, RESAMPLED, Interval
from trading.model.snapshot import SymbolView
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import BARS
from warehouse.datasets.research import ML_CONFIDENCE
from warehouse.datasets.screening import (
    BTC_CONDITION,
    FORK_COMPONENTS,
    FORK_SCORES,
    INDICATORS,
    RATING_KICKS,
    SCREENER_RATINGS,
)
from warehouse.lake.lake import Lake
from warehouse.schema import Dataset

#: Indicator columns that the view carries, by interval.
VIEW_INDICATORS = {
    Interval.M15: ("rsi_14", "macd_histogram", "atr_14", "volume_sma_20"),
    Interval.H1: ("rsi_14", "macd_histogram", "atr_14", "ema_50", "adx_14"),
}
#: How many bars back the newest value of an interval may come from.
_FRESH_BARS = 2


@dataclass(slots=True)
class LakeReader:
    """Reads what was known at a bar close, and remembers which partitions it came from."""

    lake: Lake
    bar_close_ms: int
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The day that the decision bar belongs to."""
        return day_at(self.bar_close_ms - 1)

    def latest(
        self, dataset: Dataset, interval: Interval | None = None, *, back_days: int = 1
    ) -> pl.DataFrame:
        """Newest row per symbol that was known at the bar close."""
        frame = self._window(dataset, interval, back_days)
        known = frame.filter(pl.col("close_time").dt.timestamp("ms") <= self.bar_close_ms)
        keys = ["symbol"] if "symbol" in frame.columns else []
        ordered = known.sort("close_time")
        return ordered.group_by(keys, maintain_order=True).last() if keys else ordered.tail(1)

    def partition(self, dataset: Dataset, *, back_days: int = 0) -> pl.DataFrame:
        """The newest of the last partitions of a dataset that describes days as a whole."""
        for offset in range(back_days + 1):
            day = self.day - timedelta(days=offset)
            if self._note(dataset, day, None):
                return self.lake.read(dataset, day)
        return pl.DataFrame(schema=dataset.schema)

    def window(self, dataset: Dataset, interval: Interval, back_days: int) -> pl.DataFrame:
        """Every row of the last days that was known at the bar close."""
        frame = self._window(dataset, interval, back_days)
        return frame.filter(pl.col("close_time").dt.timestamp("ms") <= self.bar_close_ms)

    def minutes(self, dataset: Dataset, symbols: Collection[str], since_ms: int) -> pl.DataFrame:
        """One-minute rows of some symbols from a moment on that had closed by the bar close."""
        back_days = max((start_ms(self.day) - since_ms + DAY_MS - 1) // DAY_MS, 0)
        opened = pl.col("open_time").dt.epoch("ms")
        return self._window(dataset, None, back_days).filter(
            pl.col("symbol").is_in(list(symbols)),
            opened.is_between(since_ms, self.bar_close_ms - MINUTE_MS),
        )

    def _window(self, dataset: Dataset, interval: Interval | None, back_days: int) -> pl.DataFrame:
        first = self.day - timedelta(days=back_days)
        for offset in range(back_days + 1):
            self._note(dataset, first + timedelta(days=offset), interval)
        return self.lake.window(dataset, first, self.day, interval)

    def _note(self, dataset: Dataset, day: date, interval: Interval | None) -> bool:
        info = self.lake.info(dataset, day, interval)
        if info is None:
            return False
        middle = f"/interval={interval.value}" if interval else ""
        self.sources[f"{dataset.name}{middle}/date={day}"] = info.sha256
        return True


def read_instruments(reader: LakeReader) -> dict[str, Instrument]:
    """The instruments of the day's universe as of the bar close, by symbol."""
    followed = reader.partition(UNIVERSE).filter(pl.col("followed"))["symbol"].to_list()
    return instruments_of(reader.partition(INSTRUMENTS), reader.bar_close_ms, symbols=followed)


def read_btc_condition(reader: LakeReader) -> str:
    """Regime of the newest closed 15-minute bar; unknown when it is missing or older than two bars."""
    rows = reader.latest(BTC_CONDITION)
    fresh = _fresh(rows, reader.bar_close_ms, Interval.M15)
    return str(fresh["condition"][0]) if len(fresh) else "unknown"


def read_symbols(reader: LakeReader, spreads_bps: dict[str, float]) -> dict[str, SymbolView]:
    """One view per symbol that has a 15-minute bar; whatever else is missing is NaN."""
    bars = _by_symbol(reader.latest(BARS, Interval.M15))
    forks = _by_symbol(_fresh(reader.latest(FORK_SCORES), reader.bar_close_ms, Interval.M15))
    kicks = _by_symbol(_fresh(reader.latest(RATING_KICKS), reader.bar_close_ms, Interval.M15))
    confidence = _by_symbol(reader.partition(ML_CONFIDENCE, back_days=1))
    volumes = _day_volumes(reader)
    ratings: dict[str, dict[str, dict[str, Any]]] = {}
    indicators: dict[str, dict[str, dict[str, Any]]] = {}
    for interval in RESAMPLED:
        back = 2 if interval is Interval.D1 else 1
        rated = _fresh(
            reader.latest(SCREENER_RATINGS, interval, back_days=back), reader.bar_close_ms, interval
        )
        ratings[interval.value] = _by_symbol(rated)
        if interval in VIEW_INDICATORS:
            rows = _fresh(reader.latest(INDICATORS, interval), reader.bar_close_ms, interval)
            indicators[interval.value] = _by_symbol(rows)
    return {
        symbol: SymbolView(
            symbol=symbol,
            close=bar["close"],
            bar_close_ms=int(bar["close_time"].timestamp() * 1000),
            spread_bps=spreads_bps.get(symbol, float("nan")),
            quote_volume_24h=_number(volumes.get(symbol)),
            fork_score=_number(forks.get(symbol, {}).get("score")),
            fork_adjusted=_number(kicks.get(symbol, {}).get("adjusted")),
            fork_passed=bool(forks.get(symbol, {}).get("passed", False)),
            rating_tag=ratings["15m"].get(symbol, {}).get("label") or "",
            confidence=_number(confidence.get(symbol, {}).get("confidence")),
            confidence_model=_model(confidence.get(symbol)),
            confidence_expires_ms=_milliseconds(confidence.get(symbol, {}).get("expires_at")),
            ratings={
                interval: _number(rows.get(symbol, {}).get("rating")) for interval, rows in ratings.items()
            },
            indicators={
                f"{interval.value}.{name}": _number(indicators[interval.value].get(symbol, {}).get(name))
                for interval, names in VIEW_INDICATORS.items()
                for name in names
            },
            fork_components={name: _number(forks.get(symbol, {}).get(name)) for name in FORK_COMPONENTS},
        )
        for symbol, bar in sorted(bars.items())
    }


def _day_volumes(reader: LakeReader) -> dict[str, float]:
    start_ms = reader.bar_close_ms - 86_400_000
    bars = reader.window(BARS, Interval.M15, 1)
    recent = bars.filter(pl.col("open_time").dt.timestamp("ms") >= start_ms)
    # Summed list by list: a grouped sum adds in an order that depends on the number of processors.
    sums = (
        recent.group_by("symbol")
        .agg(pl.col("quote_volume"), pl.col("quote_volume").count().alias("n"))
        .with_columns(pl.col("quote_volume").list.sum())
    )
    return dict(sums.filter(pl.col("n") > 0).select("symbol", "quote_volume").iter_rows())


def _fresh(rows: pl.DataFrame, bar_close_ms: int, interval: Interval) -> pl.DataFrame:
    oldest = bar_close_ms - _FRESH_BARS * interval.milliseconds
    return rows.filter(pl.col("close_time").dt.timestamp("ms") > oldest)


def _by_symbol(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["symbol"]: row for row in rows.iter_rows(named=True)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _model(row: dict[str, Any] | None) -> str:
    return f"{row['model_name']}:{row['model_version']}" if row else ""


def _milliseconds(value: Any) -> int:
    return 0 if value is None else int(value.timestamp() * 1000)
