"""The adapters that a process works with, built from the settings when first needed."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import dagster as dg
import polars as pl

from resources.clock import SourceClock
from resources.collect import instruments_of
from resources.desks import load_desks
from resources.market_data.factory import create as create_market_data
from resources.models.registry import ModelRegistry
from resources.notifiers.log import LogNotifier
from resources.notifiers.slack import SlackNotifier
from resources.settings import (
    Settings,
    config_path,
    configuration_hash_parts,
    home,
    load_settings,
    modified_ns,
)
from resources.venues.paper.resource import PaperVenue
from trading.bars.gaps import find_gaps
from trading.bars.quality import CheckOutcome, check_klines, check_staleness
from trading.desks.desk import Desk
from trading.model.canonical import digest
from trading.model.days import end_ms
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.snapshot import Snapshot
from trading.ports import Clock, MarketData, Notifier
from warehouse.datasets.market import INSTRUMENTS, KLINES
from warehouse.lake.lake import Lake, open_lake
from warehouse.ledger.backend import Ledger, open_ledger

#: Environment variable that holds the Slack token.
_SLACK_TOKEN = "TIDEMILL_SLACK_TOKEN"  # noqa: S105 - the name, not the token


#: Days whose check outcomes a process keeps.
_JUDGED_DAYS = 400


class Platform:
    """One process's view of the world: lake, ledger, market data, clock, models and channels.

    Everything is built lazily, so that a command pays only for what it uses.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: The newest tick's snapshot by tick id, as stored in the ledger.
        self.snapshots: dict[str, Snapshot] = {}
        self._seen_ms = 0
        self._judged: OrderedDict[date, tuple[tuple[object, ...], list[CheckOutcome]]] = OrderedDict()

    @cached_property
    def lake(self) -> Lake:
        """The Parquet lake."""
        lake = self.settings.lake
        return open_lake(self.settings.lake_uri, endpoint_url=lake.endpoint_url, region=lake.region)

    @cached_property
    def ledger(self) -> Ledger:
        """The transactional ledger, migrated to this code's version and funded when new."""
        ledger = open_ledger(
            self.settings.ledger_url.get_secret_value(),
            lock_timeout_seconds=self.settings.ledger.lock_timeout_seconds,
        )
        ledger.migrate()
        return ledger

    @cached_property
    def market(self) -> MarketData:
        """The configured source of market data."""
        return create_market_data(self.settings.market_data)

    @cached_property
    def clock(self) -> Clock:
        """The market's own time, so that a replayed market lives in its own present."""
        return SourceClock(self.market)

    @cached_property
    def models(self) -> ModelRegistry:
        """The model registry."""
        folder = self.settings.path("var/models")
        return ModelRegistry(f"sqlite:///{self.settings.path('var/mlflow.db')}", folder)

    @cached_property
    def desks(self) -> tuple[Desk, ...]:
        """The configured desks, in the order in which they may use the risk budget."""
        return tuple(load_desks(self.settings.desks, home()))

    @cached_property
    def notifiers(self) -> Sequence[Notifier]:
        """Alert channels: the log always, Slack where it is switched on."""
        slack = self.settings.alerts.slack
        channels: list[Notifier] = [LogNotifier()]
        if slack.enabled:
            channels.append(
                SlackNotifier.from_environment(_SLACK_TOKEN, slack.channel, base_url=slack.base_url)
            )
        return channels

    @cached_property
    def configuration_hash(self) -> str:
        """Hash of the settings that shape decisions."""
        return digest(configuration_hash_parts(self.settings))

    def closed_before_ms(self, day: date) -> int:
        """End of what is closed on a day: its midnight, or the newest stored minute while it is open."""
        end = end_ms(day)
        if end > self._seen_ms:  # a day that has once closed stays closed: no need to ask again
            self._seen_ms = max(self._seen_ms, self.clock.now_ms())
        if end <= self._seen_ms:
            return end
        newest = self.lake.read(KLINES, day, columns=["open_time"])["open_time"].dt.timestamp("ms").max()
        return end - DAY_MS if newest is None else int(newest) + MINUTE_MS

    def judge_klines(self, day: date) -> list[CheckOutcome]:
        """Every check of one day's klines against its universe.

        What a partition holds is judged once; how old the open day's newest kline is, every time.
        """
        closed_ms = self.closed_before_ms(day)
        klines = self.lake.read(KLINES, day)
        outcomes = self._judge(day, klines, closed_ms)
        if closed_ms == end_ms(day):
            return outcomes
        stale = check_staleness(klines, self.clock.now_ms(), self.settings.quality)
        return [stale if outcome.name == stale.name else outcome for outcome in outcomes]

    def _judge(self, day: date, klines: pl.DataFrame, closed_ms: int) -> list[CheckOutcome]:
        stored = [self.lake.info(dataset, day) for dataset in (KLINES, INSTRUMENTS)]
        key = (closed_ms, *(info.sha256 for info in stored if info))
        known, outcomes = self._judged.get(day, (None, []))
        if known != key:
            instruments = self.lake.read(INSTRUMENTS, day)
            gaps = find_gaps(klines, instruments, day, closed_ms)
            quality = self.settings.quality
            outcomes = check_klines(klines, gaps, instruments, day, closed_ms, quality)
            self._judged[day] = (key, outcomes)
            if len(self._judged) > _JUDGED_DAYS:
                self._judged.popitem(last=False)
        return outcomes

    def instruments(self) -> dict[str, Instrument]:
        """The newest universe in the lake, with the filters that the paper venue enforces."""
        days = self.lake.days(INSTRUMENTS)
        return instruments_of(self.lake.read(INSTRUMENTS, days[-1])) if days else {}

    def paper_venue(self) -> PaperVenue:
        """The paper venue: it fills from the source's own minute klines, as a real venue would."""
        return PaperVenue(
            self.ledger,
            bars=self._minutes_from,
            costs=self.settings.paper.costs,
            instruments=self.instruments(),
            clock=self.clock,
        )

    def _minutes_from(self, symbol: str, start_ms: int) -> pl.DataFrame:
        return self.market.klines([symbol], start_ms, self.clock.now_ms())


@lru_cache(maxsize=4)
def _platform(path: Path, modified: int, source: str | None) -> Platform:
    return Platform(load_settings(path))


def open_platform(path: Path | None = None) -> Platform:
    """The process's platform for a configuration file; the same while the file is unchanged."""
    path = path or config_path()
    return _platform(path, modified_ns(path), os.environ.get("TIDEMILL_SOURCE"))


class PlatformResource(dg.ConfigurableResource):
    """Gives assets and ops the adapters of the configuration file (secrets never pass through here)."""

    configuration_file: str = ""

    def get(self) -> Platform:
        """The process's platform."""
        path = Path(self.configuration_file) if self.configuration_file else None
        return open_platform(path)
