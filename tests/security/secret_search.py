"""Looking for values in everything that a Tidemill leaves behind: files, tables, objects, and what the UI serves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import duckdb
import polars as pl
import psycopg

Places = Iterable[tuple[str, bytes]]


def forms(value: str) -> set[bytes]:
    """How a value may be written: as it is, percent-encoded, and as text within text."""
    texts = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]}
    return {text.encode() for text in texts}


def found(places: Places, values: Mapping[str, str]) -> list[str]:
    """``value in place`` for each value (by name) that a place shows."""
    wanted = {name: forms(value) for name, value in values.items()}
    return sorted(
        f"{name} in {place}"
        for place, content in places
        for name, written in wanted.items()
        if any(form in content for form in written)
    )


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is, and what compression may hide in it: Parquet's texts, DuckDB's tables, gzip."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name, content = str(path.relative_to(folder)), path.read_bytes()
        yield name, name.encode() + b"\n" + content
        if content[:4] == b"PAR1":
            yield f"{name} (rows)", parquet_text(content)
        elif path.suffix == ".duckdb":
            yield f"{name} (rows)", duckdb_text(path)
        elif content[:2] == b"\x1f\x8b":
            yield f"{name} (unpacked)", gzip.decompress(content)


def parquet_text(content: bytes) -> bytes:
    """The texts of a Parquet file, each distinct one once, and its metadata."""
    frame = pl.read_parquet(content)
    texts = [json.dumps(pl.read_parquet_metadata(content))]
    for column in frame.get_columns():
        if column.dtype in (pl.String, pl.Categorical) or column.dtype.is_nested():
            texts += [str(value) for value in (column if column.dtype.is_nested() else column.unique())]
    return "\n".join(texts).encode()


def duckdb_text(path: Path) -> bytes:
    """Every row of every table."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
        rows = [
            row
            for schema, table in tables
            for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall()
        ]
    return "\n".join(map(repr, rows)).encode()


def postgres_tables(url: str) -> Iterator[tuple[str, bytes]]:
    """Every row of every table of a database."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(f'select t::text from "{schema}"."{table}" t').fetchall()
            yield f"table {table}", "\n".join(text for (text,) in rows).encode()


def objects(client: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    """Every object of a bucket with its metadata."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            answer = client.get_object(Bucket=bucket, Key=item["Key"])
            content = answer["Body"].read()
            yield item["Key"], repr(answer["Metadata"]).encode() + content
            if content[:4] == b"PAR1":
                yield f"{item['Key']} (rows)", parquet_text(content)
