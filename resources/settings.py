"""Every setting of Tidemill, validated once at start. Secrets come from the environment only."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from resources.config_file import read_config
from resources.market_data.settings import MarketDataSettings
from resources.venues.binance.settings import VenueSettings
from trading.alerts.dedupe import AlertSettings
from trading.bars.certificate import CertificateSettings
from trading.bars.quality import QualitySettings
from trading.confidence.settings import ConfidenceSettings
from trading.costs.model import CostModel
from trading.desks.catalogue import DeskSpec
from trading.errors import FixConfiguration
from trading.factory.settings import FactorySettings
from trading.guard.settings import GuardSettings
from trading.instruments.settings import InstrumentSettings, UniverseSettings
from trading.model.interval import Interval
from trading.model.snapshot_codec import left_out
from trading.risk.limits import RiskLimits
from trading.screening.fork import ForkScoreSettings
from trading.screening.kicks import KickSettings

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values never change after loading.

    What a key means stands below it; `resources.settings_docs` reads that from the source, because
    reading it on every import of the graph would take longer than all other settings together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class LakeSettings(Section):
    """Where the Parquet partitions live."""

    uri: str = "var/lake"
    """A folder, or s3://bucket/prefix with credentials from the usual AWS chain."""
    endpoint_url: str | None = None
    """S3 endpoint of another vendor; None for AWS."""
    region: str | None = None
    """S3 region; None takes the chain's."""


class LedgerSettings(Section):
    """Where decisions, orders and audit records live."""

    url: str = "duckdb:///var/ledger.duckdb"
    """duckdb:///path, or postgresql://user@host/database. TIDEMILL_LEDGER_URL overrides it, so that a
    password never stands in a file."""
    lock_timeout_seconds: float = Field(default=30.0, gt=0)
    """How long to wait for another process to let go of the DuckDB file."""


class PaperSettings(Section):
    """The paper account."""

    initial_cash: Decimal = Field(default=Decimal(10_000), gt=0)
    """Deposit, in the quote asset, when the ledger is new."""
    costs: CostModel = CostModel()
    """Fees, spread and slippage charged on every paper fill and in every back-test."""


class LiveSettings(Section):
    """The warm process that trades every bar."""

    interval: Interval = Interval.M15
    """Bar whose close wakes the loop: 15m, or longer where the genome desk is not at work."""
    settle_seconds: float = Field(default=2.0, ge=0)
    """How long after the close to ask the source for the bar."""


class SlackSettings(Section):
    """Slack as an alert channel."""

    enabled: bool = False
    """Send alerts to Slack; the token is read from TIDEMILL_SLACK_TOKEN."""
    channel: str = "#tidemill"
    """Channel name or id."""
    base_url: str = "https://slack.com/api/"
    """Slack's Web API."""


class Alerting(Section):
    """Which alerts go where, and how often."""

    rules: AlertSettings = AlertSettings()
    """Deduplication window and rate limit."""
    slack: SlackSettings = SlackSettings()
    """Slack channel; the log channel is always on."""


class Settings(Section):
    """config/tidemill.yaml."""

    market_data: MarketDataSettings = MarketDataSettings()
    """Source of klines and its options."""
    history_days: int = Field(default=45, ge=1, le=3650)
    """Closed days that the first daily run fetches, so that models and strategies can learn."""
    universe: UniverseSettings = UniverseSettings()
    """Which pairs are followed."""
    instruments: InstrumentSettings = InstrumentSettings()
    """Terms that the source does not state."""
    lake: LakeSettings = LakeSettings()
    """Parquet storage."""
    ledger: LedgerSettings = LedgerSettings()
    """Transactional storage."""
    quality: QualitySettings = QualitySettings()
    """Limits of the blocking data checks."""
    certificates: CertificateSettings = CertificateSettings()
    """When a symbol's day is refused."""
    fork_score: ForkScoreSettings = ForkScoreSettings()
    """Weights and pass mark of the fork score."""
    kicks: KickSettings = KickSettings()
    """Weights of rating labels on the fork score."""
    confidence: ConfidenceSettings = ConfidenceSettings()
    """Labels, training and expiry of the confidence model."""
    factory: FactorySettings = FactorySettings()
    """Generation and selection of strategies."""
    desks: tuple[DeskSpec, ...] = (DeskSpec("fork"), DeskSpec("genome"))
    """Desks, in the order in which they may use the risk budget."""
    risk: RiskLimits = RiskLimits()
    """Limits of the one risk gate."""
    paper: PaperSettings = PaperSettings()
    """Paper account and costs."""
    venue: VenueSettings = VenueSettings()
    """Where orders go: paper unless it is said otherwise, twice."""
    live: LiveSettings = LiveSettings()
    """The live loop."""
    guard: GuardSettings = GuardSettings()
    """The guard: what it watches, and what it does on a halt."""
    alerts: Alerting = Alerting()
    """Alert channels."""

    def path(self, value: str | Path) -> Path:
        """Resolve a path of the configuration against the folder that holds config/."""
        path = Path(value)
        return path if path.is_absolute() else home() / path

    @property
    def ledger_url(self) -> SecretStr:
        """URL of the ledger, from TIDEMILL_LEDGER_URL or the file, with an absolute path."""
        url = os.environ.get("TIDEMILL_LEDGER_URL") or self.ledger.url
        scheme, _, rest = url.partition(":///")
        if scheme == "duckdb":
            return SecretStr(f"duckdb:///{self.path(rest)}")
        return SecretStr(url)

    @property
    def located_market_data(self) -> MarketDataSettings:
        """The market data settings with their files and folders under the home folder."""
        given = self.market_data
        kept = given.archive.cache_folder
        weights = self.path(given.binance.weight_file or "var/binance_weights.json")
        return replace(
            given,
            binance=replace(given.binance, weight_file=str(weights)),
            archive=replace(given.archive, cache_folder=str(self.path(kept)) if kept else ""),
        )

    @property
    def located_venue(self) -> VenueSettings:
        """The venue's settings with the file of request weights that market data counts in too."""
        given = self.venue.binance
        weights = self.path(given.weight_file or "var/binance_weights.json")
        return replace(self.venue, binance=replace(given, weight_file=str(weights)))

    @property
    def lake_uri(self) -> str:
        """URI of the lake: s3://… as it is, a folder as an absolute path."""
        return self.lake.uri if "://" in self.lake.uri else str(self.path(self.lake.uri))


def home() -> Path:
    """Folder that relative paths start from: TIDEMILL_HOME, or the project's root."""
    return Path(os.environ.get("TIDEMILL_HOME") or PROJECT_ROOT).resolve()


def config_path() -> Path:
    """Path of the configuration: TIDEMILL_CONFIG, or config/tidemill.yaml under the home folder."""
    given = os.environ.get("TIDEMILL_CONFIG")
    if given:
        return Path(given).resolve()
    own = home() / "config" / "tidemill.yaml"
    return own if own.exists() else PROJECT_ROOT / "config" / "tidemill.yaml"


@lru_cache(maxsize=8)
def _read(path: Path, modified_ns: int, source: str | None) -> Settings:
    settings = read_config(path, Settings)
    if source is None:
        return settings
    known = get_args(get_type_hints(MarketDataSettings)["source"])
    if source not in known:
        raise FixConfiguration(f"TIDEMILL_SOURCE {source!r} is no source; choose one of {', '.join(known)}")
    market_data = replace(settings.market_data, source=source)
    return settings.model_copy(update={"market_data": market_data})


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate the configuration; the same unchanged file is parsed once per process.

    TIDEMILL_SOURCE overrides ``market_data.source``.

    Raises
    ------
    FixConfiguration
        Naming the file, the line, the value and the fix.
    """
    path = path or config_path()
    return _read(path, modified_ns(path), os.environ.get("TIDEMILL_SOURCE"))


def modified_ns(path: Path) -> int:
    """When the file was last changed, in nanoseconds; 0 while there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def configuration_hash_parts(settings: Settings) -> dict[str, object]:
    """The settings that shape decisions (not where things are stored), for tick and decision ids."""
    content: dict[str, Any] = settings.model_dump(
        mode="json", include={"universe", "fork_score", "kicks", "confidence", "desks", "risk", "paper"}
    )
    for item in fields(settings.risk):
        if left_out(item, getattr(settings.risk, item.name)):
            del content["risk"][item.name]
    return content


def first_day() -> date:
    """Day of Binance's first spot kline: no partition is older."""
    return date(2017, 8, 17)
