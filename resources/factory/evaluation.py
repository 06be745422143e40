"""Back-tests of genomes over the bars of the lake: what search, gate and the nightly asset score with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from resources.platform import Platform
from trading.errors import BadData
from trading.factory.engine.bars import Bars, bars_from_frame
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.joined import joined
from trading.factory.engine.kept import KeptColumns
from trading.factory.engine.minutes import COLUMNS, bars_of_minutes
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.features import LOOKBACK_BARS
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.genes.rules import SLOPE_BARS
from trading.factory.paper import TICK_MINUTES
from trading.factory.settings import FactorySettings
from trading.model.days import days_between, end_ms
from trading.model.interval import Interval
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import Lake

#: Bars of a genome's own timeframe before the window, so that its slowest column has settled.
WARMUP_BARS = LOOKBACK_BARS + int(SLOPE_BARS.high)
#: Maintenance margin of a leveraged slot, above the first bracket of large pairs.
MAINTENANCE_FRACTION = 0.01


class Evaluator:
    """Back-tests genomes over the window of days that ends with a day; bars and columns are kept.

    Each timeframe has its own warm-up, so that a genome's result does not depend on the genomes beside it.
    Trades happen on bars of 15 minutes, whose closes are the desks' ticks; on bars of 5 minutes, made of
    klines, for genomes that decide that fast. Stops are watched at the closes, as the genome desk does.
    Only symbols with a bar in the window are traded. Where the lake starts later, so does the window.

    Attributes
    ----------
    frictions
        What trading costs the account.
    unseen_days
        What the gate's settings keep from a search.
    window
        First moment that may trade and exclusive end, UTC; right for a lake that starts later once something
        has been back-tested.
    """

    def __init__(
        self, lake: Lake, day: date, window_days: int, frictions: Frictions, gate: GateSettings | None = None
    ) -> None:
        self._lake = lake
        self.frictions = frictions
        self._gate = gate or GateSettings()
        self._bars: dict[Timeframe, Bars] = {}
        self._searched: dict[Timeframe, Bars] = {}
        self._kept = KeptColumns()
        end = datetime.fromtimestamp(end_ms(day) / 1000, UTC)
        self.window = (end - timedelta(days=window_days), end)

    def __call__(self, genomes: Sequence[Genome]) -> Population:
        """Results with all costs, in the order of the genomes.

        Raises
        ------
        BadData
            If there are no genomes, or no bars in the window.
        """
        return self._run(genomes, self.frictions)

    def seen(self, genomes: Sequence[Genome]) -> Population:
        """Results over the window less its newest days, which a search must not see.

        Raises
        ------
        BadData
            If there are no genomes, or no bars in the window.
        """
        return self._run(genomes, self.frictions, seen_only=True)

    @property
    def unseen_days(self) -> int:
        """Newest days of the window that a search does not see; right once something has been back-tested."""
        start, end = self.window
        return self._gate.unseen_days((end - start).days)

    def at_costs(self, genomes: Sequence[Genome], frictions: Frictions) -> Population:
        """Results under other costs than the account's."""
        return self._run(genomes, frictions)

    def _run(self, genomes: Sequence[Genome], frictions: Frictions, *, seen_only: bool = False) -> Population:
        if not genomes:
            raise BadData("genomes: none given; hand in at least one")
        parts = []
        for timeframe in Timeframe:
            places = np.array([i for i, one in enumerate(genomes) if one.timeframe is timeframe], np.int64)
            if places.size:
                chosen = [genomes[place] for place in places]
                # Columns are kept for the search, which asks for the same ones in every round.
                bars, kept = (
                    (self._seen(timeframe), self._kept) if seen_only else (self.bars(timeframe), None)
                )
                parts.append((places, backtest(chosen, bars, frictions, watched=True, kept=kept)))
        return joined(parts)

    def bars(self, timeframe: Timeframe) -> Bars:
        """The bars that genomes of a timeframe are traded on, with their warm-up."""
        if timeframe not in self._bars:
            self._bars[timeframe] = self._read(timeframe.minutes)
        return self._bars[timeframe]

    def _seen(self, timeframe: Timeframe) -> Bars:
        if timeframe not in self._searched:
            bars = self.bars(timeframe)
            end = self.window[1] - timedelta(days=self.unseen_days)
            self._searched[timeframe] = bars.before(int(end.timestamp() * 1000))
        return self._searched[timeframe]

    def _read(self, decides_minutes: int) -> Bars:
        minutes = min(TICK_MINUTES, decides_minutes)
        trade_from, end = self.window
        first = (trade_from - timedelta(minutes=WARMUP_BARS * decides_minutes)).date()
        frame = self._frame(first, minutes)
        traded = frame.filter(pl.col("open_time") >= trade_from)["symbol"].unique()
        frame = frame.filter(pl.col("symbol").is_in(traded.implode()))
        if frame.is_empty():
            raise BadData(f"bars {minutes}m: none from {trade_from} to {end}; ingest or backfill the window")
        start = frame["open_time"].dt.truncate("1d").min()
        assert isinstance(start, datetime)  # noqa: S101 - the frame has rows, all with a time
        self.window = (max(trade_from, start), end)
        return bars_from_frame(frame, start, end, minutes=minutes, trade_from=self.window[0])

    def _frame(self, first: date, minutes: int) -> pl.DataFrame:
        last = (self.window[1] - timedelta(milliseconds=1)).date()
        if minutes == Interval.M15.minutes:
            return self._lake.window(BARS, first, last, Interval.M15, columns=COLUMNS)
        # Day by day: a year of klines at once would not fit.
        return pl.concat(
            bars_of_minutes(self._lake.window(KLINES, day, day, columns=COLUMNS), minutes)
            for day in days_between(first, last)
        )


def evaluator(platform: Platform, day: date, settings: FactorySettings) -> Evaluator:
    """The back-test of the window that ends with a day, with the costs of the paper account.

    Every slot starts with the paper account's deposit: what market impact depends on.
    """
    paper = platform.settings.paper
    frictions = Frictions.of(
        paper.costs, slot_quote=float(paper.initial_cash), maintenance_fraction=MAINTENANCE_FRACTION
    )
    return Evaluator(platform.lake, day, settings.window_days, frictions, settings.gate)
