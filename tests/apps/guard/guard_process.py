"""The guard as a process of its own, on the venue of the tests: URL, folder and settings as JSON."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

from guard_venue import VenueClient

from apps.guard.run import run_guard
from trading.guard.settings import GuardSettings

#: What a process that works without Dagster and ledger must not have loaded.
ABSENT = ("dagster", "duckdb", "psycopg", "sqlalchemy", "mlflow")


def main(url: str, folder: str, given: str) -> None:
    fields = json.loads(given)
    if "stages" in fields:
        fields["stages"] = tuple(Decimal(share) for share in fields["stages"])
    run_guard(VenueClient(url), Path(folder), GuardSettings(**fields))
    print(json.dumps([name for name in ABSENT if name in sys.modules]))


if __name__ == "__main__":
    main(*sys.argv[1:])
