"""Settings of the instrument master and of the universe chosen from it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Le

#: A fee in bps; a rebate is negative.
_Fee = Annotated[Decimal, Ge(-100), Le(1_000)]


@dataclass(frozen=True, slots=True)
class InstrumentSettings:
    """The account's terms, where the venue has not been asked for them.

    Attributes
    ----------
    brackets_file
        Margin schedules of futures as JSON: the venue's answer to ``/fapi/v1/leverageBracket``, or
        ccxt's leverage tiers. Empty asks the venue when TIDEMILL_BINANCE_KEY and
        TIDEMILL_BINANCE_SECRET are set, and leaves the schedules unknown otherwise.
    spot_maker_fee_bps, spot_taker_fee_bps
        Fees of the account's tier on the spot market; the default is a regular user's.
    usdm_maker_fee_bps, usdm_taker_fee_bps
        Fees of the account's tier on USDT-margined futures; the default is a regular user's.
    """

    brackets_file: str = ""
    spot_maker_fee_bps: _Fee = Decimal(10)
    spot_taker_fee_bps: _Fee = Decimal(10)
    usdm_maker_fee_bps: _Fee = Decimal(2)
    usdm_taker_fee_bps: _Fee = Decimal(5)


@dataclass(frozen=True, slots=True)
class UniverseSettings:
    """Which pairs are followed on a day, from what was traded on the day before.

    Attributes
    ----------
    quote
        Quote asset; other pairs are left out.
    symbols
        Exactly these pairs, and the reference and what is held; empty chooses by traded value.
    max_symbols
        Most pairs that are chosen by traded value.
    reference
        The pair that sets the market regime; always followed.
    min_quote_volume_24h
        Traded value (quote) of the day before that a pair must have.
    stable
        Coins pegged to a currency: their pairs only follow the peg.
    fiat
        Currencies.
    wrapped
        Coins that stand for another coin, whose pair they would repeat.
    leveraged
        Leveraged tokens besides those whose name says so (BTCUP, ETHBEAR).
    """

    quote: str = "USDT"
    symbols: tuple[str, ...] = ()
    max_symbols: Annotated[int, Ge(1), Le(1_000)] = 20
    reference: str = "BTCUSDT"
    min_quote_volume_24h: Annotated[float, Ge(0)] = 3_000_000.0
    stable: tuple[str, ...] = (
        *("USDT", "USDC", "BUSD", "TUSD", "FDUSD", "USDP", "PAX", "USDS", "USDSB", "DAI", "SUSD", "GUSD"),
        *("PYUSD", "USD1", "USDE", "XUSD", "BFUSD", "RLUSD", "USDD", "UST", "AEUR", "EURI"),
    )
    fiat: tuple[str, ...] = (
        *("USD", "EUR", "GBP", "AUD", "JPY", "TRY", "BRL", "ARS", "MXN", "COP", "RUB", "UAH", "PLN", "CZK"),
        *("RON", "NGN", "ZAR", "IDRT", "BIDR", "BKRW", "BVND"),
    )
    wrapped: tuple[str, ...] = (
        *("WBTC", "BTCB", "CBBTC", "WETH", "STETH", "WSTETH", "BETH", "WBETH", "RETH", "CBETH"),
        *("WBNB", "BNSOL", "JITOSOL", "MSOL"),
    )
    leveraged: tuple[str, ...] = ("BULL", "BEAR")
