"""Strategy genomes: families of rules on hourly bars, each with its exits, named by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from trading.errors import BadData
from trading.model.canonical import canonical_json, digest


@dataclass(frozen=True, slots=True)
class Gene:
    """The values a parameter may take: ``low``, ``low + step``, … up to ``high``.

    A grid, not a continuum: indicators are computed once per distinct value, and two genomes that
    differ in the sixth decimal are one trial, not two.
    """

    low: float
    high: float
    step: float

    @property
    def count(self) -> int:
        """How many values there are."""
        return round((self.high - self.low) / self.step) + 1

    def value(self, index: int) -> float | int:
        """The value at a grid index; whole grids give ints."""
        number = round(self.low + index * self.step, 6)
        return int(number) if float(self.step).is_integer() and float(self.low).is_integer() else number

    def index(self, value: float) -> int:
        """The grid index nearest to a value, inside the grid."""
        return min(max(round((value - self.low) / self.step), 0), self.count - 1)


def _gene(low: float, high: float, step: float) -> Any:
    return field(metadata={"gene": Gene(low, high, step)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Genome:
    """What every family has: when a position is closed whatever the rules say.

    Attributes
    ----------
    take_profit_fraction, stop_loss_fraction
        Distance of target and stop from the entry price.
    time_exit_hours
        Hours after which a position is closed at the next open.
    """

    family: ClassVar[str] = ""

    take_profit_fraction: float = _gene(0.01, 0.05, 0.005)
    stop_loss_fraction: float = _gene(0.005, 0.025, 0.0025)
    time_exit_hours: int = _gene(24, 72, 24)

    def __post_init__(self) -> None:
        for name, gene in genes(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise BadData(f"genome {self.family}: {name} is {value!r}; it must be a number")
            if gene.value(gene.index(value)) != value:
                raise BadData(
                    f"genome {self.family}: {name} is {value}; it must be one of "
                    f"{gene.low}, {gene.low + gene.step}, … {gene.high}"
                )

    @property
    def parameters(self) -> dict[str, float | int | str]:
        """Family and parameters, JSON-safe: what the ledger stores and a desk reads."""
        return {"family": self.family} | {name: getattr(self, name) for name in genes(type(self))}

    @property
    def json(self) -> str:
        """Canonical JSON of the parameters."""
        return canonical_json(self.parameters)

    @property
    def strategy_id(self) -> str:
        """Content hash (32 hex digits): equal genomes are one strategy, on any day."""
        return digest("strategy", self.parameters)[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RsiReversal(Genome):
    """Buy when RSI climbs back above ``oversold``; sell when it reaches ``overbought``."""

    family: ClassVar[str] = "rsi_reversal"

    rsi_length: int = _gene(7, 28, 1)
    oversold: int = _gene(15, 35, 1)
    overbought: int = _gene(65, 85, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaTrend(Genome):
    """Buy when the fast EMA crosses above the slow one in a trend (ADX); sell when it falls below."""

    family: ClassVar[str] = "ema_trend"

    fast_length: int = _gene(5, 25, 1)
    slow_length: int = _gene(30, 100, 5)
    adx_length: int = _gene(7, 21, 7)
    adx_minimum: int = _gene(10, 30, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MacdVolume(Genome):
    """Buy when the MACD histogram turns positive on high volume; sell when it turns negative."""

    family: ClassVar[str] = "macd_volume"

    fast_length: int = _gene(8, 16, 1)
    slow_length: int = _gene(20, 35, 1)
    signal_length: int = _gene(6, 12, 1)
    volume_ratio: float = _gene(1.2, 2.0, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BollingerBreakout(Genome):
    """Buy when close crosses above the upper band on high volume; sell when it is below the mean."""

    family: ClassVar[str] = "bollinger_breakout"

    band_length: int = _gene(15, 25, 1)
    band_width: float = _gene(1.5, 2.5, 0.1)
    volume_ratio: float = _gene(1.2, 2.0, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BollingerReversion(Genome):
    """Buy when close climbs back above the lower band; sell when it is at the mean."""

    family: ClassVar[str] = "bollinger_reversion"

    band_length: int = _gene(15, 25, 1)
    band_width: float = _gene(1.5, 2.5, 0.1)


FAMILIES: dict[str, type[Genome]] = {
    kind.family: kind for kind in (RsiReversal, EmaTrend, MacdVolume, BollingerBreakout, BollingerReversion)
}


def genes(kind: type[Genome]) -> dict[str, Gene]:
    """The parameters of a family and their grids, in order."""
    return {item.name: item.metadata["gene"] for item in fields(kind)}


def from_parameters(parameters: Mapping[str, Any]) -> Genome:
    """The genome with these parameters: the inverse of `Genome.parameters`.

    Raises
    ------
    BadData
        If the family is unknown, a parameter is missing, unknown, or off its grid.
    """
    values = dict(parameters)
    family = values.pop("family", None)
    kind = FAMILIES.get(family) if isinstance(family, str) else None
    if kind is None:
        raise BadData(f"genome: family is {family!r}; it must be one of {sorted(FAMILIES)}")
    if values.keys() != genes(kind).keys():
        wrong = sorted(values.keys() ^ genes(kind).keys())
        raise BadData(f"genome {family}: parameters missing or unknown: {wrong}")
    return kind(**values)
