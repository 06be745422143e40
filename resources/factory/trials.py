"""The trial ledger: records in the lake, seals in the ledger's audit chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from resources.factory.trial_rows import fingerprints_of, frame_of, trials_of
from trading.errors import BadData, HaltTrading
from trading.factory.trials.chain import (
    NOTHING,
    Segment,
    Stored,
    TrialReport,
    contradiction,
    links,
    misplaced,
    seals_contradiction,
)
from trading.factory.trials.count import DRAWS, TrialCount, best_of_luck, count_clusters, counted
from trading.factory.trials.record import Trial, content_hash
from trading.statistics.sample import Floats
from warehouse.datasets.trials import TRIALS
from warehouse.lake.lake import Lake
from warehouse.ledger import trial_seals
from warehouse.ledger.backend import Ledger, Transaction


class TrialBook:
    """Appends trials and proves them. One ledger owns the trials of a lake."""

    def __init__(self, lake: Lake, ledger: Ledger) -> None:
        self._lake = lake
        self._ledger = ledger
        #: What was read of a partition: hash of its file, records, those that can win, bests of luck.
        self._luck: dict[date, tuple[str, int, int, Floats]] = {}

    def append(self, trials: Sequence[Trial], at_ms: int) -> Segment:
        """Add the trials of one day as a segment.

        The records are written before their seal: after a crash between the two, the next append seals
        what it finds. The ledger's write lock is held meanwhile, so that appends are serial.

        Raises
        ------
        BadData
            If there are no trials, or they are of several days.
        HaltTrading
            If the lake holds records that neither were sealed nor continue the chain: run
            `tidemill trials verify`.
        """
        days = {trial.day for trial in trials}
        if len(days) != 1:
            raise BadData(f"trials: an append holds trials of one day, these are of {len(days)}; split them")
        day = days.pop()
        hashes = [content_hash(trial, at_ms) for trial in trials]
        moment = datetime.fromtimestamp(at_ms / 1000, UTC)
        with self._ledger.transaction() as tx:
            before = self._adopted(tx, at_ms)
            chained = links(before.head, hashes)
            segment = Segment(before.number + 1, day, len(trials), before.head, chained[-1])
            rows = frame_of(trials, segment.number, moment, chained)
            if self._lake.info(TRIALS, day) is not None:
                rows = pl.concat([self._lake.read(TRIALS, day), rows])
            self._lake.write(TRIALS, day, rows)
            trial_seals.seal(tx, segment, at_ms)
        return segment

    def append_new(self, trials: Sequence[Trial], at_ms: int) -> Segment | None:
        """Add the trials of a day that are not on record with the same returns; None where all are.

        A day that is searched again finds the same: that is no new look at anything.
        """
        if not trials:
            return None
        rows = self.read(trials[0].day, trials[0].day).select("strategy_id", "returns_hash")
        known = set(rows.iter_rows())
        fresh = [one for one in trials if (one.strategy_id, one.returns and one.returns.sha256) not in known]
        return self.append(fresh, at_ms) if fresh else None

    def verify(self) -> TrialReport:
        """Check every record against its link, every segment against its seal.

        The seals stand in the audit chain, which `tidemill audit verify` proves.
        """
        with self._ledger.read() as tx:
            segments = trial_seals.segments(tx)
        problem, at = seals_contradiction(segments)
        if problem:
            return TrialReport(False, 0, 0, 0, problem, at)
        problem, at = misplaced(segments, self._places())
        if problem:
            return TrialReport(False, 0, 0, 0, problem, at)
        return self._proven(segments)

    def _proven(self, segments: Sequence[Segment]) -> TrialReport:
        proven, records = 0, 0
        by_day: dict[date, list[Segment]] = {}
        for segment in segments:
            by_day.setdefault(segment.day, []).append(segment)
        for day, sealed in by_day.items():
            stored = self._stored(day)
            for segment in sealed:
                problem = contradiction(segment, stored.get(segment.number, []))
                if problem:
                    return TrialReport(False, proven, records, 0, problem, segment.number)
                proven, records = proven + 1, records + segment.records
        try:
            cut_off = self._cut_off(segments[-1] if segments else NOTHING)
        except HaltTrading as broken:
            return TrialReport(False, proven, records, 0, str(broken), len(segments) + 1)
        return TrialReport(True, proven, records, 0 if cut_off is None else cut_off.records)

    def read(self, first_day: date | None = None, last_day: date | None = None) -> pl.DataFrame:
        """Records of the days from first to last, all of them where None; columns of the dataset."""
        days = self._lake.days(TRIALS)
        if not days:
            return pl.DataFrame(schema=TRIALS.schema)
        return self._lake.scan(TRIALS, first_day or days[0], last_day or days[-1]).collect()

    def count(self, last_day: date | None = None, *, seed: int = 0) -> TrialCount:
        """How many independent trials all records up to a day are worth; partitions are read once."""
        best, recorded, able = np.full(DRAWS, -np.inf), 0, 0
        for day in self._days(last_day):
            info = self._lake.info(TRIALS, day)
            if info is None:
                continue
            known = self._luck.get(day)
            if known is None or known[0] != info.sha256:
                rows = self._lake.read(TRIALS, day)
                found = best_of_luck(fingerprints_of(rows), seed=seed)
                known = self._luck[day] = (info.sha256, rows.height, *found)
            recorded, able = recorded + known[1], able + known[2]
            np.maximum(best, known[3], out=best)
        return counted(recorded, able, best)

    def seen_to(self, strategy_ids: Iterable[str]) -> dict[str, date]:
        """Newest day that a trial of each strategy was looked at on, by id; who has no returns on record is absent."""
        days = self._lake.days(TRIALS)
        if not days:
            return {}
        last = pl.col("first_day") + pl.duration(days=pl.col("returns_steps").bin.size() - 1)
        rows = (
            self._lake.scan(TRIALS, days[0], days[-1], columns=["strategy_id", "first_day", "returns_steps"])
            .filter(pl.col("strategy_id").is_in(list(strategy_ids)), pl.col("returns_steps").is_not_null())
            .group_by("strategy_id")
            .agg(last.max())
            .collect()
        )
        return dict(rows.iter_rows())

    def clusters(self, last_day: date | None = None, *, seed: int = 0) -> int:
        """How many different things were tried up to a day."""
        found = [
            item for day in self._days(last_day) for item in fingerprints_of(self._lake.read(TRIALS, day))
        ]
        return count_clusters(found, seed=seed)

    def _days(self, last_day: date | None) -> Iterator[date]:
        return (day for day in self._lake.days(TRIALS) if last_day is None or day <= last_day)

    def _adopted(self, tx: Transaction, at_ms: int) -> Segment:
        """The newest seal, after sealing what an append that was cut off left behind."""
        last = trial_seals.last(tx)
        cut_off = self._cut_off(last)
        if cut_off is None:
            return last
        trial_seals.seal(tx, cut_off, at_ms)
        return cut_off

    def _cut_off(self, last: Segment) -> Segment | None:
        """Records behind the last seal as the segment that they would be; None without any.

        Raises
        ------
        HaltTrading
            If they do not continue the chain.
        """
        days = self._lake.days(TRIALS)
        if not days:
            return None
        newest = self._lake.scan(TRIALS, days[0], days[-1], columns=["segment"]).max().collect().item()
        if newest is None or newest <= last.number:
            return None
        return self._unsealed(last)

    def _unsealed(self, last: Segment) -> Segment:
        beyond = {number: days for number, days in self._places().items() if number > last.number}
        number = last.number + 1
        days = beyond.get(number, set())
        if set(beyond) == {number} and len(days) == 1:
            day = next(iter(days))
            stored = self._stored(day)[number]
            segment = Segment(number, day, len(stored), last.head, stored[-1].link)
            if not contradiction(segment, stored):
                return segment
        raise HaltTrading(
            f"trials: records of segment {min(beyond)} were never sealed and do not continue the chain; "
            "restore the partition from a backup, or find who wrote it"
        )

    def _places(self) -> dict[int, set[date]]:
        """Days in whose partitions records of a segment lie, by its number."""
        found: dict[int, set[date]] = {}
        for day in self._lake.days(TRIALS):
            numbers = self._lake.scan(TRIALS, day, day, columns=["segment"]).unique().collect()
            for number in numbers["segment"]:
                found.setdefault(number, set()).add(day)
        return found

    def _stored(self, day: date) -> dict[int, list[Stored]]:
        """Records of a partition by segment, with the hash of what is there now."""
        found: dict[int, list[Stored]] = {}
        if self._lake.info(TRIALS, day) is None:
            return found
        rows = self._lake.read(TRIALS, day)
        places = rows.select("segment", "position", pl.col("recorded_at").dt.epoch("ms"), "link").iter_rows()
        for (number, position, at_ms, claimed), trial in zip(places, trials_of(rows), strict=True):
            found.setdefault(number, []).append(Stored(position, content_hash(trial, at_ms), claimed))
        return found
