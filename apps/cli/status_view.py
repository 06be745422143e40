"""Where things stand: the market's time, the lake, the ledger and the newest runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading.errors import TradingError
from trading.ledger.accounting import Equity, mark
from trading.model.interval import Interval
from trading.model.order import Order, OrderState
from trading.model.snapshot import Controls, Position
from warehouse.flags.kill_flag import merged
from warehouse.ledger import audit, controls, orders, portfolio

if TYPE_CHECKING:
    from resources.platform import Platform
    from trading.ledger.chain import Anchor
    from warehouse.lake.lake import Lake

_OPEN = tuple(state for state in OrderState if not state.terminal)


@dataclass(frozen=True, slots=True)
class Source:
    """The market-data source; ``now_ms`` is None and ``problem`` says why when it does not answer."""

    name: str
    now_ms: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The newest partition of a dataset; ``newest_ms`` is the last value of its time column."""

    dataset: str
    days: int
    newest_day: date
    rows: int
    newest_ms: int | None


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at its mark; ``price`` is None where the lake has none (valued at cost then)."""

    position: Position
    price: float | None
    value: Decimal
    unrealised_pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class Tick:
    """The newest tick that took a snapshot."""

    tick_id: str
    bar_close_ms: int
    taken_at_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """One Dagster run."""

    run_id: str
    job: str
    status: str
    started_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `tidemill status` shows."""

    source: Source
    datasets: tuple[Stored, ...]
    controls: Controls
    open_orders: tuple[Order, ...]
    holdings: tuple[Holding, ...]
    equity: Equity
    last_tick: Tick | None
    newest_decisions: tuple[dict[str, Any], ...]
    audit_head: Anchor | None
    ledger: str
    runs: tuple[Run, ...]


def collect(platform: Platform) -> Status:
    """Read the status; a source that does not answer is part of it, not an error."""
    prices = last_prices(platform.lake)
    with platform.ledger.read() as tx:
        held = portfolio.positions(tx)
        marked = mark(held, portfolio.cash(tx, platform.settings.universe.quote), prices)
        ticks = tx.query(
            "select tick_id, bar_close_ms, taken_at_ms from snapshots order by bar_close_ms desc limit 1"
        )
        newest = tx.query(
            "select decision_id, desk, action, symbol, outcome, reason_code from decisions"
            " order by bar_close_ms desc, case when outcome = 'fired' then 0 else 1 end, decision_id limit 5"
        )
        return Status(
            source=_source(platform),
            datasets=tuple(stored_datasets(platform.lake)),
            controls=merged(platform.kill_flag, controls.current(tx)),
            open_orders=tuple(orders.in_states(tx, _OPEN)),
            holdings=tuple(_holding(item, prices) for item in held),
            equity=marked,
            last_tick=Tick(**ticks[0]) if ticks else None,
            newest_decisions=tuple(newest),
            audit_head=audit.head(tx),
            ledger=platform.ledger.place,
            runs=tuple(_runs()),
        )


def last_prices(lake: Lake) -> dict[str, float]:
    """Close of the newest stored minute of each symbol, from the newest partition of klines."""
    from warehouse.datasets.market import KLINES

    days = lake.days(KLINES)
    if not days:
        return {}
    rows = lake.read(KLINES, days[-1], columns=["symbol", "open_time", "close"])
    return dict(rows.sort("open_time").group_by("symbol").last().select("symbol", "close").iter_rows())


def stored_datasets(lake: Lake) -> list[Stored]:
    """The newest partition of every dataset and interval that the lake holds."""
    from warehouse.datasets.catalogue import ALL

    found = []
    for dataset in ALL:
        intervals: tuple[Interval | None, ...] = dataset.intervals or (None,)
        for interval in intervals:
            days = lake.days(dataset, interval)
            info = lake.info(dataset, days[-1], interval) if days else None
            if info is not None:
                newest = None if info.max_time is None else int(info.max_time.timestamp() * 1000)
                name = dataset.name if interval is None else f"{dataset.name} {interval.value}"
                found.append(Stored(name, len(days), info.day, info.rows, newest))
    return found


def _source(platform: Platform) -> Source:
    name = platform.settings.market_data.source
    try:
        return Source(name, platform.market.now_ms())
    except TradingError as error:
        return Source(name, None, str(error))


def _holding(position: Position, prices: dict[str, float]) -> Holding:
    price = prices.get(position.symbol)
    value = mark([position], Decimal(0), prices).positions_value
    gain = None if price is None else value - position.quantity * position.average_cost
    return Holding(position, price, value, gain)


def _runs() -> list[Run]:
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        return [
            Run(
                record.dagster_run.run_id,
                record.dagster_run.job_name,
                record.dagster_run.status.value,
                None if record.start_time is None else int(record.start_time * 1000),
            )
            for record in instance.get_run_records(limit=5)
        ]
