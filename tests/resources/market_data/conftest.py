from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.venue_server import VenueServer, running


@pytest.fixture
def venue() -> Iterator[VenueServer]:
    """A running server of archive files and venue answers, with nothing on it yet."""
    with running() as server:
        yield server
