"""The universe of a day: who is followed, decided by what was known before the day began."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from trading.errors import BadData, FixConfiguration
from trading.instruments.bases import kind_of
from trading.instruments.master import TRADING, UNKNOWN
from trading.instruments.settings import UniverseSettings
from trading.model.days import end_ms
from trading.model.instrument import Instrument

_STAMP = pl.Datetime("ms", "UTC")
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "base": pl.String,
    "quote": pl.String,
    "followed": pl.Boolean,
    "reason": pl.String,
    "quote_volume_24h": pl.Float64,
    "rank": pl.Int64,
    "listed_at": _STAMP,
    "delisted_at": _STAMP,
}
_FOLLOWED = frozenset({"configured", "reference", "volume", "held"})


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the reason of every symbol follows from."""

    instruments: Mapping[str, Instrument]
    volumes: Mapping[str, float]
    ranks: Mapping[str, int]
    excluded: Mapping[str, str]
    held: Collection[str]
    settings: UniverseSettings

    def chosen(self) -> set[str]:
        """The symbols with the largest traded value that nothing speaks against."""
        if self.settings.symbols:
            return set()
        least = self.settings.min_quote_volume_24h
        eligible = [
            symbol for symbol in self.ranks if symbol not in self.excluded and self.volumes[symbol] >= least
        ]
        return set(eligible[: self.settings.max_symbols])

    def reason(self, symbol: str, chosen: Collection[str]) -> str:
        """Why the symbol is followed or not; what does not depend on the holdings comes first."""
        settings, excluded = self.settings, self.excluded.get(symbol)
        if symbol in settings.symbols and excluded != "not_trading":
            return "configured"
        if symbol == settings.reference:
            return "reference"
        if symbol in chosen:
            return "volume"
        if symbol in self.held and symbol in self.instruments:
            return "held"
        if settings.symbols and symbol not in settings.symbols:
            return "not_configured"
        if excluded:
            return excluded
        if symbol not in self.volumes:
            return "volume_unknown"
        low = self.volumes[symbol] < settings.min_quote_volume_24h
        return "low_volume" if low else "beyond_max_symbols"


def choose(
    day: date,
    instruments: Mapping[str, Instrument],
    volumes: pl.DataFrame,
    settings: UniverseSettings,
    *,
    known: Collection[str],
    held: Collection[str] = (),
) -> pl.DataFrame:
    """Every pair of the quote asset with whether it is followed on a UTC day, and why.

    Parameters
    ----------
    instruments
        One market's instruments as of the start of the day.
    volumes
        Columns ``symbol``, ``day`` (Date), ``quote_volume``. Only the day before counts; a symbol that
        was listed during it has what it traded. A symbol without a row, null or NaN is unknown.
    known
        Every symbol that the venue has, or had: a configured symbol that is not among them is a
        misspelling; one that is, but not listed on the day, is ``not_trading``.
    held
        Symbols of open positions, followed while the venue lists them.

    Returns
    -------
    polars.DataFrame
        Rows of the ``universe`` dataset, sorted by symbol. ``rank`` orders all pairs of the quote
        asset whose traded value is known, ties by symbol. Of a symbol that is not listed on the day,
        the base is what its name says.

    Raises
    ------
    FixConfiguration
        If a configured symbol or the reference is unknown, has another quote asset, or, for the
        reference, is not listed on the day.
    BadData
        If a symbol has two volumes for the day before.
    """
    pairs = {symbol: item for symbol, item in instruments.items() if item.quote == settings.quote}
    _require_configured(day, instruments, settings, known)
    pairs |= {symbol: instruments[symbol] for symbol in held if symbol in instruments}
    traded = _volumes_of(volumes, day - timedelta(days=1), pairs)
    by_volume = sorted(traded, key=lambda symbol: (-traded[symbol], symbol))
    coins = {item.base for item in instruments.values()}
    wanted = sorted({*pairs, *settings.symbols, *held})
    excluded = {symbol: kind for symbol in wanted if (kind := _exclusion(pairs.get(symbol), coins, settings))}
    ranks = {symbol: place for place, symbol in enumerate(by_volume, start=1)}
    choice = _Choice(pairs, traded, ranks, excluded, frozenset(held), settings)
    return _rows(wanted, choice)


def with_listings(rows: pl.DataFrame, day: date, listed_at_ms: Mapping[str, int | None]) -> pl.DataFrame:
    """The universe with listings that the instrument master does not know.

    Parameters
    ----------
    rows
        What `choose` returned.
    listed_at_ms
        First trade of followed symbols; None where it has not come.

    Returns
    -------
    polars.DataFrame
        The same rows; a symbol that first trades after the day is ``not_trading``, whatever the
        settings ask for.
    """
    known = {symbol: moment for symbol, moment in listed_at_ms.items() if moment is not None}
    first = pl.col("symbol").replace_strict(known, default=None, return_dtype=pl.Int64).cast(_STAMP)
    unlisted = pl.col("symbol").is_in([symbol for symbol in listed_at_ms if symbol not in known])
    listed = rows.with_columns(pl.coalesce("listed_at", first).alias("listed_at"))
    later = pl.col("followed") & (
        unlisted | (pl.col("listed_at").dt.epoch("ms") >= end_ms(day)).fill_null(False)
    )
    return listed.with_columns(
        (pl.col("followed") & ~later).alias("followed"),
        pl.when(later).then(pl.lit("not_trading")).otherwise("reason").alias("reason"),
    )


def _exclusion(item: Instrument | None, coins: Collection[str], settings: UniverseSettings) -> str | None:
    """What speaks against a pair whatever it trades; a status that is not known does not."""
    if item is None or item.status not in (TRADING, UNKNOWN):
        return "not_trading"
    return kind_of(item, coins, settings)


def _rows(symbols: list[str], choice: _Choice) -> pl.DataFrame:
    chosen = choice.chosen()
    rows = []
    for symbol in symbols:
        item = choice.instruments.get(symbol)
        reason = choice.reason(symbol, chosen)
        rows.append(
            (
                symbol,
                item.base if item else symbol.removesuffix(choice.settings.quote),
                item.quote if item else choice.settings.quote,
                reason in _FOLLOWED,
                reason,
                choice.volumes.get(symbol),
                choice.ranks.get(symbol),
                item.listed_at_ms if item else None,
                item.delisted_at_ms if item else None,
            )
        )
    raw = {name: pl.Int64 if dtype == _STAMP else dtype for name, dtype in SCHEMA.items()}
    return pl.DataFrame(rows, schema=raw, orient="row").cast(SCHEMA)  # type: ignore[arg-type]


def _volumes_of(volumes: pl.DataFrame, day: date, pairs: Collection[str]) -> dict[str, float]:
    """The known traded values of a day, by symbol."""
    rows = volumes.filter(pl.col("day") == day, pl.col("symbol").is_in(list(pairs)))
    if rows["symbol"].is_duplicated().any():
        twice = rows.filter(rows["symbol"].is_duplicated())["symbol"][0]
        raise BadData(f"daily volumes: {twice} has two rows on {day}; ask the source again")
    found = zip(rows["symbol"], rows["quote_volume"], strict=True)
    return {symbol: value for symbol, value in found if value is not None and not math.isnan(value)}


def _require_configured(
    day: date, instruments: Mapping[str, Instrument], settings: UniverseSettings, known: Collection[str]
) -> None:
    for symbol in (*settings.symbols, settings.reference):
        item = instruments.get(symbol)
        if item is None and symbol not in known:
            near = difflib.get_close_matches(symbol, sorted({*known, *instruments}), n=1, cutoff=0.0)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise FixConfiguration(f"universe: the venue has no symbol {symbol!r}{hint}")
        if item is not None and item.quote != settings.quote:
            raise FixConfiguration(
                f"universe: {symbol} is quoted in {item.quote}, not in {settings.quote}; "
                "correct universe.symbols, universe.reference or universe.quote"
            )
    if settings.reference not in instruments:
        raise FixConfiguration(
            f"universe: the reference {settings.reference} is not listed on {day}; "
            "choose a later day, or another universe.reference"
        )
