"""SQL over the lake: an in-memory DuckDB with one view per dataset, and questions that only read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from trading.errors import BadData, FixConfiguration
from warehouse.datasets.catalogue import ALL, BY_NAME
from warehouse.datasets.futures_certificates import CERTIFIED_SERIES
from warehouse.datasets.futures_history import SUBJECTS
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake
from warehouse.lake.partition import folder_of, key_of
from warehouse.lake.store import LocalStore
from warehouse.schema import Dataset

if TYPE_CHECKING:
    import duckdb

#: Columns of every view that come from the folders' names.
PARTITION_COLUMNS = ("interval", "date")

_SQL_TYPES = {
    pl.String: "VARCHAR",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.Int8: "TINYINT",
    pl.Boolean: "BOOLEAN",
    pl.Binary: "BLOB",
    pl.Date: "DATE",
    pl.Datetime("ms", "UTC"): "TIMESTAMP WITH TIME ZONE",
}


class QueryRefused(FixConfiguration):
    """A query that is not a single reading statement, or names what does not exist."""


def connect_views(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view per dataset; close it after use.

    Every view has the declared columns, then ``interval`` (where the dataset has intervals) and
    ``date``. A dataset without files is an empty view. ``klines_known_at(moment)`` gives the klines as
    they were known at a moment, ``mark_klines_known_at(moment)`` and its like the series of perpetuals. The connection reads nothing but the lake:
    other files, Python variables, extensions and settings are locked away.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for dataset in ALL:
        try:
            _create_view(connection, lake, dataset)
        except duckdb.Error as error:
            connection.close()
            raise BadData(
                f"{dataset.name}: no view over its files ({_first_line(error)}); delete the file and "
                "rebuild its day with `tidemill backfill`"
            ) from error
    connection.execute(_known_at_macro())
    for dataset in CERTIFIED_SERIES:
        connection.execute(_futures_known_at_macro(dataset))
    if isinstance(lake.store, LocalStore):
        connection.execute(f"SET allowed_directories = [{_quoted(f'{lake.store.root}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(lake: Lake, sql: str, limit: int) -> pl.DataFrame:
    """Rows of one reading statement (SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE), at most ``limit``.

    Raises
    ------
    QueryRefused
        If it is another statement, more than one, not SQL, or names an unknown table or column;
        the message gives the nearest names.
    BadData
        If a file of the lake is damaged.
    """
    import duckdb

    connection = connect_views(lake)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryRefused(f"give one statement, not {len(statements)}: {sql!r}")
        kind = statements[0].type
        if kind != duckdb.StatementType.SELECT:
            raise QueryRefused(f"{kind.name} is refused: the lake is read only; use SELECT, DESCRIBE or SHOW")
        rows: pl.DataFrame = connection.sql(statements[0].query).limit(limit).pl()
        return rows
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException) as error:
        raise QueryRefused(_explained(str(error))) from error
    except (duckdb.PermissionException, duckdb.InvalidInputException) as error:
        raise _refused_or_bad(error) from error
    except duckdb.Error as error:
        raise BadData(f"the query failed: {_first_line(error)}; repair or rebuild the partition") from error
    finally:
        connection.close()


def _create_view(connection: duckdb.DuckDBPyConnection, lake: Lake, dataset: Dataset) -> None:
    keys = list(_keys(lake, dataset))
    if not keys:
        connection.execute(_empty_view(dataset))
    elif isinstance(lake.store, LocalStore):
        connection.execute(_parquet_view(dataset, [lake.store.uri(key) for key in keys]))
    else:
        connection.register(dataset.name, _arrow_dataset(lake, dataset, keys))


def _keys(lake: Lake, dataset: Dataset) -> Iterable[str]:
    for interval in dataset.intervals or (None,):
        folder = folder_of(dataset, interval)
        for day in lake.days(dataset, interval):
            yield key_of(folder, day)


def _names(dataset: Dataset) -> list[str]:
    partition = PARTITION_COLUMNS if dataset.intervals else PARTITION_COLUMNS[1:]
    return [*dataset.schema, *partition]


def _parquet_view(dataset: Dataset, paths: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in _names(dataset))
    types = "'interval': VARCHAR, 'date': DATE" if dataset.intervals else "'date': DATE"
    return (
        f'CREATE VIEW "{dataset.name}" AS SELECT {names} FROM read_parquet('
        f"[{', '.join(map(_quoted, paths))}], hive_partitioning = true, hive_types = {{{types}}})"
    )


def _empty_view(dataset: Dataset) -> str:
    types = [_SQL_TYPES[dtype] for dtype in dataset.schema.values()]
    types += ["VARCHAR", "DATE"] if dataset.intervals else ["DATE"]
    pairs = zip(_names(dataset), types, strict=True)
    columns = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in pairs)
    return f'CREATE VIEW "{dataset.name}" AS SELECT {columns} WHERE false'


def _known_at_macro() -> str:
    """The table function ``klines_known_at``: what `trading.bars.revisions.as_known` gives, in SQL."""
    names = ", ".join(f'"{name}"' for name in _names(KLINES))
    return (
        f"CREATE MACRO klines_known_at(moment) AS TABLE SELECT {names} FROM klines WHERE known_at <= moment "
        f"UNION ALL SELECT {names} FROM kline_revisions WHERE known_at <= moment AND known_until > moment"
    )


def _futures_known_at_macro(dataset: Dataset) -> str:
    """The same of a series of perpetuals, whose replaced values lie with those of the others."""
    subject = SUBJECTS[dataset.name]
    names = ", ".join(f'"{name}"' for name in _names(dataset))
    stored = names.replace(f'"{subject.time}"', f'"time" AS "{subject.time}"')
    return (
        f"CREATE MACRO {dataset.name}_known_at(moment) AS TABLE SELECT {names} FROM {dataset.name} "
        f"WHERE known_at <= moment UNION ALL SELECT {stored} FROM futures_revisions "
        f"WHERE series = {_quoted(dataset.name)} AND known_at <= moment AND known_until > moment"
    )


def _arrow_dataset(lake: Lake, dataset: Dataset, keys: list[str]) -> object:
    """Files in S3 as a pyarrow dataset: DuckDB passes columns and filters down to it."""
    import pyarrow as pa
    import pyarrow.dataset as arrow
    from pyarrow.fs import FileSystem

    from warehouse.lake.s3 import S3Store

    store = lake.store
    if not isinstance(store, S3Store):
        raise FixConfiguration(f"SQL over {type(store).__name__} is not supported; use a folder or S3")
    filesystem: FileSystem = store.arrow_filesystem()
    folders = [pa.field("interval", pa.string())] if dataset.intervals else []
    partition = pa.schema([*folders, pa.field("date", pa.date32())])
    columns = pl.DataFrame(schema=dataset.schema).to_arrow().schema
    return arrow.dataset(
        [store.uri(key).removeprefix("s3://") for key in keys],
        schema=pa.schema([*columns, *partition]),
        filesystem=filesystem,
        format="parquet",
        partitioning=arrow.partitioning(partition, flavor="hive"),
        partition_base_dir=store.uri(dataset.name).removeprefix("s3://"),
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _explained(message: str) -> str:
    """DuckDB's message with the nearest of our names in place of its own guesses."""
    table = re.search(r"Table with name (\S+) does not exist", message)
    if table:
        near = get_close_matches(table[1], BY_NAME, 3, 0.5)
        hint = f"the nearest are {', '.join(near)}; " if near else ""
        return f"unknown table {table[1]!r}: {hint}the lake has {', '.join(BY_NAME)}"
    column = re.search(r'column "([^"]+)" not found', message) or re.search(
        r'does not have a column named "([^"]+)"', message
    )
    if column:
        names = sorted({name for dataset in ALL for name in _names(dataset)})
        near = get_close_matches(column[1], names, 3, 0.5)
        hint = f"the nearest are {', '.join(near)}; " if near else ""
        return f"unknown column {column[1]!r}: {hint}see DESCRIBE and docs/datasets.md"
    return f"the query is not understood: {message}; correct it"


def _refused_or_bad(error: Exception) -> Exception:
    if "Permission" in str(error) or "configuration" in str(error):
        return QueryRefused(f"only the lake may be read: {_first_line(error)}; select from its views")
    return BadData(f"the query failed: {_first_line(error)}; rebuild the partition that it names")
