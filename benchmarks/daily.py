"""The daily run on 50 symbols, from klines to orders, and where its time goes."""

from __future__ import annotations

from benchmarks.home import SYMBOLS, Home


def measure(home: Home) -> dict[str, object]:
    first = home.run("apps.cli.main", "run", "daily", "--json")  # trains the model and warms caches
    _forget_the_day(home)
    daily = home.run("apps.cli.main", "run", "daily", "--json")
    steps = home.run("benchmarks.steps").output
    computing = sum(step["computing_seconds"] for step in steps)
    return {
        "symbols": SYMBOLS,
        "minute_bars": SYMBOLS * 1440,
        "seconds": round(daily.seconds, 1),
        "first_run_seconds": round(first.seconds, 1),
        "peak_mib": round(daily.peak_mib),
        "orders": len(daily.output["orders"]),
        "computing_seconds": round(computing, 1),
        "orchestration_seconds": round(sum(s["step_seconds"] for s in steps) - computing, 1),
        "outside_steps_seconds": round(daily.seconds - sum(s["step_seconds"] for s in steps), 1),
        "steps": sorted(steps, key=lambda step: -step["step_seconds"])[:15],
    }


def _forget_the_day(home: Home) -> None:
    """Drop the day's ledger, so that the measured run decides and orders like the first."""
    for path in (home.folder / "var").glob("ledger.duckdb*"):
        path.unlink()
