"""What the nightly suite asks of each table of the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from resources.warehouse_suite.bands import Scale
from resources.warehouse_suite.measures import Measure, mean, non_null, quantiles, rows, total
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_CERTIFICATES, KLINE_GAPS
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.research import ML_CONFIDENCE
from warehouse.datasets.screening import FORK_SCORES, INDICATORS, SCREENER_RATINGS
from warehouse.schema import Dataset

#: Derived column: how long before the day's end a row became known.
TO_DAY_END = "minutes_to_day_end"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far before the day's end the newest row may lie.

    Attributes
    ----------
    column
        Time column.
    lasts
        From that time to when the row became known: the length of a bar that the column opens.
    limit_minutes
        Largest accepted distance of the newest row from the day's end.
    """

    column: str
    lasts: timedelta
    limit_minutes: float


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset at an interval, the columns derived from it, and what is measured of both."""

    dataset: Dataset
    measures: tuple[Measure, ...]
    interval: Interval | None = None
    derived: dict[str, pl.Expr] = field(default_factory=dict)
    freshness: Freshness | None = None

    @property
    def name(self) -> str:
        """Name of the asset that writes the table."""
        return f"{self.dataset.name}_{self.interval.value}" if self.interval else self.dataset.name


def _table(
    dataset: Dataset,
    *measures: Measure,
    row_count: Measure | None = None,
    interval: Interval | None = None,
    derived: dict[str, pl.Expr] | None = None,
    freshness: Freshness | None = None,
) -> Table:
    shares = tuple(non_null(column.name) for column in dataset.columns if column.nullable)
    return Table(dataset, (row_count or rows(), *measures, *shares), interval, derived or {}, freshness)


def _returns(close: str) -> pl.Expr:
    """Change of the close from row to row of a symbol; null at its first row."""
    change = pl.col(close) / pl.col(close).shift(1).over("symbol") - 1.0
    return pl.when(change.is_finite()).then(change)


def _share(condition: pl.Expr) -> pl.Expr:
    return condition.cast(pl.Float64)


_HOUR = timedelta(hours=1)

TABLES = (
    _table(INSTRUMENTS),
    _table(
        UNIVERSE,
        total("followed_symbols", "symbols that are followed"),
        total("quote_volume_24h", "traded value of the day before"),
        derived={"followed_symbols": _share(pl.col("followed"))},
    ),
    _table(
        KLINES,
        total("quote_volume", "traded value"),
        quantiles("return_fraction", "returns from minute to minute", floor=1e-4),
        mean("zero_volume", "share of minutes without trades", floor=0.01),
        derived={"return_fraction": _returns("close"), "zero_volume": _share(pl.col("volume") == 0)},
        freshness=Freshness("open_time", timedelta(minutes=1), 5),
    ),
    _table(
        KLINE_GAPS,
        total("missing_minutes", "minutes without a kline", Scale.LEVEL, 60),
        row_count=rows(Scale.LEVEL, 20),
    ),
    _table(
        KLINE_CERTIFICATES,
        mean("certified", "share of symbols with a certificate", floor=0.02),
        total("revised", "minutes whose value was replaced", Scale.LEVEL, 60),
        total("repaired", "minutes from a source other than the first", Scale.LEVEL, 60),
        derived={"certified": _share(pl.col("status") == "certified")},
    ),
    _table(
        BARS,
        total("quote_volume", "traded value"),
        quantiles("return_fraction", "returns from hour to hour", floor=1e-3),
        mean("complete_bars", "share of bars with every minute", floor=0.01),
        interval=Interval.H1,
        derived={"return_fraction": _returns("close"), "complete_bars": _share(pl.col("complete"))},
        freshness=Freshness("close_time", timedelta(0), 0),
    ),
    _table(
        INDICATORS,
        mean("rsi_14", "mean RSI", floor=2.0),
        interval=Interval.H1,
        freshness=Freshness("close_time", timedelta(0), 0),
    ),
    _table(
        SCREENER_RATINGS,
        mean("rating", "mean rating", floor=0.05),
        interval=Interval.H1,
        freshness=Freshness("close_time", timedelta(0), 0),
    ),
    _table(
        FORK_SCORES,
        quantiles("score", "fork scores", floor=0.02),
        mean("passed_bars", "share of bars that pass", floor=0.02),
        derived={"passed_bars": _share(pl.col("passed"))},
        freshness=Freshness("close_time", timedelta(0), 0),
    ),
    _table(
        ML_CONFIDENCE,
        mean("confidence", "mean confidence", floor=0.05),
        freshness=Freshness("as_of", timedelta(0), _HOUR / timedelta(minutes=1)),
    ),
)
