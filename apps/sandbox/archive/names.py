"""Paths of the archive, as data.binance.vision lays them out."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from trading.model.interval import DAY_MS
from trading.model.series import Series
from trading.simulation.moments import midnight_ms

Kind = Literal["klines", "funding", "metrics"]

_FOLDERS = {
    "spot/klines": Series.SPOT,
    "futures/um/klines": Series.USDM,
    "futures/um/markPriceKlines": Series.MARK,
    "futures/um/indexPriceKlines": Series.INDEX,
    "futures/um/premiumIndexKlines": Series.PREMIUM,
}
_FOLDER_OF = {series: folder for folder, series in _FOLDERS.items()}
_KLINES = re.compile(
    r"^data/(?P<market>spot|futures/um)/(?P<span>daily|monthly)/(?P<data>\w+)/(?P<symbol>[A-Z0-9]+)/1m/"
    r"(?P=symbol)-1m-(?P<period>[0-9-]+)\.zip$"
)
_OTHERS = re.compile(
    r"^data/futures/um/(?P<span>daily|monthly)/(?P<data>fundingRate|metrics)/(?P<symbol>[A-Z0-9]+)/"
    r"(?P=symbol)-(?P=data)-(?P<period>[0-9-]+)\.zip$"
)
#: Spans that the archive has of what is not klines.
_SPANS: dict[tuple[str, str], Kind] = {("monthly", "fundingRate"): "funding", ("daily", "metrics"): "metrics"}


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One zip of the archive.

    Attributes
    ----------
    path
        Path under the archive's root, from ``data/`` on.
    series
        Which klines it has; None for funding and metrics.
    first_day, days
        First UTC day, and how many the file spans.
    """

    path: str
    kind: Kind
    series: Series | None
    symbol: str
    first_day: date
    days: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    @property
    def end_ms(self) -> int:
        """End of the span, exclusive."""
        return midnight_ms(self.first_day) + self.days * DAY_MS

    def each_day(self) -> list[date]:
        """Days of the span, oldest first."""
        return [self.first_day + timedelta(days=number) for number in range(self.days)]


def parse(path: str) -> ArchiveFile | None:
    """What a path of the archive names; None for paths that it does not have."""
    match = _KLINES.match(path)
    if match is not None:
        series = _FOLDERS.get(f"{match['market']}/{match['data']}")
        kind: Kind | None = "klines" if series else None
    else:
        match = _OTHERS.match(path)
        series, kind = None, _SPANS.get((match["span"], match["data"])) if match else None
    if match is None or kind is None:
        return None
    span = _span(match["period"], monthly=match["span"] == "monthly")
    return None if span is None else ArchiveFile(path, kind, series, match["symbol"], *span)


def daily_klines_path(series: Series, symbol: str, day: date) -> str:
    """Path of the file with one day's klines."""
    market, _, data = _FOLDER_OF[series].rpartition("/")
    return f"data/{market}/daily/{data}/{symbol}/1m/{symbol}-1m-{day}.zip"


def _span(period: str, *, monthly: bool) -> tuple[date, int] | None:
    if len(period) != (7 if monthly else 10):
        return None
    try:
        first = date.fromisoformat(f"{period}-01" if monthly else period)
    except ValueError:
        return None
    return first, monthrange(first.year, first.month)[1] if monthly else 1
