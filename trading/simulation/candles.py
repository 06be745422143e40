"""Klines from a simulated price path: ticks, wicks, trades, lots and takers of one day."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

from trading.model.interval import MINUTE_MS
from trading.simulation.catalogue import Listing
from trading.simulation.daily import Floats
from trading.simulation.intraday import MINUTES, SEASON

#: Smallest order value of every simulated pair (quote).
MIN_NOTIONAL = Decimal(5)
_USUAL_TRADE_QUOTE = 900.0
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "open_time": pl.Datetime("ms", "UTC"),
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "quote_volume": pl.Float64,
    "trades": pl.Int64,
    "taker_buy_base": pl.Float64,
    "taker_buy_quote": pl.Float64,
}


def empty() -> pl.DataFrame:
    """No klines, in the right schema."""
    return pl.DataFrame(schema=_SCHEMA)


def decimal_bound(quantity: float) -> Decimal:
    """Round a bound of quantity to one significant digit."""
    return Decimal(f"{quantity:.0e}")


def candles(
    random: np.random.Generator,
    listing: Listing,
    *,
    start_ms: int,
    log_prices: Floats,
    sigma: Floats,
    usual_sigma: float,
    present: npt.NDArray[np.bool_],
    activity: Floats | None = None,
) -> pl.DataFrame:
    """Klines of one symbol and day.

    Parameters
    ----------
    log_prices
        Log price at the day's start and at each minute's end, shape (1441,).
    sigma
        Standard deviation of each minute's log return, shape (1440,).
    usual_sigma
        The symbol's usual daily deviation: stormy days trade more.
    present
        Which minutes have a kline, shape (1440,).
    activity
        Turnover of each minute as a multiple of the usual one, shape (1440,), where another market of
        the same coin has set it; None lets storms, moves and the hour set it.
    """
    tick, lot = float(listing.tick_size), float(listing.lot_step)
    if activity is None:
        activity = _activity(random, np.diff(log_prices), sigma, usual_sigma)
    trades = random.poisson(listing.daily_quote_volume / MINUTES / _USUAL_TRADE_QUOTE * activity)
    ticks = np.maximum(np.rint(np.exp(log_prices) / tick), 1.0)
    # Without a trade the price stays where the last trade left it.
    last = np.maximum.accumulate(np.where(trades > 0, np.arange(1, MINUTES + 1), 0))
    closes = ticks[last]
    opens = np.append(ticks[0], closes[:-1])
    traded = trades > 0
    reach = np.abs(random.standard_normal((2, MINUTES))) * sigma * 0.45 * traded
    highs = np.rint(np.maximum(opens, closes) * (1.0 + reach[0]))
    lows = np.maximum(np.rint(np.minimum(opens, closes) * (1.0 - reach[1])), 1.0)
    mean_price = (opens + highs + lows + closes) / 4.0 * tick
    sizes = _USUAL_TRADE_QUOTE / mean_price * np.exp(0.5 * random.standard_normal(MINUTES))
    volume_lots = np.where(traded, np.maximum(np.rint(trades * sizes / lot), 1.0), 0.0)
    lean = 0.5 + 0.12 * np.tanh((closes - opens) / ticks[:-1] / sigma)
    share = np.clip(lean + 0.12 * random.standard_normal(MINUTES), 0.02, 0.98)
    taker_lots = np.minimum(np.rint(volume_lots * share), volume_lots)
    digits, lot_digits = _digits(listing.tick_size), _digits(listing.lot_step)
    volume, taker = np.round(volume_lots * lot, lot_digits), np.round(taker_lots * lot, lot_digits)
    columns = {
        "open_time": start_ms + MINUTE_MS * np.arange(MINUTES, dtype=np.int64),
        "open": np.round(opens * tick, digits),
        "high": np.round(highs * tick, digits),
        "low": np.round(lows * tick, digits),
        "close": np.round(closes * tick, digits),
        "volume": volume,
        "quote_volume": np.round(volume * mean_price, 8),
        "trades": trades,
        "taker_buy_base": taker,
        "taker_buy_quote": np.round(taker * mean_price, 8),
    }
    if not present.all():
        columns = {name: values[present] for name, values in columns.items()}
    times = pl.Series("open_time", columns.pop("open_time")).cast(_SCHEMA["open_time"])
    names = pl.Series("symbol", [listing.symbol]).new_from_index(0, times.len())
    return pl.DataFrame([names, times, *(pl.Series(name, values) for name, values in columns.items())])


def usual_activity(listing: Listing, trades: npt.NDArray[np.int64]) -> Floats:
    """Each minute's trades as a multiple of the listing's usual number."""
    return np.asarray(trades / (listing.daily_quote_volume / MINUTES / _USUAL_TRADE_QUOTE))


def _activity(random: np.random.Generator, returns: Floats, sigma: Floats, usual_sigma: float) -> Floats:
    """Turnover of each minute against the usual one: more in storms, at moves and by the hour."""
    storm = float(np.sqrt((sigma * sigma).sum())) / usual_sigma
    surprise = np.exp(0.45 * random.standard_normal(MINUTES))
    return np.asarray(storm * SEASON * surprise * (0.7 + 0.4 * np.abs(returns) / sigma))


def _digits(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
