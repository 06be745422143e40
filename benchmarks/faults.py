"""How many faults in real bars are caught, how many clean bars are refused, and what it costs.

python -m benchmarks.faults [--injections N] [--seed N]
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.fault_injection import (
    BEYOND_PROOF,
    INJECTORS,
    Outcome,
    Window,
    bad_checksum,
    injected,
    shown,
    truncated_file,
)
from trading.bars.faults.finding import FaultKind
from trading.bars.faults.judgement import Context, judge
from trading.bars.quality import QualitySettings, check_klines
from trading.model.interval import DAY_MS, MINUTE_MS

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
#: Bars before a window that its first bars are judged by.
_BEFORE = 60


@dataclass(frozen=True)
class Collection:
    """Real bars of one market and interval, whole symbols in order, and the windows they are cut into."""

    folder: str
    interval_ms: int
    window: str
    every_day: bool = True


COLLECTIONS = (
    Collection("binance/usdm/1m", MINUTE_MS, "1d"),
    Collection("binance/spot/5m", 5 * MINUTE_MS, "1d"),
    Collection("binance/spot/1h", 60 * MINUTE_MS, "1mo"),
    Collection("binance/usdm/1h", 60 * MINUTE_MS, "1mo"),
)
#: Judged for false blocks too, but without a volume there is little to inject.
MARK = Collection("binance/usdm/mark_1h", 60 * MINUTE_MS, "1mo")


class Bars:
    """The symbols of a collection, and random windows of them."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.symbols = {
            path.stem: pl.read_parquet(path, hive_partitioning=False).sort("open_time")
            for path in sorted((DATA / collection.folder).glob("src=*/*.parquet"))
        }

    def window(self, random: np.random.Generator) -> Window:
        """A random symbol in a random window that it has at least a quarter of, beside two others."""
        while True:
            victim, donor, *others = (
                str(name) for name in random.choice(list(self.symbols), 4, replace=False)
            )
            bars = self.symbols[victim]
            moment = bars["open_time"][int(random.integers(bars.height))]
            start = pl.Series([moment]).dt.truncate(self.collection.window)
            end = start.dt.offset_by(self.collection.window)
            found = self._between(victim, start[0], end[0])
            beside = self._between(donor, start[0], end[0])
            most = (end[0] - start[0]).total_seconds() * 1000 / self.collection.interval_ms
            if found.height < max(40, most / 4) or beside.height < found.height:
                continue
            first, last = (int(found["open_time"].to_physical()[at]) for at in (0, -1))
            named = (victim, donor, *others)
            context = Context(
                self.collection.interval_ms,
                as_of_ms=last + self.collection.interval_ms,
                window_ms=(first, last + self.collection.interval_ms),
                previous=pl.concat([self._before(name, start[0]) for name in named]),
            )
            rest = pl.concat([self._between(name, start[0], end[0]) for name in others])
            return Window(victim, found, rest, beside, context)

    def partitions(self) -> Iterator[tuple[pl.DataFrame, Context]]:
        """Every day of the collection, all symbols together, with the bars before it."""
        everything = pl.concat(list(self.symbols.values())).sort("open_time", "symbol")
        days = everything.with_columns(pl.col("open_time").dt.date().alias("day")).partition_by(
            "day", as_dict=True, include_key=False, maintain_order=True
        )
        previous = None
        for (day,), bars in days.items():
            assert isinstance(day, date)
            end = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000) + DAY_MS
            yield bars, Context(self.collection.interval_ms, as_of_ms=end, previous=previous)
            previous = bars.group_by("symbol", maintain_order=True).tail(_BEFORE)

    def files(self) -> Iterator[tuple[pl.DataFrame, Context]]:
        """Every file whole, as somebody would check it by itself."""
        for bars in self.symbols.values():
            last = int(bars["open_time"].to_physical()[-1])
            yield bars, Context(self.collection.interval_ms, as_of_ms=last + self.collection.interval_ms)

    def _between(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        bars = self.symbols[symbol]
        first, last = bars["open_time"].search_sorted(pl.Series([start, end]).cast(bars.schema["open_time"]))
        return bars.slice(first, last - first)

    def _before(self, symbol: str, start: datetime) -> pl.DataFrame:
        bars = self.symbols[symbol]
        last = int(bars["open_time"].search_sorted(pl.Series([start]).cast(bars.schema["open_time"]))[0])
        return bars.slice(max(0, last - _BEFORE), min(last, _BEFORE))


def inject(number: int, seed: int) -> dict[FaultKind, list[Outcome]]:
    """So many faults, as many of each kind, into windows of all collections; the same for a seed."""
    random = np.random.default_rng(seed)
    collections = [Bars(collection) for collection in COLLECTIONS]
    days = _days()
    kinds = [*INJECTORS, FaultKind.TRUNCATED_FILE, FaultKind.BAD_CHECKSUM]
    outcomes: dict[FaultKind, list[Outcome]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(number):
            kind = kinds[turn % len(kinds)]
            if kind in INJECTORS:
                bars = collections[int(random.integers(len(collections)))]
                outcome = injected(kind, bars.window(random), random)
            else:
                text, symbol, day = days[int(random.integers(len(days)))]
                outcome = (
                    truncated_file(text, symbol, day, random)
                    if kind is FaultKind.TRUNCATED_FILE
                    else bad_checksum(text, symbol, day, random, Path(folder))
                )
            outcomes[kind].append(outcome)
    return outcomes


def caught(outcomes: dict[FaultKind, list[Outcome]]) -> dict[str, object]:
    """Share of each kind that was caught, with its 95 % Wilson interval, and each variant's misses."""
    figures: dict[str, object] = {}
    for kind, some in outcomes.items():
        tried = Counter(outcome.variant for outcome in some)
        missed = Counter(outcome.variant for outcome in some if not outcome.caught)
        figures[kind.value] = {
            **_share(sum(outcome.caught for outcome in some), len(some)),
            "named": round(sum(outcome.named for outcome in some) / len(some), 4),
            "variants": {name: f"{tried[name] - missed[name]}/{tried[name]}" for name in sorted(tried)},
        }
    everything = [outcome for some in outcomes.values() for outcome in some]
    figures["all"] = _share(sum(outcome.caught for outcome in everything), len(everything))
    return figures


def beyond_proof(number: int, seed: int) -> dict[str, object]:
    """Share of the faults that bars alone cannot prove which is shown at least as a warning."""
    random = np.random.default_rng(seed)
    collections = [Bars(collection) for collection in COLLECTIONS]
    tried: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for turn in range(number):
        window = collections[int(random.integers(len(collections)))].window(random)
        name, said = shown(BEYOND_PROOF[turn % len(BEYOND_PROOF)], window, random)
        tried[name] += 1
        told[name] += said
    return {name: _share(told[name], tried[name]) for name in tried}


def clean() -> dict[str, object]:
    """Findings over all clean bars: each day with the day before it, and each file whole."""
    figures: dict[str, object] = {}
    for collection in (*COLLECTIONS, MARK):
        bars = Bars(collection)
        for way, parts in (("days", bars.partitions()), ("files", bars.files())):
            findings: Counter[str] = Counter()
            rows = number = 0
            for frame, context in parts:
                number, rows = number + 1, rows + frame.height
                findings.update(f"{found.severity}:{found.kind.value}" for found in judge(frame, context))
            blocks = sum(count for name, count in findings.items() if name.startswith("block"))
            figures[f"{collection.folder} {way}"] = {
                "judged": number,
                "rows": rows,
                "false_blocks": blocks,
                "findings": dict(findings),
            }
    return figures


def cost(symbols: int = 50, tries: int = 15) -> dict[str, object]:
    """Seconds that every check of a day of one-minute bars takes: real bars, scaled to more symbols."""
    bars = Bars(COLLECTIONS[0])
    start = datetime(2025, 5, 10, tzinfo=UTC)
    names = list(bars.symbols)
    days, before = [], []
    for number in range(symbols):
        scale = 1 + number // len(names) / 97
        for into, part in (
            (days, bars._between(names[number % len(names)], start, datetime(2025, 5, 11, tzinfo=UTC))),
            (before, bars._before(names[number % len(names)], start)),
        ):
            columns = [pl.col(name) * scale for name in ("open", "high", "low", "close", "volume")]
            into.append(part.with_columns(pl.lit(f"S{number:02d}").alias("symbol"), *columns))
    day, previous = pl.concat(days), pl.concat(before)
    nobody = pl.lit(None, pl.Datetime("ms", "UTC"))
    listed = pl.DataFrame({"symbol": sorted(day["symbol"].unique())}).with_columns(
        nobody.alias("listed_at"), nobody.alias("delisted_at")
    )
    gaps = pl.DataFrame(
        schema={"symbol": pl.String, "first_missing": pl.Datetime("ms", "UTC"), "last_missing": pl.Datetime("ms", "UTC"),
                "missing_minutes": pl.Int64, "kind": pl.String}
    )  # fmt: skip
    seconds = []
    for _ in range(tries):
        begun = time.perf_counter()
        end_ms = int(start.timestamp() * 1000) + DAY_MS
        outcomes = check_klines(day, gaps, listed, start.date(), end_ms, QualitySettings(), previous)
        seconds.append(time.perf_counter() - begun)
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    return {
        "rows": day.height,
        "best_ms": round(min(seconds) * 1000, 1),
        "median_ms": round(sorted(seconds)[tries // 2] * 1000, 1),
        "failed": failed,
    }


def measure(injections: int, seed: int) -> dict[str, object]:
    """Every figure."""
    begun = time.perf_counter()
    shares = caught(inject(injections, seed))
    return {
        "cost_of_checks": cost(),
        "seed": seed,
        "injections": shares,
        "injection_seconds": round(time.perf_counter() - begun, 1),
        "beyond_proof": beyond_proof(injections // 10, seed),
        "clean": clean(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=10_200)
    parser.add_argument("--seed", type=int, default=20260105)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.injections, arguments.seed), indent=1))


def _days() -> list[tuple[bytes, str, date]]:
    """Real daily files as the venue published them: their text, symbol and day."""
    found = []
    for path in sorted((DATA / "raw" / "binance_vision_spot_1m").glob("*.csv.gz")):
        symbol, _, day = path.name.removesuffix(".csv.gz").split("-", 2)
        found.append((gzip.decompress(path.read_bytes()), symbol, date.fromisoformat(day)))
    return found


def _share(hits: int, tries: int, z: float = 1.959964) -> dict[str, object]:
    """Share with its Wilson score interval (Wilson 1927)."""
    share = hits / tries
    centre = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    half = z / (1 + z * z / tries) * ((share * (1 - share) + z * z / (4 * tries)) / tries) ** 0.5
    return {
        "tried": tries,
        "caught": hits,
        "share": round(share, 5),
        "interval": [round(max(0.0, centre - half), 5), round(min(1.0, centre + half), 5)],
    }


if __name__ == "__main__":
    main()
