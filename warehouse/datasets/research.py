"""Research: features, model confidence and generated strategies."""

from __future__ import annotations

import polars as pl

from trading.confidence.features import FEATURES as FEATURES
from warehouse.datasets.common import CLOSE_TIME, OPEN_TIME, SYMBOL, number, price
from warehouse.schema import TIMESTAMP, Column, Dataset

FEATURE_ROWS = Dataset(
    name="features",
    description="Model features per hourly bar, from values known at its close; nulls where unknown.",
    columns=(
        SYMBOL,
        OPEN_TIME,
        CLOSE_TIME,
        price("close", "Close of the hourly bar"),
        *(number(name, "", f"Feature {name}") for name in FEATURES),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
)

ML_CONFIDENCE = Dataset(
    name="ml_confidence",
    description="The confidence cache: newest calibrated probability per symbol, with model and expiry.",
    columns=(
        SYMBOL,
        Column("as_of", TIMESTAMP, "UTC", "Close of the hourly bar that was scored"),
        number("confidence", "0-1", "Calibrated probability of the label", minimum=0.0, maximum=1.0),
        Column("model_name", pl.String, "", "Registered model"),
        Column("model_version", pl.String, "", "Version in the registry"),
        Column("expires_at", TIMESTAMP, "UTC", "After this the value must not be used"),
    ),
    key=("symbol",),
    time_column=None,
)

STRATEGIES = Dataset(
    name="strategies",
    description="The day's candidates with their back-tests and what became of them; every genome looked at is in `trials`.",
    columns=(
        Column("strategy_id", pl.String, "", "Content hash of the genome"),
        Column("rank", pl.Int32, "", "1 is best; null for trials that were filtered out", True, 1),
        Column(
            "status",
            pl.String,
            "",
            "paper, rejected, or waiting: good, but the account cannot trade it",
            allowed=("paper", "waiting", "rejected"),
        ),
        Column("reason", pl.String, "", "Why it was rejected or waits, or survived"),
        Column("genome", pl.String, "", "Canonical JSON of the genome"),
        Column("text", pl.String, "", "The genome in words"),
        Column("trades", pl.Int64, "count", "Closed trades in the window", False, 0),
        number("sharpe", "annualised", "Sharpe ratio of daily net returns, annualised with 365 days"),
        number("sortino", "annualised", "Sortino ratio of daily net returns, annualised with 365 days"),
        number("total_return_fraction", "fraction", "Net return over the window"),
        number("cagr_fraction", "fraction", "Net growth per year"),
        number("max_drawdown_fraction", "fraction", "Deepest fall of daily equity from a peak", minimum=0.0),
        number("calmar", "", "Growth per year over the deepest drawdown"),
        number("win_fraction", "0-1", "Share of trades with a net gain", minimum=0.0, maximum=1.0),
        number("profit_factor", "", "Net gains over net losses", minimum=0.0),
        number("exposure", "0-1", "Share of slots and time in a position", minimum=0.0, maximum=1.0),
        number("turnover", "1/day", "Value traded a day over starting equity", minimum=0.0),
        number("fees_fraction", "fraction", "Fees paid, share of starting equity", minimum=0.0),
        number("slippage_fraction", "fraction", "Spread, slippage and impact paid", minimum=0.0),
        number("funding_fraction", "fraction", "Funding paid, negative where received"),
        Column("liquidations", pl.Int64, "count", "Positions that the venue closed", False, 0),
        number(
            "deflated_sharpe_probability",
            "0-1",
            "Deflated Sharpe ratio at the promotion gate; null for who did not come to it",
            minimum=0.0,
            maximum=1.0,
        ),
        Column("trials", pl.Int64, "count", "Trials on record when the gate judged", False, 1),
        Column("window_start", TIMESTAMP, "UTC", "Start of the back-test"),
        Column("window_end", TIMESTAMP, "UTC", "End of the back-test, exclusive"),
    ),
    key=("strategy_id",),
    time_column=None,
)

AUDIT_ANCHORS = Dataset(
    name="audit_anchors",
    description="Head of the audit chain at the end of the day's run, outside the ledger.",
    columns=(
        Column("ledger_id", pl.String, "", "Identity of the ledger that the chain lives in"),
        Column("sequence", pl.Int64, "", "Sequence number of the newest audit record", False, 0),
        Column("hash", pl.String, "", "Hash of that record"),
        Column("anchored_at", TIMESTAMP, "UTC", "When the anchor was written"),
    ),
    key=("ledger_id", "sequence"),
    time_column=None,
)
