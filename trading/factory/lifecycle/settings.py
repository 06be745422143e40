"""Settings of a strategy's life after its back-test: paper, review, live places, and the pairs traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.errors import FixConfiguration

_Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """How the daily review grades a strategy's own trades.

    Attributes
    ----------
    window_days
        Days of trades that a review looks at.
    minimum_trades
        Closed trades in the window below which nothing is graded.
    full_sharpe
        Annualised Sharpe ratio that earns all of its points.
    drawdown_limit_fraction
        Drawdown that earns no point; at or beyond it, with a loss, a strategy is paused.
    lowest_win_fraction, full_win_fraction
        Share of winning trades that earns nothing, and all of its points.
    smallest_allocation, largest_allocation
        Bounds of a strategy's allocation; 1 is the desk's ordinary slot.
    """

    window_days: Annotated[int, Ge(7), Le(365)] = 30
    minimum_trades: Annotated[int, Ge(2)] = 10
    full_sharpe: Annotated[float, Gt(0)] = 2.0
    drawdown_limit_fraction: Annotated[float, Gt(0), Le(1)] = 0.3
    lowest_win_fraction: _Share = 0.35
    full_win_fraction: _Share = 0.6
    smallest_allocation: Annotated[float, Ge(0), Le(1)] = 0.05
    largest_allocation: Annotated[float, Ge(1), Le(5)] = 2.0

    def __post_init__(self) -> None:
        if self.full_win_fraction <= self.lowest_win_fraction:
            raise FixConfiguration(
                f"review: full_win_fraction is {self.full_win_fraction}; it must be above lowest_win_fraction "
                f"{self.lowest_win_fraction}"
            )


@dataclass(frozen=True, slots=True)
class ActivationSettings:
    """Who leaves paper, and who gets a live place.

    Attributes
    ----------
    paper_days_minimum, paper_days_maximum
        Days on paper before a strategy may become a live candidate, and after which one that may not retires.
    live_places
        Strategies that are live at once, at most.
    minimum_sharpe, maximum_drawdown_fraction, minimum_trades
        What a strategy's own trades must show; unknown does not pass.
    performance_weight, backtest_weight, market_weight, risk_weight, sentiment_weight
        Weights of the score; a part that is missing is left out and the others are scaled up.
    full_sharpe
        Annualised Sharpe ratio that counts as 1 in the score.
    """

    paper_days_minimum: Annotated[int, Ge(1), Le(365)] = 7
    paper_days_maximum: Annotated[int, Ge(1), Le(365)] = 14
    live_places: Annotated[int, Ge(2), Le(10)] = 2
    minimum_sharpe: float = 0.5
    maximum_drawdown_fraction: Annotated[float, Gt(0), Le(1)] = 0.3
    minimum_trades: Annotated[int, Ge(1)] = 5
    performance_weight: _Share = 0.35
    backtest_weight: _Share = 0.20
    market_weight: _Share = 0.15
    risk_weight: _Share = 0.15
    sentiment_weight: _Share = 0.15
    full_sharpe: Annotated[float, Gt(0)] = 3.0

    def __post_init__(self) -> None:
        if self.paper_days_maximum < self.paper_days_minimum:
            raise FixConfiguration(
                f"activation: paper_days_maximum is {self.paper_days_maximum}, below paper_days_minimum "
                f"{self.paper_days_minimum}; raise it"
            )
        if self.performance_weight <= 0:
            raise FixConfiguration("activation: performance_weight is 0; a strategy's own trades must count")


@dataclass(frozen=True, slots=True)
class PairSettings:
    """Which pairs strategies trade.

    Attributes
    ----------
    pairs
        Pairs chosen, at most.
    minimum_quote_volume
        Traded value of the last 24 hours, quote currency.
    maximum_volatility_fraction
        Deviation of daily returns.
    maximum_drawdown_fraction
        Deepest fall of the last 7 days.
    volatility_days, momentum_days
        Days behind the deviation and behind the momentum.
    volatility_weight, volume_weight, momentum_weight, sentiment_weight, technical_weight, risk_weight, cap_weight
        Weights of the score; a part that is missing is left out and the others are scaled up.
    """

    pairs: Annotated[int, Ge(1), Le(100)] = 10
    minimum_quote_volume: Annotated[float, Ge(0)] = 1_000_000.0
    maximum_volatility_fraction: Annotated[float, Gt(0), Le(1)] = 0.15
    maximum_drawdown_fraction: Annotated[float, Gt(0), Le(1)] = 0.25
    volatility_days: Annotated[int, Ge(5), Le(365)] = 30
    momentum_days: Annotated[int, Ge(1), Le(365)] = 14
    volatility_weight: _Share = 0.20
    volume_weight: _Share = 0.17
    momentum_weight: _Share = 0.17
    sentiment_weight: _Share = 0.15
    technical_weight: _Share = 0.13
    risk_weight: _Share = 0.10
    cap_weight: _Share = 0.08


@dataclass(frozen=True, slots=True)
class LifecycleSettings:
    """A strategy's life after its back-test.

    Attributes
    ----------
    review
        The daily review.
    activation
        Leaving paper, and live places.
    pairs
        The daily choice of pairs.
    """

    review: ReviewSettings = ReviewSettings()
    activation: ActivationSettings = ActivationSettings()
    pairs: PairSettings = PairSettings()
