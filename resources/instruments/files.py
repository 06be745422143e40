"""The dated facts in config/: corrections of instruments, and a venue's announced closures."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from resources.config_file import read_config
from resources.settings import PROJECT_ROOT, home, modified_ns
from trading.instruments.calendar import Maintenance
from trading.instruments.corrections import REQUIRED, Correction
from trading.model.instrument import Instrument, MarginBracket
from trading.model.series import Market

CORRECTIONS = "instruments.yaml"
CALENDAR = "venue_calendar.yaml"

#: The venue that a source of market data speaks for; other sources are their own venue.
_VENUE_OF_SOURCE = {"archive": "binance"}
_CORRECTABLE = tuple(field.name for field in fields(Instrument))
_MOMENTS = {"listed_at_ms": "listed_at", "delisted_at_ms": "delisted_at"}

File = TypeVar("File", bound="_Part")


def _utc(value: Any) -> Any:
    """A date is its midnight, a time without an offset is UTC; text is left to pydantic."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.combine(value, time(), UTC) if isinstance(value, date) else value


Moment = Annotated[datetime, BeforeValidator(_utc)]
Venue = Literal["binance", "sandbox", "files"]
_Positive = Annotated[Decimal, Field(gt=0)]
_Amount = Annotated[Decimal, Field(ge=0)]
_Fee = Annotated[Decimal, Field(ge=-100, le=1_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BracketLine(_Part):
    """One step of a margin schedule."""

    floor_notional: _Amount
    cap_notional: _Positive
    max_leverage: int = Field(ge=1)
    maintenance_fraction: Decimal = Field(gt=0, lt=1)
    maintenance_amount: _Amount


class CorrectionLine(_Part):
    """One entry of ``corrections``: whom it is about, when it holds, what is right, and why."""

    market: Market
    symbol: str = Field(min_length=1)
    why: str = Field(min_length=1)
    venue: Venue = "binance"
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None
    base: str | None = None
    quote: str | None = None
    underlying: str | None = None
    multiplier: int | None = Field(default=None, ge=1)
    tick_size: _Positive | None = None
    lot_step: _Positive | None = None
    min_quantity: _Amount | None = None
    max_quantity: _Amount | None = None
    min_notional: _Amount | None = None
    maker_fee_bps: _Fee | None = None
    taker_fee_bps: _Fee | None = None
    listed_at: Moment | None = None
    delisted_at: Moment | None = None
    funding_interval_hours: int | None = Field(default=None, ge=1)
    brackets: tuple[BracketLine, ...] | None = None
    status: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> CorrectionLine:
        if self.from_ and self.to and self.to <= self.from_:
            raise ValueError("'to' is not after 'from'; correct one of them")
        if self.listed_at and self.delisted_at and self.delisted_at <= self.listed_at:
            raise ValueError("'delisted_at' is not after 'listed_at'; correct one of them")
        if self.market is Market.SPOT and (self.brackets or self.funding_interval_hours):
            raise ValueError("brackets and funding_interval_hours belong to market usdm")
        changed = {name for name, _ in self.changes()}
        if not changed:
            raise ValueError("it corrects nothing; state at least one fact such as tick_size")
        missing = [name for name in REQUIRED if name not in changed]
        if {"base", "quote"} <= changed and missing:
            raise ValueError(
                "base and quote describe an instrument that the venue no longer lists; "
                f"state {', '.join(missing)} too"
            )
        return self

    def changes(self) -> tuple[tuple[str, Any], ...]:
        """The facts that it states, as fields of `Instrument`."""
        found: list[tuple[str, Any]] = []
        for name in _CORRECTABLE:
            value = getattr(self, _MOMENTS.get(name, name), None)
            if value is None or name in ("symbol", "market"):
                continue
            if name in _MOMENTS:
                value = _ms(value)
            elif name == "brackets":
                value = tuple(MarginBracket(**item.model_dump()) for item in value)
            found.append((name, value))
        return tuple(found)


class CorrectionsFile(_Part):
    """config/instruments.yaml."""

    corrections: tuple[CorrectionLine, ...] = ()


class MaintenanceLine(_Part):
    """One entry of ``maintenance``."""

    venue: Venue = "binance"
    from_: Moment = Field(alias="from")
    to: Moment
    why: str = Field(min_length=1)
    evidence: str = Field(min_length=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> MaintenanceLine:
        if self.to <= self.from_:
            raise ValueError("'to' is not after 'from'; correct one of them")
        return self


class CalendarFile(_Part):
    """config/venue_calendar.yaml."""

    maintenance: tuple[MaintenanceLine, ...] = ()


def venue_of(source: str) -> str:
    """The venue whose facts a source of market data has: the archive's are Binance's."""
    return _VENUE_OF_SOURCE.get(source, source)


def load_corrections(source: str, path: Path | None = None) -> tuple[Correction, ...]:
    """The corrections that concern a source, in the order of the file.

    Parameters
    ----------
    source
        Name of the source of market data: Binance's facts must not reach a simulated market.
    path
        The file; by default config/instruments.yaml of the home folder, or else the shipped one.

    Raises
    ------
    FixConfiguration
        Naming the file, the line, the value and the fix.
    """
    lines = _read(path or _config(CORRECTIONS), CorrectionsFile).corrections
    return tuple(
        Correction(line.market, line.symbol, line.changes(), line.why, _ms(line.from_), _ms(line.to))
        for line in lines
        if line.venue == venue_of(source)
    )


def load_calendar(source: str, path: Path | None = None) -> tuple[Maintenance, ...]:
    """The announced closures of a source's venue; parameters and errors as `load_corrections`."""
    lines = _read(path or _config(CALENDAR), CalendarFile).maintenance
    return tuple(
        Maintenance(
            line.venue, _milliseconds(line.from_), _milliseconds(line.to), f"{line.why} ({line.evidence})"
        )
        for line in lines
        if line.venue == venue_of(source)
    )


def _config(name: str) -> Path:
    own = home() / "config" / name
    return own if own.exists() else PROJECT_ROOT / "config" / name


def _read(path: Path, kind: type[File]) -> File:
    parsed: File = _parsed(path, kind, modified_ns(path))
    return parsed


# A live process asks at every bar; the file is parsed again only when it has changed.
@lru_cache(maxsize=8)
def _parsed(path: Path, kind: type[File], modified: int) -> File:
    return read_config(path, kind)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else _milliseconds(moment)
