"""The account's terms, from the settings, a file or the venue."""

from __future__ import annotations

from collections.abc import Iterable

from resources.instruments.brackets import read_brackets
from resources.instruments.files import venue_of
from resources.settings import home
from trading.instruments.settings import InstrumentSettings
from trading.instruments.terms import FeeTier, Schedules, with_terms
from trading.model.instrument import Instrument
from trading.model.series import Market


def complete(
    instruments: Iterable[Instrument], settings: InstrumentSettings, *, source: str, futures_base_url: str
) -> list[Instrument]:
    """Instruments with the fees and margin schedules that the source does not state.

    Raises
    ------
    FixConfiguration, RetryLater, BadData
        If the margin schedules cannot be had (`schedules`).
    """
    fees = {
        Market.SPOT: FeeTier(settings.spot_maker_fee_bps, settings.spot_taker_fee_bps),
        Market.USDM: FeeTier(settings.usdm_maker_fee_bps, settings.usdm_taker_fee_bps),
    }
    found = list(instruments)
    futures = any(item.market is Market.USDM for item in found)
    margins = schedules(settings, source=source, futures_base_url=futures_base_url) if futures else {}
    return with_terms(found, fees, margins)


def schedules(settings: InstrumentSettings, *, source: str, futures_base_url: str) -> Schedules:
    """Margin schedules by symbol of the futures market.

    From ``instruments.brackets_file`` when it is set; else from the venue when the source is Binance
    and the environment has a key; else none.

    Raises
    ------
    FixConfiguration, RetryLater, BadData
        If the file or the venue's answer cannot be read.
    """
    if settings.brackets_file:
        return read_brackets(home() / settings.brackets_file)
    if venue_of(source) != "binance":
        return {}
    # An HTTP client is not loaded by whoever only reads settings.
    from resources.instruments.signed import credentials, fetch_brackets

    account = credentials()
    return fetch_brackets(account, futures_base_url) if account else {}
