"""Delivery of one alert over every channel; one that fails never keeps the others from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading.alerts.alert import Alert
from trading.errors import RetryLater, TradingError
from trading.ports import Notifier


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What one channel did with an alert.

    Attributes
    ----------
    receipt
        The channel's own id of the message; empty when it failed.
    error
        What failed, free of secrets; empty when delivered.
    retry_after_seconds
        How long the channel asked to wait; None when it did not.
    """

    channel: str
    delivered: bool
    receipt: str = ""
    error: str = ""
    retry_after_seconds: float | None = None


def deliver(alert: Alert, notifiers: Sequence[Notifier]) -> list[DeliveryResult]:
    """Send an alert over every channel, in order, and say what each did. Never raises for a channel."""
    return [_deliver(alert, notifier) for notifier in notifiers]


def _deliver(alert: Alert, notifier: Notifier) -> DeliveryResult:
    try:
        receipt = notifier.send(alert.title, alert.body, alert.severity.value)
    except RetryLater as error:
        return DeliveryResult(
            notifier.name, False, error=_text(error), retry_after_seconds=error.retry_after_seconds
        )
    except TradingError as error:
        return DeliveryResult(notifier.name, False, error=_text(error))
    except Exception as error:
        # A fault in a channel is recorded by type alone: a foreign message may carry its credentials.
        return DeliveryResult(notifier.name, False, error=f"{type(error).__name__} in the channel")
    return DeliveryResult(notifier.name, True, receipt=receipt)


def _text(error: TradingError) -> str:
    return f"{type(error).__name__}: {error}"
