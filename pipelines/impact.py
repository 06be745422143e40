"""What a late correction of one day's partition touches downstream, and what of it was built since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg

from pipelines.asset_nodes import Node, downstream, nodes_of, roots_of, stored_days
from pipelines.touched_assets import TouchedAsset, walk
from pipelines.touched_results import (
    MODEL,
    SEARCH,
    TouchedDecisions,
    TouchedModel,
    TouchedStrategies,
    decisions,
    models,
    strategies,
)
from trading.errors import BadData
from warehouse.datasets.futures_certificates import CERTIFIED_SERIES
from warehouse.lake.lake import Lake
from warehouse.ledger.backend import Ledger

_SERIES = frozenset(dataset.name for dataset in CERTIFIED_SERIES)
_FUTURES = "--futures "


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything that one partition's correction touches.

    Attributes
    ----------
    corrected_at
        When the partition was last made; None when Dagster has no record of it.
    last_day
        Last stored day that is touched.
    command
        What makes the touched days anew.
    """

    dataset: str
    day: date
    corrected_at: datetime | None
    last_day: date
    assets: tuple[TouchedAsset, ...]
    models: tuple[TouchedModel, ...]
    strategies: tuple[TouchedStrategies, ...]
    decisions: tuple[TouchedDecisions, ...]
    command: str

    @property
    def stale(self) -> int:
        """Stale partitions of all assets."""
        return sum(asset.stale for asset in self.assets)


def impact(
    name: str, day: date, *, defs: dg.Definitions, instance: dg.DagsterInstance, lake: Lake, ledger: Ledger
) -> Impact:
    """Follow the graph from a dataset, or an asset of it, to whatever read its partition of a day.

    An asset is touched from the day on, for as many days as the look-backs on the longest way to it add up to.

    Raises
    ------
    FixConfiguration
        If no asset has the name; the message gives the nearest.
    BadData
        If the day is not stored; the message gives the nearest that are.
    """
    nodes = nodes_of(defs)
    roots = roots_of(nodes, name)
    stored = {key: stored_days(lake, instance, nodes[key]) for key in downstream(nodes, roots)}
    known = sorted(set().union(*(stored[key] for key in roots)))
    if day not in known:
        raise BadData(f"{name}: {day} is not stored; {_nearest_days(known, day)}")
    touched = walk(nodes, roots, stored, instance, day)
    last = max(item.last_day for item in touched.values() if item.last_day is not None)
    learnt_to, searched_to = _read_to(MODEL, nodes, touched), _read_to(SEARCH, nodes, touched)
    return Impact(
        dataset=name,
        day=day,
        corrected_at=_made_at(instance, roots, day),
        last_day=last,
        assets=tuple(touched.values()),
        models=tuple(models(instance, day, learnt_to)) if learnt_to is not None else (),
        strategies=tuple(strategies(lake, day, searched_to)) if searched_to is not None else (),
        decisions=tuple(decisions(ledger, day, last)),
        command=f"tidemill backfill {_FUTURES if name in _SERIES else ''}--from {day} --to {last}",
    )


def _read_to(
    key: dg.AssetKey, nodes: Mapping[dg.AssetKey, Node], touched: Mapping[dg.AssetKey, TouchedAsset]
) -> date | None:
    """Last touched day among what an asset reads; None where it reads nothing that is touched."""
    parents = nodes[key].parents if key in nodes else ()
    days = [touched[parent].last_day for parent in parents if parent in touched]
    return max((other for other in days if other is not None), default=None)


def _nearest_days(known: Sequence[date], day: date) -> str:
    if not known:
        return "nothing is; fill the lake with tidemill run daily"
    before = [other for other in known if other < day]
    after = [other for other in known if other > day]
    near = [str(other) for other in (*before[-1:], *after[:1])]
    return f"the nearest stored are {' and '.join(near)}" if len(near) > 1 else f"the nearest is {near[0]}"


def _made_at(instance: dg.DagsterInstance, roots: Sequence[dg.AssetKey], day: date) -> datetime | None:
    moments = []
    for key in roots:
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day.isoformat()])
        moments += [item.timestamp for item in instance.fetch_materializations(wanted, limit=1).records]
    return datetime.fromtimestamp(max(moments), UTC) if moments else None
