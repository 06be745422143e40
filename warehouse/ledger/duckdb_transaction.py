"""One transaction on DuckDB: the ledger's SQL, and its errors in the ledger's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import duckdb

from trading.errors import BadData
from warehouse.ledger.sql import bind, translate

# DuckDB plans every statement anew: many rows a statement are several times faster than one.
_ROWS_PER_INSERT = 64
_ITEM = r"\s*(?::\w+|\d+|null|'\w*')\s*"
_INSERT = re.compile(
    rf"(?P<head>\s*insert\s+into\s[^:']*?values\s*)(?P<row>\({_ITEM}(?:,{_ITEM})*\))(?P<tail>[^:']*)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r":(\w+)")


class DuckDBTransaction:
    """A transaction on an open DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.refused = False

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Run one statement and return the rows it changed."""
        cursor = self._run(sql, params)
        shape = [(column[0], str(column[1])) for column in cursor.description or []]
        rows = cursor.fetchall()
        return int(rows[0][0]) if shape == [("Count", "BIGINT")] and rows else 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name."""
        cursor = self._run(sql, params)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement once per row; a plain ``insert … values`` takes many rows at once."""
        insert = _INSERT.fullmatch(sql)
        if insert is None:
            for row in rows:
                self._run(sql, row)
            return
        pending = iter(rows)
        while chunk := list(islice(pending, _ROWS_PER_INSERT)):
            places = (_PLACEHOLDER.sub(rf":\1_{index}", insert["row"]) for index in range(len(chunk)))
            params = {
                f"{name}_{index}": value for index, row in enumerate(chunk) for name, value in row.items()
            }
            self._run(f"{insert['head']}{', '.join(places)}{insert['tail']}", params)

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> duckdb.DuckDBPyConnection:
        text, names = translate(sql, "duckdb")
        try:
            return self._connection.execute(text, bind(names, params))
        except (duckdb.IntegrityError, duckdb.DataError) as error:
            self.refused = True
            raise BadData(f"the ledger refused the write: {error}") from error
