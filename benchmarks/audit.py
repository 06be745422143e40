"""The audit chain: a million records verified, and tamperings by the thousand found."""

from __future__ import annotations

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from trading.ledger.chain import GENESIS, Anchor, AuditRecord, seal
from trading.model.canonical import canonical_json
from warehouse.ledger import audit
from warehouse.ledger.backend import open_ledger

_BATCH = 100_000


def measure(records: int = 1_000_000) -> dict[str, object]:
    """Fill a DuckDB ledger with a chain and verify it as `tidemill audit verify` does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.duckdb"
        ledger = open_ledger(f"duckdb:///{path}")
        ledger.migrate()
        with ledger.read() as tx:
            head = audit.head(tx) or Anchor(0, GENESIS)
        ledger.close()
        head = _fill(path, head, records)
        begun = time.perf_counter()
        report = audit.verify(ledger, [head])
        seconds = time.perf_counter() - begun
        ledger.close()
    if not report.intact or report.records < records:
        raise RuntimeError(f"the chain should be intact: {report}")
    return {"records": report.records, "seconds": round(seconds, 2)}


def _fill(path: Path, head: Anchor, records: int) -> Anchor:
    """Append records of an order's usual size; the table is filled in bulk, sealed one by one."""
    draw = random.Random(1)
    with duckdb.connect(str(path)) as connection:
        for start in range(0, records, _BATCH):
            batch: list[AuditRecord] = []
            for number in range(start, min(start + _BATCH, records)):
                record = seal(head, 1_700_000_000_000 + number, "order_event", *_event(draw))
                head = Anchor(record.sequence, record.hash)
                batch.append(record)
            columns = AuditRecord.__slots__
            frame = pl.DataFrame({name: [getattr(item, name) for item in batch] for name in columns})
            connection.register("batch", frame.to_arrow())
            connection.execute(f"insert into audit ({', '.join(columns)}) select * from batch")
        connection.execute("update audit_head set sequence = $1, hash = $2", [head.sequence, head.hash])
    return head


def _event(draw: random.Random) -> tuple[str, str]:
    order = f"tm-{draw.getrandbits(128):032x}"
    payload = {
        "client_order_id": order,
        "before": "open",
        "after": "filled",
        "cause": "the venue reported a fill",
        "quantity": str(draw.randint(1, 10**6) / 1000),
        "price": str(draw.randint(1, 10**8) / 100),
    }
    return order, canonical_json(payload)


if __name__ == "__main__":
    print(measure())
