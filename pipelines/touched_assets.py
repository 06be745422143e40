"""From a corrected partition down the graph: which stored partitions read it, and which were built since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
import numpy as np

from pipelines.asset_nodes import Node


@dataclass(frozen=True, slots=True)
class TouchedAsset:
    """An asset with the stored partitions that read the corrected one, directly or through others.

    Attributes
    ----------
    lookback_days
        Days before its own that a partition of the asset reads.
    first_day, last_day, days
        The touched days that are stored; None and 0 when none is.
    stale
        Partitions that are older than something touched that they read.
    rebuilt
        Partitions that are newer than all of it.
    unrecorded
        Partitions of unknown age: Dagster has no record of them, or of something touched that they read.
    """

    asset: str
    lookback_days: int
    first_day: date | None
    last_day: date | None
    days: int
    stale: int
    rebuilt: int
    unrecorded: int


@dataclass(frozen=True, slots=True)
class _Reached:
    """How a touched asset stands, by days from the corrected one; arrays of shape (days,).

    ``made`` is the storage id of the newest materialization, which grows with time; 0 where there is none.
    """

    reach_days: int
    stored: np.ndarray
    made: np.ndarray
    stale: np.ndarray
    unknown: np.ndarray


def walk(
    nodes: Mapping[dg.AssetKey, Node],
    roots: Sequence[dg.AssetKey],
    stored: Mapping[dg.AssetKey, set[date]],
    instance: dg.DagsterInstance,
    day: date,
) -> dict[dg.AssetKey, TouchedAsset]:
    """Every asset that a correction of the roots' partition of a day reaches, parents first.

    Ages are compared by the storage ids of Dagster's events, which grow with time, so that no clock matters.
    """
    horizon = max((max(days) for days in stored.values() if days), default=day)
    length = (horizon - day).days + 1
    reached: dict[dg.AssetKey, _Reached] = {}
    touched: dict[dg.AssetKey, TouchedAsset] = {}
    for key, node in nodes.items():
        is_root = key in roots
        parents = [reached[name] for name in node.parents if name in reached and not is_root]
        if not (is_root or parents):
            continue
        reach = node.lookback_days + max(parent.reach_days for parent in parents) if parents else 0
        offsets = np.arange(length)
        days = [day + timedelta(days=int(offset)) for offset in offsets]
        present = np.array([other in stored[key] for other in days]) & (offsets <= reach)
        reached[key] = _aged(node, present, _made(instance, key, days) * present, parents, reach)
        touched[key] = _told(node, days, reached[key], is_root=is_root)
    return touched


def _aged(
    node: Node, present: np.ndarray, made: np.ndarray, parents: Sequence[_Reached], reach_days: int
) -> _Reached:
    """Compare partitions with the touched ones that they read; a root has no parents."""
    stale, unknown = np.zeros(len(present), dtype=bool), made == 0
    for parent in parents:
        stale |= made < _trailing_max(parent.made, node.lookback_days)
        stale |= _trailing_max(parent.stale, node.lookback_days)
        unknown |= _trailing_max(parent.unknown, node.lookback_days)
    stale &= present & (made > 0)
    return _Reached(reach_days, present, made, stale, unknown & present & ~stale)


def _trailing_max(values: np.ndarray, lookback_days: int) -> np.ndarray:
    """Largest of each value and the ``lookback_days`` before it, shape (days,)."""
    back = min(lookback_days, len(values) - 1)
    padded = np.concatenate([np.zeros(back, dtype=values.dtype), values])
    return np.lib.stride_tricks.sliding_window_view(padded, back + 1).max(axis=1)


def _made(instance: dg.DagsterInstance, key: dg.AssetKey, days: Sequence[date]) -> np.ndarray:
    """Storage id of the newest materialization of each day, shape (days,); 0 for none."""
    newest = instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    return np.array([newest.get(other.isoformat(), 0) for other in days], dtype=np.int64)


def _told(node: Node, days: Sequence[date], state: _Reached, *, is_root: bool) -> TouchedAsset:
    present = [other for other, stored in zip(days, state.stored, strict=True) if stored]
    stale, unknown = int(state.stale.sum()), int(state.unknown.sum())
    return TouchedAsset(
        asset=node.key.to_user_string(),
        lookback_days=node.lookback_days,
        first_day=present[0] if present else None,
        last_day=present[-1] if present else None,
        days=len(present),
        stale=stale,
        rebuilt=0 if is_root else len(present) - stale - unknown,
        unrecorded=unknown,
    )
