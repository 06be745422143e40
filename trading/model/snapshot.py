"""What a tick knew: the market view, the portfolio and the controls, under one content hash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from trading.model.instrument import Instrument
from trading.model.series import Market

#: A field that was not there at first: at its default it is not part of ids, so that old ids stay right.
LATER: Mapping[str, bool] = MappingProxyType({"later": True})


@dataclass(frozen=True, slots=True)
class SymbolView:
    """One symbol at the close of the decision bar. Floats are NaN where the value is missing.

    Of a contract, price and spread are its own; volume, scores, ratings, confidence and indicators are those
    of its spot pair, indicators in the contract's units.

    Attributes
    ----------
    close
        Close of the decision bar (quote); of a contract, its newest minute in the bar or before.
    bar_close_ms
        Close time of the newest bar behind the view; staleness is measured against the tick.
    spread_bps
        Estimated bid-ask spread, basis points of mid.
    ratings
        Total technical rating in [-1, 1] by interval.
    indicators
        Named values by ``"<interval>.<column>"``, for example ``"1h.ema_50"``.
    fork_components
        Sub-scores by name.
    spot_symbol, spot_close
        Of a contract: its spot pair, and that one's close for as many coins as the contract's unit is.
    """

    symbol: str
    close: float
    bar_close_ms: int
    spread_bps: float
    quote_volume_24h: float
    fork_score: float
    fork_adjusted: float
    fork_passed: bool
    rating_tag: str
    confidence: float
    confidence_model: str
    confidence_expires_ms: int
    ratings: dict[str, float] = field(default_factory=dict)
    indicators: dict[str, float] = field(default_factory=dict)
    fork_components: dict[str, float] = field(default_factory=dict)
    spot_symbol: str = field(default="", metadata=LATER)
    spot_close: float = field(default=math.nan, metadata=LATER)


@dataclass(frozen=True, slots=True)
class BestClose:
    """Best close of a held symbol since its position was opened (quote): highest, of a short lowest."""

    symbol: str
    close: float


@dataclass(frozen=True, slots=True)
class PaperStrategy:
    """A generated strategy that trades, with what it says at this close.

    Attributes
    ----------
    genome
        Its text and its numbers, JSON-safe; what it does not have is absent.
    entry_symbols, exit_symbols
        Symbols that its long rules would enter and leave.
    best_closes
        Of the symbols that it holds, where it trails a stop.
    allocation
        Multiple of the desk's ordinary slot that its entries ask for.
    short_entry_symbols, short_exit_symbols
        Symbols that its short rules would enter and leave.
    """

    strategy_id: str
    genome: dict[str, float | int | str]
    entry_symbols: tuple[str, ...]
    exit_symbols: tuple[str, ...]
    best_closes: tuple[BestClose, ...] = field(default=(), metadata=LATER)
    allocation: float = field(default=1.0, metadata=LATER)
    short_entry_symbols: tuple[str, ...] = field(default=(), metadata=LATER)
    short_exit_symbols: tuple[str, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class Position:
    """Holding of one desk and strategy in one symbol, at average cost (quote per base, with fees).

    The quantity of a short is negative; its average cost is what was received per unit, after fees.
    """

    desk: str
    strategy_id: str
    symbol: str
    quantity: Decimal
    average_cost: Decimal
    opened_at_ms: int
    realised_pnl: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash and holdings before the tick's decisions, all in quote currency unless said.

    ``equity_day_start`` is the equity at the first tick of the UTC day (None before any record).
    ``pending_symbols`` have an order that is not terminal: no new risk there.
    ``pending_buy_amount`` is the value (quote) that open buys, and open sales that may go short, can still
    take up; the risk gate counts it as exposure and as cash already gone.
    ``broken_symbols`` has a symbol once per open break between ledger and venue that forbids new risk in
    it; ``account_breaks`` counts those that forbid all new risk.
    """

    cash: Decimal
    positions: tuple[Position, ...]
    equity: Decimal
    equity_day_start: Decimal | None
    pending_symbols: tuple[str, ...] = ()
    unknown_symbols: tuple[str, ...] = ()
    pending_buy_amount: Decimal = Decimal(0)
    broken_symbols: tuple[str, ...] = field(default=(), metadata=LATER)
    account_breaks: int = field(default=0, metadata=LATER)


@dataclass(frozen=True, slots=True)
class Controls:
    """Persisted switches. ``halted`` forbids new exposure; reductions stay allowed."""

    halted: bool
    reason: str = ""
    changed_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that desks and the risk gate may look at, at one tick.

    Attributes
    ----------
    tick_id
        Derives from (bar close, configuration hash); one tick has one snapshot, for ever.
    bar_close_ms
        Close of the decision bar, exclusive end of what the tick knows.
    sources
        Content hash (SHA-256) of each lake partition read, by ``dataset/…/date=…``; of contracts' minutes
        that came from the market data source, by ``dataset/source=…``.
    market
        Market of the account that is traded; symbols, instruments and prices are of it.
    leverage
        What the account's contracts are set to; 1 on spot.
    """

    snapshot_id: str
    tick_id: str
    bar_close_ms: int
    taken_at_ms: int
    btc_condition: str
    symbols: dict[str, SymbolView]
    strategies: tuple[PaperStrategy, ...]
    instruments: dict[str, Instrument]
    portfolio: Portfolio
    controls: Controls
    configuration_hash: str
    sources: dict[str, str] = field(default_factory=dict)
    market: Market = field(default=Market.SPOT, metadata=LATER)
    leverage: int = field(default=1, metadata=LATER)
