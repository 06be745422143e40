"""The assets of the graph as a correction sees them: what they read, how far back, and which days they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import dagster as dg

from assets.declare import LOOKBACK_DAYS
from trading.errors import FixConfiguration
from trading.model.interval import Interval
from warehouse.datasets.catalogue import BY_NAME
from warehouse.lake.lake import Lake

_TABLE_NAME = "dagster/table_name"


@dataclass(frozen=True, slots=True)
class Node:
    """An asset of the graph: what it is stored as, what it reads and how far back."""

    key: dg.AssetKey
    table: str
    parents: tuple[dg.AssetKey, ...]
    lookback_days: int

    @property
    def dataset(self) -> str:
        """Name of the dataset; empty for an asset that is none."""
        return self.table.partition("/")[0]


def nodes_of(defs: dg.Definitions) -> dict[dg.AssetKey, Node]:
    """The assets in an order in which parents come first."""
    graph = defs.resolve_asset_graph()
    found = {}
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if node.is_materializable:
            found[key] = Node(
                key=key,
                table=str(node.metadata.get(_TABLE_NAME, "")).removeprefix("lake."),
                parents=tuple(sorted(node.parent_keys)),
                lookback_days=_number(node.metadata.get(LOOKBACK_DAYS, 0)),
            )
    return found


def _number(value: object) -> int:
    """A number of the metadata, which Dagster may have wrapped."""
    return int(getattr(value, "value", value))


def roots_of(nodes: Mapping[dg.AssetKey, Node], name: str) -> list[dg.AssetKey]:
    """The assets of a dataset, or the one asset, of a name.

    Raises
    ------
    FixConfiguration
        If there is none; the message gives the nearest names.
    """
    found = [key for key, node in nodes.items() if name in (node.dataset, key.to_user_string())]
    if not found:
        names = sorted({*(node.dataset for node in nodes.values()), *(key.to_user_string() for key in nodes)})
        near = get_close_matches(name, names, 3, 0.5)
        hint = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(filter(None, names))}"
        raise FixConfiguration(f"no asset makes dataset {name!r}; {hint}")
    return found


def downstream(nodes: Mapping[dg.AssetKey, Node], roots: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
    """The roots and every asset that reads them, directly or through others; parents first."""
    found = set(roots)
    for key, node in nodes.items():
        if not found.isdisjoint(node.parents):
            found.add(key)
    return [key for key in nodes if key in found]


def stored_days(lake: Lake, instance: dg.DagsterInstance, node: Node) -> set[date]:
    """Days in the lake; for an asset that is not a dataset, the partitions that Dagster has seen made."""
    dataset = BY_NAME.get(node.dataset)
    if dataset is None:
        return {date.fromisoformat(name) for name in instance.get_materialized_partitions(node.key)}
    interval = node.table.partition("/interval=")[2]
    return set(lake.days(dataset, Interval(interval) if interval else None))
