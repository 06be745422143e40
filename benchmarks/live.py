"""The live loop on 50 symbols: from bar close to orders recorded, and memory over many bars."""

from __future__ import annotations

import os
import statistics
import sys
from datetime import UTC, datetime

import psutil

from benchmarks.home import NOW, SYMBOLS, Home

BAR_MS = 15 * 60_000


def measure(home: Home, bars: int) -> dict[str, object]:
    """Run the loop's own function for a number of bars in a process of its own."""
    return home.run("benchmarks.live", home.url, str(bars)).output


def main(url: str, bars: int) -> None:
    import json
    import threading

    import httpx

    from apps.live.loop import BarOutcome, run_live
    from resources.platform import open_platform

    process = psutil.Process(os.getpid())
    done: list[BarOutcome] = []
    memory: list[float] = []
    start = int(datetime.fromisoformat(NOW).replace(tzinfo=UTC).timestamp() * 1000) // BAR_MS * BAR_MS

    def close_next() -> None:
        """Let the next bar close at the exchange, a second ago."""
        now_ms = start + (len(done) + 1) * BAR_MS + 1_000
        httpx.post(f"{url}/sandbox/clock", json={"now_ms": now_ms}).raise_for_status()

    def report(outcome: BarOutcome) -> None:
        done.append(outcome)
        memory.append(process.memory_info().rss / 2**20)
        if len(done) % 25 == 0:
            print(f"{len(done)} bars, last {outcome.seconds:.2f} s, {memory[-1]:.0f} MiB", file=sys.stderr)
        close_next()

    threading.Timer(3.0, close_next).start()  # once the loop watches the clock
    run_live(report, bars=bars)
    platform = open_platform()
    seconds = [outcome.seconds for outcome in done]
    failed = sum(not outcome.decided for outcome in done)
    with platform.ledger.read() as tx:
        orders = tx.query("select count(*) as n from orders")[0]["n"]
    warm = seconds[2:]
    hourly = [outcome.seconds for outcome in done[2:] if outcome.bar_close_ms % (4 * BAR_MS) == 0]
    quarter = max(len(memory) // 4, 1)
    print(
        json.dumps(
            {
                "symbols": SYMBOLS,
                "bars": bars,
                "failed": failed,
                "orders": orders,
                "p50_seconds": round(statistics.median(warm), 2),
                "p95_seconds": round(statistics.quantiles(warm, n=20)[18], 2),
                "p50_seconds_at_full_hours": round(statistics.median(hourly), 2),
                "max_seconds": round(max(warm), 2),
                "first_bar_seconds": round(seconds[0], 2),
                "memory_after_first_quarter_mib": round(memory[quarter]),
                "memory_at_end_mib": round(memory[-1]),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
