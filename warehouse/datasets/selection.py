"""The daily choice of the pairs that strategies trade."""

from __future__ import annotations

import polars as pl

from warehouse.datasets.common import SYMBOL, number
from warehouse.schema import Column, Dataset

_PARTS = {
    "volatility": "Rank of the deviation of daily returns",
    "volume": "Rank of the value traded in 24 hours",
    "momentum": "Rank of the change of price",
    "sentiment": "What is said of the coin",
    "technical": "Technical rating moved to 0-1",
    "risk": "Rank of the drawdown, the shallowest highest",
    "cap": "Market capitalisation",
}

PAIR_SELECTION = Dataset(
    name="pair_selection",
    description="Every pair with what speaks for and against trading it, and which are selected.",
    columns=(
        SYMBOL,
        Column("selected", pl.Boolean, "", "Whether strategies trade it"),
        Column("rank", pl.Int32, "", "1 is best; null where a filter refused it", True, 1),
        number("score", "0-1", "Weighted mean of the known parts", minimum=0.0, maximum=1.0),
        Column(
            "reason",
            pl.String,
            "",
            "selected, outranked, low_volume, volatile, falling, unknown: a figure, or kept",
        ),
        number("quote_volume_24h", "quote", "Value traded in the last 24 hours", minimum=0.0),
        number("daily_volatility_fraction", "fraction", "Deviation of daily returns", minimum=0.0),
        number(
            "drawdown_7d_fraction",
            "fraction",
            "Deepest fall of hourly closes in 7 days",
            minimum=0.0,
            maximum=1.0,
        ),
        number("momentum_fraction", "fraction", "Change of price over the days of momentum"),
        number("rating", "-1..1", "Newest hourly technical rating", minimum=-1.0, maximum=1.0),
        *(
            number(f"{part}_part", "0-1", f"{meaning}; null where missing", minimum=0.0, maximum=1.0)
            for part, meaning in _PARTS.items()
        ),
        number("known_weight", "0-1", "Share of the weights whose parts are known", minimum=0.0, maximum=1.0),
        Column("missing", pl.String, "", "Parts that are left out of the score"),
        Column(
            "chosen_on", pl.Date, "", "The day the choice was made; earlier than the partition where kept"
        ),
    ),
    key=("symbol",),
    time_column=None,
)
