"""One warm process that trades every bar: extend today's partitions, decide, order, report."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import dagster as dg

from apps.live.heart import Heart
from pipelines.instance import open_instance
from pipelines.live import defs
from pipelines.orphans import end_orphans, process_tags
from pipelines.runs import QUIET, first_error
from resources.clock import SystemClock
from resources.execution.alerting import report_failed_run
from resources.factory.pace import require_every_close
from resources.killswitch.evidence import catch_up
from resources.platform import Platform, open_platform
from trading.errors import FixConfiguration, RetryLater, TradingError
from trading.model.days import day_at, start_ms
from trading.model.interval import DAY_MS, RESAMPLED, Interval
from warehouse.datasets.instruments import UNIVERSE

#: Bounds of the sleep between two looks at the market's clock.
_LONGEST_POLL_SECONDS = 0.25
_SHORTEST_POLL_SECONDS = 0.02
#: How long the ledger's file stays open after a transaction: a bar has dozens, close together.
_LINGER_SECONDS = 0.05
_ALWAYS = ("klines", "kline_gaps", "kline_certificates", "btc_condition", "fork_scores", "rating_kicks")
_HOURLY = ("features", "ml_confidence")


@dataclass(frozen=True, slots=True)
class BarOutcome:
    """What the loop did at one bar close.

    ``seconds`` runs from the moment the loop saw the close (after the settling time) until orders, fills,
    books and alerts are recorded; ``missed`` counts the closes that passed since the bar before.
    """

    bar_close_ms: int
    seconds: float
    data_seconds: float
    decided: bool
    error: str = ""
    missed: int = 0


def run_live(report: Callable[[BarOutcome], None], *, bars: int | None = None) -> None:
    """Trade until interrupted, or for a number of bars.

    A failed data run means an alert and no decision for that bar; the loop goes on with the next one,
    which catches up on the data. An interrupt ends the loop after the bar at work: the bars are traded in
    a thread of their own, because Dagster would let an interrupt break into a step.

    Parameters
    ----------
    report
        Called with each bar's outcome, in that thread.

    Raises
    ------
    FixConfiguration
        If ``live.interval`` is shorter than 15 minutes, or longer with the genome desk at work.
    KeyboardInterrupt
        After the bar at work, when the process was interrupted.
    """
    platform = open_platform()
    interval = platform.settings.live.interval
    if interval not in RESAMPLED:
        raise FixConfiguration(f"live.interval {interval.value}: use 15m, 1h, 4h or 1d")
    require_every_close(platform, interval)
    stop = threading.Event()
    heart = Heart(platform.control_folder)
    with ThreadPoolExecutor(1, thread_name_prefix="live") as thread:
        closes = islice(_closes(platform, stop, heart), bars)
        trading = thread.submit(_trade, platform, report, closes, heart)
        try:
            trading.result()
        except BaseException:
            stop.set()
            trading.result()
            heart.end()
            raise
        heart.end()


def _trade(
    platform: Platform, report: Callable[[BarOutcome], None], closes: Iterable[int], heart: Heart
) -> None:
    step = platform.settings.live.interval.milliseconds
    last_ms: int | None = None
    extended_ms: int | None = None
    with (
        open_instance() as instance,
        platform.ledger.lingering(_LINGER_SECONDS),
        _settled_memory() as settle,
    ):
        end_orphans(instance)
        started = _run("reconcile", instance)
        if not started.success:
            _failed(platform, started)  # every bar tries again before it trades
        for close_ms in closes:
            with suppress(TradingError):  # the files of the kill chain keep what the ledger cannot take now
                catch_up(platform.ledger, platform.control_folder, SystemClock().now_ms())
            outcome, extended_ms = trade_bar(platform, instance, close_ms, extended_ms)
            if not outcome.decided:
                _run("reconcile", instance)  # what is held needs its stops whatever else failed
            heart.traded(close_ms)
            missed = 0 if last_ms is None else (close_ms - last_ms) // step - 1
            report(replace(outcome, missed=missed))
            if last_ms is None:
                settle()
            elif day_at(last_ms) != day_at(close_ms):
                platform.lake.trim()
            last_ms = close_ms


def trade_bar(
    platform: Platform, instance: dg.DagsterInstance, close_ms: int, extended_ms: int | None = None
) -> tuple[BarOutcome, int | None]:
    """Extend the partitions to a bar close, then run the decision job on it.

    Parameters
    ----------
    extended_ms
        Close up to which the partitions were extended before; None when that is not known.

    Returns
    -------
    tuple
        What was done, and the close up to which the partitions are extended now.
    """
    begun = time.monotonic()
    for until_ms in _steps(close_ms, extended_ms):
        data = _run(
            "intraday",
            instance,
            partition_key=day_at(until_ms - 1).isoformat(),
            asset_selection=[dg.AssetKey(name) for name in touched(platform, until_ms, extended_ms)],
        )
        if not data.success:
            spent = time.monotonic() - begun
            return BarOutcome(close_ms, spent, spent, False, _failed(platform, data)), extended_ms
        extended_ms = until_ms
    data_seconds = time.monotonic() - begun
    decision = _run(
        "decision", instance, run_config={"ops": {"take_snapshot": {"config": {"bar_close_ms": close_ms}}}}
    )
    error = "" if decision.success else _failed(platform, decision)
    spent = time.monotonic() - begun
    return BarOutcome(close_ms, spent, data_seconds, bool(decision.success), error), extended_ms


def touched(platform: Platform, close_ms: int, extended_ms: int | None) -> list[str]:
    """Assets that change between two closes of a day: those of the intervals that closed meanwhile."""
    closed = [
        interval
        for interval in RESAMPLED
        if extended_ms is None or close_ms // interval.milliseconds > extended_ms // interval.milliseconds
    ]
    names = list(_ALWAYS)
    if platform.lake.info(UNIVERSE, day_at(close_ms - 1)) is None:
        names += ["instruments", "universe"]
    for interval in closed:
        names += [f"{stem}_{interval.value}" for stem in ("bars", "indicators", "screener_ratings")]
    if Interval.H1 in closed:
        names += _HOURLY
    return names


def _steps(close_ms: int, extended_ms: int | None) -> list[int]:
    """Closes to extend to: the end of the day before first, when its last bars were missed."""
    midnight_ms = start_ms(day_at(close_ms - 1))
    missed = extended_ms is not None and midnight_ms - DAY_MS < extended_ms < midnight_ms
    return [midnight_ms, close_ms] if missed else [close_ms]


def _run(
    job: str,
    instance: dg.DagsterInstance,
    *,
    run_config: Mapping[str, Any] | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_config={**QUIET, **(run_config or {})},
        tags=process_tags(),
        raise_on_error=False,
        **options,
    )


def _failed(platform: Platform, run: dg.ExecuteInProcessResult) -> str:
    """Tell people, in the same words as the daemon's sensor would, and go on whatever comes of it."""
    name, cause = run.dagster_run.job_name, first_error(run)
    try:
        report_failed_run(platform, name, run.run_id, cause)
    except TradingError as error:
        cause = f"{cause} (and no alert: {error})"
    return f"{name} run {run.run_id} failed: {cause}"


@contextmanager
def _settled_memory() -> Iterator[Callable[[], None]]:
    """Offer a function to call once all is loaded: the collector then no longer looks through it.

    That would cost a tenth of every bar.
    """

    def settle() -> None:
        gc.collect()
        gc.freeze()

    try:
        yield settle
    finally:
        gc.unfreeze()


def _closes(platform: Platform, stop: threading.Event, heart: Heart) -> Iterator[int]:
    """Bar closes as they come; of those that passed while the loop was busy, only the newest."""
    step = platform.settings.live.interval.milliseconds
    settle_ms = int(platform.settings.live.settle_seconds * 1000)
    last: int | None = None
    while not stop.is_set():
        heart.wait()
        try:
            now_ms = platform.clock.now_ms()
        except RetryLater as busy:
            stop.wait(min(busy.retry_after_seconds or 1.0, 30.0))
            continue
        newest = (now_ms - settle_ms) // step * step
        if last is None:
            last = now_ms // step * step
        if newest > last:
            last = newest
            yield newest
            continue
        # Ever more often towards the close, so that it is seen at once.
        remaining = (last + step + settle_ms - now_ms) / 1000
        stop.wait(min(max(remaining / 2, _SHORTEST_POLL_SECONDS), _LONGEST_POLL_SECONDS))
