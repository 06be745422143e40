"""What the gate before real money takes for paper, and for days that no search saw."""

from __future__ import annotations

import numpy as np
import pytest

from resources.factory.live_gate import _split
from trading.factory.gate.evidence import Evidence

DAYS = 90
EVIDENCE = Evidence(
    strategy_id="a",
    returns=np.arange(DAYS, dtype=np.float64),
    neighbours=np.zeros((DAYS, 3)),
)


@pytest.mark.parametrize(
    ("on_paper", "since_search", "unseen"),
    [
        (10, 55, 45),  # found with 45 days kept from the search, ten days ago
        (10, 10, 0),  # its search saw everything up to paper
        (10, 4, 0),  # looked at again while on paper: only what came after is certain, and that is paper
        (0, 45, 45),
        (120, 165, 0),  # longer on paper than the window
    ],
)
def test_paper_is_cut_off_and_the_unseen_days_before_it_are_counted(
    on_paper: int, since_search: int, unseen: int
) -> None:
    shown = _split(EVIDENCE, on_paper, since_search)
    cut = max(DAYS - on_paper, 0)
    assert shown.returns is not None
    assert shown.paper_returns is not None
    assert shown.neighbours is not None
    assert (shown.returns.size, shown.neighbours.shape[0]) == (cut, cut)
    assert shown.paper_returns.tolist() == list(range(cut, DAYS))
    assert shown.unseen_days == unseen


def test_what_was_never_looked_at_on_record_has_no_unseen_days() -> None:
    shown = _split(EVIDENCE, 10, None)
    assert shown.unseen_days is None
    assert shown.unseen is None
