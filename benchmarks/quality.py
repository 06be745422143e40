"""What trust costs: certificates and checks of 50 symbols and a day, against the time of fetching the day."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date

from benchmarks.home import SYMBOLS, Home

_TIMES = 15


def measure(home: Home, day: date) -> dict[str, object]:
    """Judge a stored day of the home in a process of its own."""
    return home.run("benchmarks.quality", day.isoformat()).output


def _median_seconds(work: Callable[[], object]) -> float:
    work()  # what is compiled or cached on first use is not what a day costs
    seconds = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def main(day: date) -> None:
    from resources.certification import KlineJudge
    from resources.platform import open_platform
    from trading.model.days import end_ms
    from warehouse.datasets.market import KLINES

    platform = open_platform()
    closed_ms = end_ms(day)
    klines = platform.lake.info(KLINES, day)

    def fetch() -> None:
        found = platform.ingest.fetch(platform.universe(day), day)
        platform.ingest.record(day, found, platform.lake.write(KLINES, day, found.klines))

    def certify() -> None:
        platform.judge.gaps(day, closed_ms)
        platform.judge.certificates(day, closed_ms)

    def check() -> None:
        # A new judge has judged nothing yet.
        KlineJudge(platform.lake, platform.judge.rules).outcomes(day, closed_ms, platform.clock.now_ms())

    seconds = {
        "fetch": _median_seconds(fetch),
        "certify": _median_seconds(certify),
        "check": _median_seconds(check),
    }
    print(
        json.dumps(
            {
                "symbols": SYMBOLS,
                "rows": klines.rows if klines else 0,
                **{f"{name}_seconds": round(value, 3) for name, value in seconds.items()},
                "checks_share_of_the_asset": round(
                    seconds["check"] / (seconds["check"] + seconds["fetch"]), 3
                ),
            }
        )
    )


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
