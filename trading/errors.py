"""Errors named by what the caller should do next.

TradingError
├── RetryLater            the same call may succeed later; nothing happened
├── UnknownOutcome        the effect is not known; reconcile before acting again
├── HaltTrading           stop taking risk and page a person
├── BadData               the data is wrong; repair or replace it
└── FixConfiguration      a setting is wrong; a person must change it
"""

from __future__ import annotations


class TradingError(Exception):
    """Root of every error that Tidemill raises on purpose."""


class RetryLater(TradingError):
    """The call had no effect and may be repeated later.

    Parameters
    ----------
    message
        What failed, naming the field, the value and the fix.
    retry_after_seconds
        How long the other side asked us to wait; None when it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownOutcome(TradingError):
    """A command may or may not have taken effect; only reconciliation may resolve it."""


class HaltTrading(TradingError):
    """Trading must stop until a person has looked."""


class BadData(TradingError):
    """Input data is wrong: names the file or partition, the rows and the fix."""


class FixConfiguration(TradingError):
    """A setting is wrong: names the file, the line where known, the value and the fix."""
