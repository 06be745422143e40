"""SQL over the lake: the same rows, on both stores, and nothing but reading."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from trading.errors import BadData
from trading.model.interval import Interval
from warehouse.datasets.catalogue import ALL
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import open_lake
from warehouse.views import QueryRefused, connect_views, query

DAY = date(2025, 3, 1)


def bars(klines: pl.DataFrame) -> pl.DataFrame:
    return klines.with_columns(
        close_time=pl.col("open_time").dt.offset_by("15m"),
        minutes=pl.lit(15, pl.Int32),
        complete=pl.lit(True),
    ).select(*BARS.schema)


def test_sql_sees_what_the_lake_holds(lake, klines):
    for offset in range(3):
        day = DAY + timedelta(days=offset)
        lake.write(KLINES, day, klines(day, ["A", "B"], base=100.0 + offset))
    lake.write(BARS, DAY, bars(klines(DAY, ["A"])), Interval.M15)
    lake.write(BARS, DAY, bars(klines(DAY, ["A", "B"])), Interval.H1)

    rows = query(lake, "SELECT date, symbol, max(open) AS open FROM klines GROUP BY ALL ORDER BY ALL", 100)
    assert rows.rows()[:3] == [(DAY, "A", 100.0), (DAY, "B", 101.0), (DAY + timedelta(days=1), "A", 101.0)]
    counted = query(lake, "SELECT interval, count(*) FROM bars GROUP BY 1 ORDER BY 2", 10)
    assert counted.rows() == [("15m", 3), ("1h", 6)]
    one = query(lake, "select open_time from klines where date = '2025-03-02' and symbol = 'B'", 2)
    assert one.height == 2
    assert str(one["open_time"][0]) == "2025-03-02 00:00:00+00:00"


def test_empty_and_filled_views_have_the_same_columns(lake, klines):
    described = "SELECT column_name, column_type FROM (DESCRIBE {})"
    connection = connect_views(lake)
    empty = {ds.name: connection.sql(described.format(ds.name)).fetchall() for ds in ALL}
    connection.close()
    for dataset in ALL:
        names = [*dataset.schema, *(["interval"] if dataset.intervals else []), "date"]
        assert [name for name, _ in empty[dataset.name]] == names
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    lake.write(BARS, DAY, bars(klines(DAY, ["A"])), Interval.H4)
    for name in ("klines", "bars"):
        assert query(lake, described.format(name), 200).rows() == empty[name]
    assert query(lake, "SELECT * FROM screener_ratings", 5).height == 0


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "DESCRIBE klines", "FROM klines", "WITH a AS (SELECT 1) FROM a", "values (1);"]
)
def test_reading_statements_are_answered(lake, klines, sql):
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    assert 1 <= query(lake, sql, 5).height <= 5


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM klinez", "unknown table 'klinez': the nearest are klines"),
        ("SELECT simbol FROM klines", "unknown column 'simbol': the nearest are symbol"),
        ("SELECT k.simbol FROM klines k", "unknown column 'simbol': the nearest are symbol"),
        ("SELEC 1", "not understood"),
        ("SELECT 1; SELECT 2", "give one statement, not 2"),
        ("", "give one statement, not 0"),
        ("INSERT INTO klines VALUES (1)", "INSERT is refused"),
        ("CREATE TABLE x (a INT)", "CREATE is refused"),
        ("DROP VIEW klines", "DROP is refused"),
        ("COPY (SELECT 1) TO '{root}/x.csv'", "COPY is refused"),
        ("SET threads = 1", "SET is refused"),
        ("ATTACH '{root}/x.db'", "ATTACH is refused"),
        ("PRAGMA database_list", "PRAGMA is refused"),
        ("SELECT * FROM read_text('/etc/hostname')", "only the lake may be read"),
        ("SELECT * FROM '/etc/hostname.csv'", "only the lake may be read|unknown table"),
        ("SELECT * FROM read_text('{root}/../secret.txt')", "only the lake may be read"),
        ("SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')", "."),
        ("SELECT * FROM local_frame", "unknown table"),
    ],
)
def test_everything_else_is_refused(lake, tmp_path, klines, sql, words):
    local_frame = pl.DataFrame({"a": [1]})
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    (tmp_path / "secret.txt").write_text("secret")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(QueryRefused, match=words):
        query(lake, sql.replace("{root}", str(tmp_path / "lake")), 5)
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert local_frame.height == 1


def test_the_connection_stays_locked(lake):
    import duckdb

    connection = connect_views(lake)
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")
    connection.close()


def test_a_damaged_file_is_bad_data(lake, klines):
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    lake.store.replace(f"klines/date={DAY}/data.parquet", b"not parquet")
    with pytest.raises(BadData, match="klines"):
        query(lake, "SELECT count(*) FROM klines", 5)


def test_a_folder_with_odd_signs(tmp_path, klines):
    lake = open_lake(str(tmp_path / "it's [odd] * lake"))
    lake.write(KLINES, DAY, klines(DAY, ["A"]))
    assert query(lake, "SELECT count(*) FROM klines", 5).item() == 3
    assert lake.scan(KLINES, DAY, DAY).collect().height == 3
    assert lake.window(KLINES, DAY, DAY).height == 3
