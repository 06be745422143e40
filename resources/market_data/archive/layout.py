"""What the files of Binance's archive are called, and which of them hold a day."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from trading.model.series import Series

_FUTURES = "futures/um"
#: Market and kind of each series' folder.
_FOLDERS = {
    Series.SPOT: ("spot", "klines"),
    Series.USDM: (_FUTURES, "klines"),
    Series.MARK: (_FUTURES, "markPriceKlines"),
    Series.INDEX: (_FUTURES, "indexPriceKlines"),
    Series.PREMIUM: (_FUTURES, "premiumIndexKlines"),
}


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One zip of one CSV.

    Attributes
    ----------
    folder
        Folder below the archive's address.
    name
        File name, ending in ``.zip``.
    first_day, last_day
        Days that its rows belong to, both included.
    """

    folder: str
    name: str
    symbol: str
    first_day: date
    last_day: date

    @property
    def path(self) -> str:
        """Path below the archive's address."""
        return f"{self.folder}/{self.name}"

    @property
    def entry(self) -> str:
        """Name of the CSV inside."""
        return self.name.removesuffix(".zip") + ".csv"


def kline_day(series: Series, symbol: str, day: date) -> ArchiveFile:
    """The daily file of a symbol's klines."""
    market, kind = _FOLDERS[series]
    name = f"{symbol}-1m-{day.isoformat()}.zip"
    return ArchiveFile(f"data/{market}/daily/{kind}/{symbol}/1m", name, symbol, day, day)


def kline_month(series: Series, symbol: str, day: date) -> ArchiveFile:
    """The monthly file that holds a day of a symbol's klines."""
    market, kind = _FOLDERS[series]
    name = f"{symbol}-1m-{day:%Y-%m}.zip"
    folder = f"data/{market}/monthly/{kind}/{symbol}/1m"
    return ArchiveFile(folder, name, symbol, *month_of(day))


def funding_month(symbol: str, day: date) -> ArchiveFile:
    """The monthly file that holds the funding of a day; there are no daily ones."""
    name = f"{symbol}-fundingRate-{day:%Y-%m}.zip"
    return ArchiveFile(f"data/{_FUTURES}/monthly/fundingRate/{symbol}", name, symbol, *month_of(day))


def metrics_day(symbol: str, day: date) -> ArchiveFile:
    """The daily file with the open interest of a symbol; there are no monthly ones."""
    name = f"{symbol}-metrics-{day.isoformat()}.zip"
    return ArchiveFile(f"data/{_FUTURES}/daily/metrics/{symbol}", name, symbol, day, day)


def month_of(day: date) -> tuple[date, date]:
    """First and last day of the month that a day lies in."""
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
