"""Ticks: one snapshot each, for ever, and the one commit that turns decisions into intents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl

from resources.execution.contracts import ContractMarket, read_contracts
from resources.execution.market_view import (
    LakeReader,
    read_btc_condition,
    read_instruments,
    read_symbols,
)
from resources.execution.signals import traded_strategies
from resources.factory.lifecycle import trading_strategies
from resources.platform import Platform
from trading.costs.spread import spread_by_symbol
from trading.errors import BadData, HaltTrading
from trading.model.canonical import digest
from trading.model.days import day_at, start_ms
from trading.model.decision import Decision, Verdict
from trading.model.interval import Interval
from trading.model.order import Order
from trading.model.series import Market
from trading.model.snapshot import Controls, Portfolio, Position, Snapshot
from trading.model.snapshot_codec import from_json, seal, to_json
from warehouse.datasets.market import KLINES
from warehouse.flags.kill_flag import merged
from warehouse.lake import snapshots as snapshot_files
from warehouse.ledger import controls, decisions, orders, portfolio, snapshots
from warehouse.ledger.backend import Transaction
from warehouse.ledger.snapshots import SnapshotRecord
from warehouse.ledger.strategies import Status

#: Deposit of a new paper account.
_INITIAL_DEPOSIT = "initial-deposit"
#: Span of one-minute klines that spreads are estimated from.
_SPREAD_MS = 6 * 3_600_000


# Stands in until the ledger is read in the transaction that stores the snapshot.
_UNREAD = Portfolio(cash=Decimal(0), positions=(), equity=Decimal(0), equity_day_start=None)


def tick_id_of(platform: Platform, bar_close_ms: int) -> str:
    """Id of the tick at a bar close under the present configuration."""
    return digest("tick", bar_close_ms, platform.configuration_hash)[:32]


def require_tradable(platform: Platform, bar_close_ms: int, now_ms: int) -> None:
    """Refuse a tick that is not the present: history never trades.

    Raises
    ------
    BadData
        If the bar has not closed, closed too long ago, or a later tick has been decided.
    """
    if bar_close_ms % Interval.M15.milliseconds:
        raise BadData(
            f"bar_close_ms {bar_close_ms} is not the close of a 15-minute bar; use a multiple of 900000"
        )
    if bar_close_ms > now_ms:
        raise BadData(f"bar_close_ms {bar_close_ms} has not come: the market's clock says {now_ms}")
    oldest = now_ms - platform.settings.risk.max_decision_age_minutes * 60_000
    if bar_close_ms < oldest:
        raise BadData(
            f"bar_close_ms {bar_close_ms} closed more than risk.max_decision_age_minutes "
            f"({platform.settings.risk.max_decision_age_minutes}) ago: history is never traded"
        )
    with platform.ledger.read() as tx:
        newest = snapshots.newest_bar_close_ms(tx)
    if newest is not None and bar_close_ms < newest:
        raise BadData(
            f"bar_close_ms {bar_close_ms} is before the newest tick {newest}: history is never traded"
        )


def require_quality(platform: Platform, bar_close_ms: int) -> None:
    """Judge the day's klines anew: a blocking check stops only its own run, and this run trades.

    Raises
    ------
    HaltTrading
        Naming the first failed check.
    """
    day = day_at(bar_close_ms - 1)
    failed = [
        outcome
        for outcome in platform.judge_klines(day)
        if not outcome.passed and outcome.severity == "block"
    ]
    if failed:
        raise HaltTrading(
            f"klines of {day} fail {failed[0].name}: {failed[0].description}; nothing is traded on them"
        )


def take_snapshot(platform: Platform, bar_close_ms: int, now_ms: int) -> Snapshot:
    """The tick's snapshot: the stored one when the tick has run before, else a new one, stored.

    Raises
    ------
    HaltTrading
        If the stored snapshot was never acted on and has grown too old to act on now.
    """
    tick_id = tick_id_of(platform, bar_close_ms)
    with platform.ledger.transaction() as tx:
        _fund(platform, tx, now_ms)
        stored = snapshots.load(tx, tick_id)
        committed = bool(decisions.for_tick(tx, tick_id))
        held = portfolio.positions(tx)
        trading = trading_strategies(tx, live_only=platform.settings.venue.kind != "paper")
    if stored is not None:
        known = snapshot_files.read(platform.lake.store, stored)
        return _resumed(platform, known, now_ms, committed=committed)
    drafted = _draft(platform, tick_id, bar_close_ms, now_ms, held, trading)
    with platform.ledger.transaction() as tx:
        prices = {symbol: view.close for symbol, view in drafted.symbols.items()}
        account = portfolio.load(tx, prices, start_ms(day_at(bar_close_ms)))
        complete = replace(
            drafted, portfolio=account, controls=merged(platform.kill_flag, controls.current(tx))
        )
        named = seal(complete)
        content = to_json(named)
        # The content first: a row in the ledger always has its file.
        snapshot_files.write(platform.lake.store, named.snapshot_id, bar_close_ms, content)
        record = SnapshotRecord(tick_id, named.snapshot_id, bar_close_ms, now_ms)
        kept = snapshots.save(tx, record)
    return from_json(content) if kept == record else snapshot_files.read(platform.lake.store, kept)


def load_snapshot(platform: Platform, tick_id: str) -> Snapshot:
    """The stored snapshot of a tick; `BadData` when there is none. It never changes, so it is read once."""
    if tick_id in platform.snapshots:
        return platform.snapshots[tick_id]
    with platform.ledger.read() as tx:
        stored = snapshots.load(tx, tick_id)
    if stored is None:
        raise BadData(f"tick {tick_id} has no snapshot: run the decision job from its start")
    platform.snapshots = {tick_id: snapshot_files.read(platform.lake.store, stored)}
    return platform.snapshots[tick_id]


def commit(
    platform: Platform,
    decided: Sequence[Decision],
    verdicts: Sequence[Verdict],
    planned: Sequence[Order],
    at_ms: int,
) -> None:
    """Commit decisions, verdicts and intents of a tick in one transaction; a second time changes nothing."""
    with platform.ledger.transaction() as tx:
        orders.commit_intents(tx, decided, verdicts, planned, at_ms)


def _resumed(platform: Platform, snapshot: Snapshot, now_ms: int, *, committed: bool) -> Snapshot:
    age_minutes = (now_ms - snapshot.taken_at_ms) / 60_000
    if not committed and age_minutes > platform.settings.risk.max_decision_age_minutes:
        raise HaltTrading(
            f"tick {snapshot.tick_id} was prepared {age_minutes:.0f} minutes ago and never committed: "
            "too old to act on; the next tick starts afresh"
        )
    return snapshot


def _fund(platform: Platform, tx: Transaction, now_ms: int) -> None:
    """Pay the paper account's first deposit into a new ledger, and never again.

    What a real account holds is found by reconciling it.
    """
    if platform.settings.venue.kind != "paper" or snapshots.newest_bar_close_ms(tx) is not None:
        return
    paper = platform.settings.paper
    portfolio.deposit(tx, _INITIAL_DEPOSIT, paper.initial_cash, platform.settings.universe.quote, now_ms)


def _spreads(platform: Platform, day: date, bar_close_ms: int) -> dict[str, float]:
    # Shortly after midnight the span lies in the day before.
    minutes = platform.lake.window(KLINES, day_at(bar_close_ms - _SPREAD_MS), day)
    opened = pl.col("open_time").dt.timestamp("ms")
    recent = minutes.filter(opened >= bar_close_ms - _SPREAD_MS, opened < bar_close_ms)
    return {symbol: spread for symbol, spread in spread_by_symbol(recent).iter_rows() if spread is not None}


def _draft(
    platform: Platform,
    tick_id: str,
    bar_close_ms: int,
    now_ms: int,
    held: Sequence[Position],
    trading: Sequence[tuple[Status, float]],
) -> Snapshot:
    venue = platform.settings.venue
    reader = LakeReader(platform.lake, bar_close_ms)
    symbols = read_symbols(reader, _spreads(platform, reader.day, bar_close_ms))
    contracts = None if venue.trades is Market.SPOT else _contracts(platform, reader, held)
    return Snapshot(
        snapshot_id="",
        tick_id=tick_id,
        bar_close_ms=bar_close_ms,
        taken_at_ms=now_ms,
        btc_condition=read_btc_condition(reader),
        symbols=symbols if contracts is None else contracts.views(symbols, _SPREAD_MS),
        strategies=traded_strategies(reader, trading, held, contracts),
        instruments=read_instruments(reader) if contracts is None else contracts.instruments,
        portfolio=_UNREAD,
        controls=Controls(halted=True, reason="not read yet"),
        configuration_hash=platform.configuration_hash,
        sources=dict(sorted(reader.sources.items())),
        market=venue.trades,
        leverage=venue.leverage,
    )


def _contracts(platform: Platform, reader: LakeReader, held: Sequence[Position]) -> ContractMarket:
    return read_contracts(
        reader,
        platform.market,
        platform.settings.universe.quote,
        {position.symbol for position in held},
        futures=platform.settings.market_data.futures,
    )
