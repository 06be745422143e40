"""What a key may do. One that may withdraw is refused: nothing here needs that, and a thief does."""

from __future__ import annotations

from pydantic import BaseModel, TypeAdapter

from resources.instruments.signed import KEY_VARIABLE
from resources.venues.binance.errors import Meaning, Refused
from resources.venues.binance.reading import parsed
from resources.venues.binance.transport import Api
from trading.errors import FixConfiguration
from trading.model.series import Market

_PATH = "/sapi/v1/account/apiRestrictions"


class Restrictions(BaseModel):
    """/sapi/v1/account/apiRestrictions. A right that the answer does not mention is an error."""

    enableReading: bool
    enableWithdrawals: bool
    enableSpotAndMarginTrading: bool
    enableFutures: bool


_RESTRICTIONS = TypeAdapter(Restrictions)


def require_trading_key(wallet: Api, market: Market, *, testnet: bool) -> None:
    """Refuse a key that may withdraw, or may not trade on the market.

    The testnet may have no such question, and nothing to withdraw: it is let off when it says so with a
    404, and its futures are not asked, since their keys are not those of its wallet.

    Parameters
    ----------
    wallet
        The API that serves ``/sapi``: spot's.

    Raises
    ------
    FixConfiguration
        If the key may withdraw or may not trade, or the venue does not say what it may.
    RetryLater
        If the venue does not answer: nothing is traded on a key that nobody has looked at.
    """
    if testnet and market is Market.USDM:
        return
    try:
        content = wallet.read(_PATH, {}, weight=1)
    except Refused as error:
        if testnet and error.meaning is Meaning.REJECTED and not error.code:
            return
        raise FixConfiguration(
            f"{KEY_VARIABLE}: Binance does not say what the key may do ({error}); it is not used"
        ) from error
    rights = parsed(_RESTRICTIONS, content, _PATH)
    if rights.enableWithdrawals:
        raise FixConfiguration(
            f"{KEY_VARIABLE}: the key may withdraw; switch withdrawals off for it at Binance, or make another key"
        )
    trades = rights.enableSpotAndMarginTrading if market is Market.SPOT else rights.enableFutures
    if not (rights.enableReading and trades):
        wanted = "enableSpotAndMarginTrading" if market is Market.SPOT else "enableFutures"
        raise FixConfiguration(
            f"{KEY_VARIABLE}: trading needs a key with enableReading and {wanted}; switch them on at Binance"
        )
