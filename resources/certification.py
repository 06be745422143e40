"""Judging and certifying days of klines from what the lake holds of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from trading.bars.certificate import CertificateSettings, Evidence, certify
from trading.bars.gaps import GapEvidence, find_gaps
from trading.bars.quality import CheckOutcome, QualitySettings, check_klines, check_staleness
from trading.errors import BadData
from trading.instruments.calendar import Maintenance
from trading.model.days import end_ms
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import (
    KLINE_CERTIFICATES,
    KLINE_GAPS,
    KLINE_REPAIRS,
    KLINE_REVISIONS,
    KLINE_SOURCES,
    KLINE_VERSIONS,
    REFERENCE_KLINES,
)
from warehouse.datasets.instruments import UNIVERSE
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake

#: Bars of the day before that tell how a symbol usually moves.
_BARS_BEFORE = 60
#: Days whose check outcomes a process keeps.
_JUDGED_DAYS = 400


@dataclass(frozen=True, slots=True)
class JudgementRules:
    """Limits and facts that days are judged by.

    Attributes
    ----------
    maintenance
        Announced closures of the venue.
    second_source
        Name of the other venue that is asked; None for none.
    """

    quality: QualitySettings
    certificates: CertificateSettings
    maintenance: Sequence[Maintenance] = ()
    second_source: str | None = None


class KlineJudge:
    """Finds the holes of a day, certifies it and checks it; reads only the lake."""

    def __init__(self, lake: Lake, rules: JudgementRules) -> None:
        self._lake = lake
        self.rules = rules
        self._judged: OrderedDict[date, tuple[tuple[object, ...], list[CheckOutcome]]] = OrderedDict()

    def universe(self, day: date) -> pl.DataFrame:
        """Rows of the ``universe`` dataset that are followed on the day."""
        return self._lake.read(UNIVERSE, day).filter(pl.col("followed"))

    def gaps(self, day: date, closed_ms: int) -> pl.DataFrame:
        """Rows of the ``kline_gaps`` dataset."""
        klines = self._lake.read(KLINES, day)
        repairs = self._lake.window(KLINE_REPAIRS, day, day)
        evidence = GapEvidence(
            fetched_before_ms=self._fetched_before_ms(day, klines, closed_ms),
            maintenance=self.rules.maintenance,
            asked=repairs.select("symbol", "first_missing", "last_missing", "asked"),
        )
        return find_gaps(klines, self.universe(day), day, closed_ms, evidence)

    def certificates(self, day: date, closed_ms: int) -> pl.DataFrame:
        """Rows of the ``kline_certificates`` dataset, from the stored klines and gaps."""
        lake = self._lake
        info = lake.info(KLINES, day)
        evidence = Evidence(
            gaps=lake.read(KLINE_GAPS, day),
            repairs=lake.window(KLINE_REPAIRS, day, day),
            files=lake.window(KLINE_SOURCES, day, day),
            revisions=lake.window(KLINE_REVISIONS, day, day),
            reference=lake.window(REFERENCE_KLINES, day, day),
            second_source=self.rules.second_source,
            final=self._is_final(day),
            klines_sha256=info.sha256 if info else "",
        )
        return certify(
            lake.read(KLINES, day),
            self.universe(day),
            day,
            closed_ms,
            evidence,
            self.rules.certificates,
            missing_fraction=self.rules.quality.symbol_gap_fraction,
        )

    def certified(self, day: date) -> CheckOutcome:
        """Every followed symbol is certified, for exactly the klines that are stored (blocks)."""
        rows = self._lake.window(KLINE_CERTIFICATES, day, day)
        info = self._lake.info(KLINES, day)
        stored = info.sha256 if info else None
        refused = rows.filter(pl.col("status") == "refused")
        if rows.is_empty():
            text = "there is no certificate"
        elif (rows["klines_sha256"] != stored).any():
            text = "the klines were changed after they were certified"
        elif refused.height:
            text = f"{refused.height} refused, first {refused['symbol'][0]}: {refused['reason'][0]}"
        else:
            text = f"{rows.height} symbols certified"
        passed = bool(rows.height) and refused.is_empty() and bool((rows["klines_sha256"] == stored).all())
        shown = refused.select("symbol", "reason", "expected", "observed").head(20)
        return CheckOutcome("certified", passed, "block", float(refused.height), 0.0, shown, text)

    def require_certified(self, day: date) -> pl.DataFrame:
        """The klines of a day, for whoever builds on them.

        Raises
        ------
        BadData
            If they are not certified: names the reason and the command that repairs them.
        """
        outcome = self.certified(day)
        if not outcome.passed:
            raise BadData(
                f"klines of {day} are not certified: {outcome.description}; fetch and certify them with "
                f"`tidemill backfill --from {day} --to {day}`"
            )
        return self._lake.read(KLINES, day)

    def outcomes(self, day: date, closed_ms: int, now_ms: int) -> list[CheckOutcome]:
        """Every check of one day's klines.

        What a partition holds is judged once; how old the open day's newest kline is, every time.
        """
        klines = self._lake.read(KLINES, day)
        outcomes = self._judge(day, klines, closed_ms)
        if closed_ms == end_ms(day):
            return outcomes
        stale = check_staleness(klines, now_ms, self.rules.quality)
        return [stale if outcome.name == stale.name else outcome for outcome in outcomes]

    def _judge(self, day: date, klines: pl.DataFrame, closed_ms: int) -> list[CheckOutcome]:
        before = day - timedelta(days=1)
        used = ((KLINES, day), (UNIVERSE, day), (KLINE_REPAIRS, day), (KLINES, before))
        stored = [self._lake.info(dataset, of) for dataset, of in used]
        key = (closed_ms, *(info.sha256 if info else "" for info in stored))
        known, outcomes = self._judged.get(day, (None, []))
        if known != key:
            outcomes = check_klines(
                klines,
                self.gaps(day, closed_ms),
                self.universe(day),
                day,
                closed_ms,
                self.rules.quality,
                previous=_last_bars(self._lake.window(KLINES, before, before)),
            )
            self._judged[day] = (key, outcomes)
            if len(self._judged) > _JUDGED_DAYS:
                self._judged.popitem(last=False)
        return outcomes

    def _is_final(self, day: date) -> bool:
        return bool(self._lake.window(KLINE_VERSIONS, day, day)["final"].any())

    def _fetched_before_ms(self, day: date, klines: pl.DataFrame, closed_ms: int) -> int | None:
        """End of the last fetch of a day that has closed since; None when nothing closed after it."""
        if closed_ms < end_ms(day) or self._is_final(day):
            return None
        newest = klines["open_time"].dt.epoch("ms").max()
        return None if newest is None else int(newest) + MINUTE_MS  # type: ignore[call-overload]


def _last_bars(klines: pl.DataFrame) -> pl.DataFrame | None:
    """The last klines of each symbol, which stand together; None when the day before is not stored."""
    if klines.is_empty():
        return None
    lengths = klines["symbol"].rle().struct.field("len").to_numpy().astype(np.int64)
    ends = lengths.cumsum()
    kept = np.minimum(lengths, _BARS_BEFORE)
    return klines[
        np.concatenate([np.arange(end - count, end) for end, count in zip(ends, kept, strict=True)])
    ]
