"""The adapters that a process works with, built from the settings when first needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from resources.certification import JudgementRules, KlineJudge
from resources.clock import SourceClock
from resources.desks import load_desks
from resources.futures_certification import FuturesJudge
from resources.futures_ingest import FuturesIngest
from resources.ingest import KlineIngest
from resources.instruments.files import load_calendar, load_corrections
from resources.instruments.terms import complete
from resources.market_data.factory import create as create_market_data
from resources.market_data.factory import create_repair_sources, create_second
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
from resources.venues.binance.settings import require_same_market
from resources.venues.paper.futures import PaperFuturesVenue
from resources.venues.paper.resource import PaperVenue
from trading.bars.quality import CheckOutcome
from trading.desks.desk import Desk
from trading.errors import FixConfiguration
from trading.instruments.calendar import Maintenance
from trading.instruments.contracts import Contract, contracts_of
from trading.instruments.corrections import Correction
from trading.instruments.rows import instruments_of
from trading.model.canonical import digest
from trading.model.days import end_ms, start_ms
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.order import Order
from trading.model.series import Market, Series
from trading.model.snapshot import Snapshot
from trading.ports import Account, Clock, MarketData, Notifier, Venue
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import KLINES
from warehouse.flags import kill_flag
from warehouse.flags.files import control_folder
from warehouse.flags.kill_flag import KillFlag
from warehouse.lake.lake import Lake, open_lake
from warehouse.ledger import orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

if TYPE_CHECKING:
    from resources.execution.cover import Seen
    from resources.market_data.coinbase.source import CoinbaseMarketData
    from resources.venues.binance.opening import BinanceConnection

#: Seconds between two progress lines of a download.
_PROGRESS_SECONDS = 5.0
#: Environment variable that holds the Slack token.
_SLACK_TOKEN = "TIDEMILL_SLACK_TOKEN"  # noqa: S105 - the name, not the token


class Platform:
    """One process's view of the world: lake, ledger, market data, clock, models and channels.

    Everything is built lazily, so that a command pays only for what it uses.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: The newest tick's snapshot by tick id, as stored in the ledger.
        self.snapshots: dict[str, Snapshot] = {}
        #: What the last look at the protection of all holdings found.
        self.protection: Seen | None = None
        self._seen_ms = 0
        self._paper_looks: dict[str, int] = {}

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

    @property
    def control_folder(self) -> Path:
        """Where the kill chain's files lie."""
        return control_folder(home())

    @property
    def kill_flag(self) -> KillFlag:
        """The kill flag's file as it stands; the ledger has a control of its own."""
        return kill_flag.read(self.control_folder)

    @cached_property
    def market(self) -> MarketData:
        """The configured source of market data."""
        return create_market_data(self.settings.located_market_data)

    @cached_property
    def clock(self) -> Clock:
        """The market's own time, so that a replayed market lives in its own present."""
        return SourceClock(self.market)

    @cached_property
    def maintenance(self) -> Sequence[Maintenance]:
        """Announced closures of the venue."""
        return load_calendar(self.settings.market_data.source)

    @cached_property
    def corrections(self) -> Sequence[Correction]:
        """Dated facts about instruments that the venue does not state, or states wrongly."""
        return load_corrections(self.settings.market_data.source)

    def listed_instruments(self) -> list[Instrument]:
        """Every instrument of the source's markets with the account's terms, as of now."""
        source = self.settings.market_data
        markets = (Market.SPOT, Market.USDM) if source.futures else (Market.SPOT,)
        found = [item for market in markets for item in self.market.instruments(market)]
        return complete(
            found,
            self.settings.instruments,
            source=source.source,
            futures_base_url=source.binance.futures_base_url,
        )

    @cached_property
    def futures(self) -> FuturesIngest:
        """Fetches the series of perpetuals, from the source and for what it lacks from the others.

        Raises
        ------
        FixConfiguration
            If futures are switched off: an empty answer would look like a market without contracts.
        """
        if not self.settings.market_data.futures:
            raise FixConfiguration("market_data.futures is false; set it to true to follow perpetuals")
        ingest = self.ingest
        return FuturesIngest(self.lake, ingest.source, ingest.others, ingest.maintenance)

    @cached_property
    def futures_judge(self) -> FuturesJudge:
        """Certifies what the lake holds of a day's series of perpetuals."""
        return FuturesJudge(self.lake, self.settings.quality.symbol_gap_fraction, self.maintenance)

    @cached_property
    def ingest(self) -> KlineIngest:
        """Fetches klines, from the source and for what it lacks from the others."""
        others = create_repair_sources(self.settings.located_market_data, self.market)
        return KlineIngest(self.lake, self.market, others, self.maintenance)

    @cached_property
    def second_opinion(self) -> CoinbaseMarketData | None:
        """The other venue that is asked about the same minutes; None when none is configured."""
        return create_second(self.settings.market_data)

    @cached_property
    def judge(self) -> KlineJudge:
        """Judges and certifies what the lake holds of a day's klines."""
        second = self.settings.market_data.second_source
        return KlineJudge(
            self.lake,
            JudgementRules(
                self.settings.quality,
                self.settings.certificates,
                self.maintenance,
                None if second == "none" else second,
            ),
        )

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
        """Every check of one day's klines."""
        return self.judge.outcomes(day, self.closed_before_ms(day), self.clock.now_ms())

    def universe(self, day: date) -> pl.DataFrame:
        """The symbols that are followed on a day: rows of the ``universe`` dataset."""
        return self.judge.universe(day)

    def prefetch_klines(self, days: Sequence[date], say: Callable[[str], None]) -> None:
        """Let the source bring the files of a range of closed days at once, and say how far it is."""
        if len(days) < 2:
            return
        symbols = sorted({symbol for day in days for symbol in self.universe(day)["symbol"]})

        told = time.monotonic()

        def report(text: str, done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                say(f"{done} of {total} files, newest {text}")

        self.market.prefetch(symbols, start_ms(days[0]), end_ms(days[-1]), report=report)

    def held(self) -> list[str]:
        """Spot pairs in which, or in whose contracts, the ledger holds a position now."""
        with self.ledger.read() as tx:
            found = {position.symbol for position in portfolio.positions(tx)}
        contracts = {}
        if found and self.settings.venue.trades is not Market.SPOT:
            contracts = self._contracts({}, found)
        return sorted({contracts[name].pair if name in contracts else name for name in found})

    def instruments(self) -> dict[str, Instrument]:
        """The newest universe in the lake as of now, on the market that orders go to."""
        days = self.lake.days(UNIVERSE)
        if not days:
            return {}
        followed = self.universe(days[-1])
        if self.settings.venue.trades is Market.SPOT:
            rows, symbols = self.lake.read(INSTRUMENTS, days[-1]), followed["symbol"].to_list()
            return instruments_of(rows, self.clock.now_ms(), symbols=symbols)
        pairs = dict(followed.select("symbol", "base").iter_rows())
        with self.ledger.read() as tx:
            held = {position.symbol for position in portfolio.positions(tx)}
        return {symbol: found.instrument for symbol, found in self._contracts(pairs, held).items()}

    def _contracts(self, pairs: Mapping[str, str], held: Collection[str]) -> dict[str, Contract]:
        """The newest contracts in the lake as of now, of spot pairs and of positions."""
        days = self.lake.days(INSTRUMENTS)
        if not days:
            return {}
        rows, quote = self.lake.read(INSTRUMENTS, days[-1]), self.settings.universe.quote
        return contracts_of(rows, self.clock.now_ms(), pairs, quote, held=held)

    def paper_venue(self) -> PaperVenue:
        """The paper venue: it fills from the source's own minute klines, as a real venue would."""
        spot = self.settings.venue.trades is Market.SPOT
        return (PaperVenue if spot else PaperFuturesVenue)(
            self.ledger,
            bars=self._minutes_from,
            costs=self.settings.paper.costs,
            instruments=self.instruments(),
            clock=self.clock,
            currency=self.settings.universe.quote,
            looks=self._paper_looks,
        )

    def venue(self) -> Venue:
        """Where orders go: the paper venue, or the account that the settings name."""
        return self.paper_venue() if self.settings.venue.kind == "paper" else self.binance.venue

    def account(self) -> Account:
        """The account that orders go to, as its venue shows it."""
        return self.paper_venue() if self.settings.venue.kind == "paper" else self.binance.account

    @cached_property
    def binance(self) -> BinanceConnection:
        """The account at Binance, with its key from the environment."""
        # Signing and streams are not loaded by whoever trades on paper.
        from resources.venues.binance.opening import open_binance

        require_same_market(self.settings.venue, self.settings.market_data.source)
        return open_binance(self.settings.located_venue, self._order)

    def _order(self, client_order_id: str) -> Order | None:
        with self.ledger.read() as tx:
            return orders.by_id(tx, client_order_id)

    def _minutes_from(self, symbol: str, start_ms: int) -> pl.DataFrame:
        series = Series.SPOT if self.settings.venue.trades is Market.SPOT else Series.USDM
        return self.market.klines([symbol], start_ms, self.clock.now_ms(), series)


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
