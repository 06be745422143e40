"""Certifying days of the perpetuals' series from what the lake holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from trading.bars.futures_certificate import SeriesFacts, certify_series
from trading.bars.futures_gaps import (
    OPEN_INTEREST_STEP_MS,
    find_funding_gaps,
    find_open_interest_gaps,
    payments_due,
)
from trading.bars.gaps import GapEvidence, expected_minutes, find_gaps
from trading.bars.quality import CheckOutcome
from trading.errors import BadData
from trading.instruments.calendar import Maintenance
from trading.instruments.rows import instruments_of
from trading.model.days import end_ms, start_ms
from trading.model.series import Market
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST
from warehouse.datasets.futures_certificates import (
    CERTIFIED_SERIES,
    FUTURES_CERTIFICATES,
    FUTURES_GAPS,
    FUTURES_REPAIRS,
    FUTURES_SOURCES,
)
from warehouse.datasets.futures_history import FUTURES_REVISIONS
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.lake.lake import Lake
from warehouse.schema import TIMESTAMP, Dataset

_CONTRACT_SCHEMA = {
    "symbol": pl.String(),
    "listed_at": TIMESTAMP,
    "delisted_at": TIMESTAMP,
    "interval_hours": pl.Int64(),
}


class FuturesJudge:
    """Finds the holes of the perpetuals' series and certifies them; reads only the lake.

    Parameters
    ----------
    missing_fraction
        Largest share of a contract's rows that may be missing although they must exist.
    maintenance
        Announced closures of the venue.
    """

    def __init__(self, lake: Lake, missing_fraction: float, maintenance: Sequence[Maintenance] = ()) -> None:
        self._lake = lake
        self._missing_fraction = missing_fraction
        self._maintenance = maintenance

    def contracts(self, day: date) -> pl.DataFrame:
        """Perpetuals of the coins in the day's universe, as of the day's end.

        Returns
        -------
        polars.DataFrame
            Columns ``symbol``, ``listed_at``, ``delisted_at`` and ``interval_hours`` of the funding: the
            longer of the two where it changed on the day. Sorted by symbol.
        """
        rows = self._lake.read(INSTRUMENTS, day)
        before = instruments_of(rows, start_ms(day), Market.USDM)
        coins = set(self._lake.read(UNIVERSE, day).filter("followed")["base"])
        found = []
        for item in instruments_of(rows, end_ms(day) - 1, Market.USDM).values():
            if item.underlying in coins:
                earlier = before.get(item.symbol, item)
                intervals = (item.funding_interval_hours, earlier.funding_interval_hours)
                hours = max((known for known in intervals if known is not None), default=None)
                found.append((item.symbol, item.listed_at_ms, item.delisted_at_ms, hours))
        raw = {name: pl.Int64() if kind == TIMESTAMP else kind for name, kind in _CONTRACT_SCHEMA.items()}
        return pl.DataFrame(found, schema=raw, orient="row").cast(_CONTRACT_SCHEMA).sort("symbol")

    def gaps(self, day: date, closed_ms: int) -> pl.DataFrame:
        """Rows of the ``futures_gaps`` dataset: the holes of every series that is stored."""
        contracts = self.contracts(day)
        parts = [pl.DataFrame(schema=FUTURES_GAPS.schema)]
        for dataset in self._stored(day):
            found = self._gaps(dataset, contracts, day, closed_ms)
            parts.append(
                found.rename({"missing_minutes": "missing_rows"})
                .with_columns(pl.lit(dataset.name).alias("series"))
                .select(list(FUTURES_GAPS.schema))
            )
        return pl.concat(parts).sort(FUTURES_GAPS.key)

    def certificates(self, day: date, closed_ms: int) -> pl.DataFrame:
        """Rows of the ``futures_certificates`` dataset, from the stored series and gaps."""
        contracts = self.contracts(day)
        gaps = self._lake.read(FUTURES_GAPS, day).rename({"missing_rows": "missing_minutes"})
        repairs = self._lake.window(FUTURES_REPAIRS, day, day)
        files = self._lake.window(FUTURES_SOURCES, day, day)
        revisions = self._lake.window(FUTURES_REVISIONS, day, day)
        parts = [pl.DataFrame(schema=FUTURES_CERTIFICATES.schema)]
        for dataset in self._stored(day):
            of_series = pl.col("series") == dataset.name
            info = self._lake.info(dataset, day)
            facts = SeriesFacts(
                name=dataset.name,
                rows=self._lake.read(dataset, day),
                expected=self._expected(dataset, contracts, day, closed_ms),
                gaps=gaps.filter(of_series),
                repairs=repairs.filter(of_series),
                files=files.filter(of_series),
                revisions=revisions.filter(of_series),
                sha256=info.sha256 if info else "",
            )
            parts.append(certify_series(facts, missing_fraction=self._missing_fraction))
        return pl.concat(parts).sort(FUTURES_CERTIFICATES.key)

    def certified(self, day: date, series: Sequence[Dataset] = CERTIFIED_SERIES) -> CheckOutcome:
        """Every contract of the series is certified, for exactly the rows that are stored (blocks)."""
        rows = self._lake.window(FUTURES_CERTIFICATES, day, day)
        unproven = [dataset.name for dataset in series if not self._speaks_of(rows, dataset, day)]
        refused = rows.filter(
            (pl.col("status") == "refused") & pl.col("series").is_in([dataset.name for dataset in series])
        )
        if unproven:
            text = f"{', '.join(unproven)}: there is no certificate of what is stored"
        elif refused.height:
            first = refused.row(0, named=True)
            text = (
                f"{refused.height} refused, first {first['symbol']} of {first['series']}: {first['reason']}"
            )
        else:
            text = f"{len(series)} series certified"
        shown = refused.select("series", "symbol", "reason", "expected", "observed").head(20)
        passed = not unproven and refused.is_empty()
        return CheckOutcome("certified", passed, "block", float(refused.height), 0.0, shown, text)

    def require_certified(self, dataset: Dataset, day: date) -> pl.DataFrame:
        """The rows of a series, for whoever builds on them.

        Raises
        ------
        BadData
            If they are not certified: names the reason and the command that repairs them.
        """
        outcome = self.certified(day, (dataset,))
        if not outcome.passed:
            raise BadData(
                f"{dataset.name} of {day} is not certified: {outcome.description}; fetch and certify it "
                f"with `tidemill backfill --futures --from {day} --to {day}`"
            )
        return self._lake.read(dataset, day)

    def _speaks_of(self, certificates: pl.DataFrame, dataset: Dataset, day: date) -> bool:
        """Whether there are certificates of the stored bytes; a day without contracts needs none."""
        info = self._lake.info(dataset, day)
        own = certificates.filter(pl.col("series") == dataset.name)
        if info is None or self._lake.info(FUTURES_CERTIFICATES, day) is None:
            return False
        return bool((own["partition_sha256"] == info.sha256).all()) and (own.height > 0 or info.rows == 0)

    def _stored(self, day: date) -> list[Dataset]:
        return [dataset for dataset in CERTIFIED_SERIES if self._lake.info(dataset, day) is not None]

    def _gaps(self, dataset: Dataset, contracts: pl.DataFrame, day: date, closed_ms: int) -> pl.DataFrame:
        rows = self._lake.read(dataset, day)
        asked = self._lake.window(FUTURES_REPAIRS, day, day).filter(pl.col("series") == dataset.name)
        evidence = GapEvidence(
            maintenance=self._maintenance,
            asked=asked.select("symbol", "first_missing", "last_missing", "asked"),
        )
        if dataset is FUNDING_RATES:
            return find_funding_gaps(payments_due(rows, contracts, day, closed_ms), contracts, evidence)
        if dataset is OPEN_INTEREST:
            return find_open_interest_gaps(rows, contracts, day, closed_ms, evidence)
        return find_gaps(rows, contracts, day, closed_ms, evidence)

    def _expected(self, dataset: Dataset, contracts: pl.DataFrame, day: date, closed_ms: int) -> pl.DataFrame:
        """Columns ``symbol`` and ``expected``; null where nobody can tell."""
        if dataset is OPEN_INTEREST:
            return expected_minutes(contracts, day, closed_ms, OPEN_INTEREST_STEP_MS)
        if dataset is not FUNDING_RATES:
            return expected_minutes(contracts, day, closed_ms)
        due = payments_due(self._lake.read(dataset, day), contracts, day, closed_ms)
        counts = due.group_by("symbol").agg(pl.len().cast(pl.Int64).alias("expected"))
        return contracts.select("symbol").join(counts, on="symbol", how="left", maintain_order="left")
