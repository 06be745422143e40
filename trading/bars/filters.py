"""Order filters for instruments that come without any: derived from the data, and only as good."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from trading.model.instrument import Instrument

#: Quote assets recognised at the end of a symbol, longest first.
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "USD")
_SAMPLE_ROWS = 20_000


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote asset of a symbol such as BTCUSDT; the quote is empty when none is recognised."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    return symbol, ""


def derive_instrument(symbol: str, klines: pl.DataFrame) -> Instrument:
    """Make an instrument from its klines: the smallest steps that prices and volumes were seen in.

    Parameters
    ----------
    klines
        Klines of the symbol, sorted by time. Listing is the first of them.

    Notes
    -----
    The least order value is 5 in quote currency, Binance's usual minimum for USDT pairs.
    """
    sample = klines.head(_SAMPLE_ROWS)
    prices = pl.concat([sample[name] for name in ("open", "high", "low", "close")])
    lot_step = _step(sample["volume"])
    base, quote = split_symbol(symbol)
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        tick_size=_step(prices),
        lot_step=lot_step,
        min_quantity=lot_step,
        max_quantity=Decimal(0),
        min_notional=Decimal(5),
        listed_at_ms=int(klines["open_time"].dt.epoch("ms")[0]),
    )


def _step(values: pl.Series) -> Decimal:
    """Smallest power of ten (1 to 1e-8) in which all values are whole."""
    text = values.drop_nulls().cast(pl.Decimal(38, 8)).cast(pl.String).str.strip_chars_end("0")
    longest = text.str.split(".").list.get(1, null_on_oob=True).str.len_chars().max()
    digits = longest if isinstance(longest, int) else 0
    return Decimal(1).scaleb(-digits)
