"""One warm process that trades every bar: extend today's partitions, decide, order, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import dagster as dg

from pipelines.live import defs
from pipelines.orphans import end_orphans, process_tags
from pipelines.runs import QUIET
from resources.platform import Platform, open_platform
from trading.errors import FixConfiguration, RetryLater
from trading.model.days import day_at
from trading.model.interval import RESAMPLED, Interval
from warehouse.datasets.market import INSTRUMENTS

#: Longest sleep between two looks at the market's clock.
_POLL_SECONDS = 0.25
_ALWAYS = ("klines", "kline_gaps", "btc_condition", "fork_scores", "rating_kicks")
_HOURLY = ("features", "ml_confidence")


@dataclass(frozen=True, slots=True)
class BarOutcome:
    """What the loop did at one bar close.

    ``seconds`` runs from the moment the loop saw the close (plus the settling time) to orders recorded.
    """

    bar_close_ms: int
    seconds: float
    data_seconds: float
    decided: bool
    error: str = ""


def run_live(report: Callable[[BarOutcome], None], *, bars: int | None = None) -> None:
    """Trade until interrupted, or for a number of bars.

    A failed data run means no decision for that bar; the loop goes on with the next one.

    Raises
    ------
    FixConfiguration
        If ``live.interval`` is shorter than 15 minutes.
    """
    platform = open_platform()
    interval = platform.settings.live.interval
    if interval not in RESAMPLED:
        raise FixConfiguration(f"live.interval {interval.value}: use 15m, 1h, 4h or 1d")
    with dg.DagsterInstance.get() as instance:
        end_orphans(instance)
        for close_ms in _closes(platform, interval, bars):
            report(trade_bar(platform, instance, close_ms))


def trade_bar(platform: Platform, instance: dg.DagsterInstance, close_ms: int) -> BarOutcome:
    """Extend the day's partitions to a bar close, then run the decision job on it."""
    begun = time.monotonic()
    day = day_at(close_ms - 1)
    data = defs.resolve_job_def("intraday").execute_in_process(
        instance=instance,
        partition_key=day.isoformat(),
        asset_selection=[dg.AssetKey(name) for name in touched(platform, day, close_ms)],
        run_config=QUIET,
        tags=process_tags(),
        raise_on_error=False,
    )
    data_seconds = time.monotonic() - begun
    if not data.success:
        return BarOutcome(close_ms, data_seconds, data_seconds, False, f"data run {data.run_id} failed")
    decision = defs.resolve_job_def("decision").execute_in_process(
        instance=instance,
        run_config={**QUIET, "ops": {"take_snapshot": {"config": {"bar_close_ms": close_ms}}}},
        tags=process_tags(),
        raise_on_error=False,
    )
    error = "" if decision.success else f"decision run {decision.run_id} failed"
    return BarOutcome(close_ms, time.monotonic() - begun, data_seconds, bool(decision.success), error)


def touched(platform: Platform, day: date, close_ms: int) -> list[str]:
    """Assets that a bar close changes: those of the intervals that close with it."""
    closing = [interval for interval in RESAMPLED if close_ms % interval.milliseconds == 0]
    names = list(_ALWAYS)
    if platform.lake.info(INSTRUMENTS, day) is None:
        names.append("instruments")
    for interval in closing:
        names += [f"{stem}_{interval.value}" for stem in ("bars", "indicators", "screener_ratings")]
    if Interval.H1 in closing:
        names += _HOURLY
    return names


def _closes(platform: Platform, interval: Interval, bars: int | None) -> Iterator[int]:
    """Bar closes as they come; a close that passed while the loop was busy is skipped for the newest."""
    step = interval.milliseconds
    last = platform.clock.now_ms() // step * step
    count = 0
    while bars is None or count < bars:
        newest = _now(platform) // step * step
        if newest <= last:
            time.sleep(_POLL_SECONDS)
            continue
        settled_ms = newest + int(platform.settings.live.settle_seconds * 1000)
        while _now(platform) < settled_ms:
            time.sleep(_POLL_SECONDS)
        last, count = newest, count + 1
        yield newest


def _now(platform: Platform) -> int:
    while True:
        try:
            return platform.clock.now_ms()
        except RetryLater as busy:
            time.sleep(min(busy.retry_after_seconds or 1.0, 30.0))
