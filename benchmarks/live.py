"""The live loop on 50 symbols: from bar close to orders recorded, and memory over many bars."""

from __future__ import annotations

import os
import statistics
import sys
import time
from datetime import UTC, datetime

import psutil

from benchmarks.home import NOW, SYMBOLS, Home

BAR_MS = 15 * 60_000


def measure(home: Home, bars: int) -> dict[str, object]:
    """Run the loop's own function for a number of bars in a process of its own."""
    return home.run("benchmarks.live", home.url, str(bars)).output


def main(url: str, bars: int) -> None:
    import json

    import dagster as dg
    import httpx

    from apps.live.loop import trade_bar
    from resources.platform import open_platform

    platform = open_platform()
    start = int(datetime.fromisoformat(NOW).replace(tzinfo=UTC).timestamp() * 1000) // BAR_MS * BAR_MS
    process = psutil.Process(os.getpid())
    seconds, memory, failed, orders = [], [], 0, 0
    with dg.DagsterInstance.get() as instance:
        for bar in range(1, bars + 1):
            close_ms = start + bar * BAR_MS
            httpx.post(f"{url}/sandbox/clock", json={"now_ms": close_ms + 1_000}).raise_for_status()
            begun = time.monotonic()
            outcome = trade_bar(platform, instance, close_ms)
            seconds.append(time.monotonic() - begun)
            memory.append(process.memory_info().rss / 2**20)
            failed += not outcome.decided
            if bar % 25 == 0:
                print(f"{bar} bars, last {seconds[-1]:.2f} s, {memory[-1]:.0f} MiB", file=sys.stderr)
    with platform.ledger.read() as tx:
        orders = tx.query("select count(*) as n from orders")[0]["n"]
    warm = seconds[2:]
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
                "max_seconds": round(max(warm), 2),
                "first_bar_seconds": round(seconds[0], 2),
                "memory_after_first_quarter_mib": round(memory[quarter]),
                "memory_at_end_mib": round(memory[-1]),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
