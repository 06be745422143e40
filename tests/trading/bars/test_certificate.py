"""A certificate accounts for every expected minute and says what vouches for the rest."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from trading.bars.certificate import CertificateSettings, Evidence, certify
from trading.bars.gaps import GAP_KINDS, GapEvidence, find_gaps
from trading.model.days import start_ms
from trading.model.interval import DAY_MS, MINUTE_MS
from warehouse.datasets.certificates import (
    KLINE_CERTIFICATES,
    KLINE_REPAIRS,
    KLINE_REVISIONS,
    KLINE_SOURCES,
    REFERENCE_KLINES,
)
from warehouse.datasets.market import KLINES

DAY = date(2026, 1, 3)
START = start_ms(DAY)
_STAMP = pl.Datetime("ms", "UTC")


def klines(symbol: str, minutes: range, *, close: float = 100.0, source: str = "archive") -> pl.DataFrame:
    opened = [START + minute * MINUTE_MS for minute in minutes]
    closes = [close * (1 + 0.001 * (minute % 7)) for minute in minutes]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    return pl.DataFrame(
        {
            "symbol": symbol,
            "open_time": opened,
            **prices,
            "volume": [0.0 if minute % 10 == 0 else 1.0 for minute in minutes],
            "source": source,
            "known_at": [moment + MINUTE_MS for moment in opened],
        },
        schema_overrides={"open_time": _STAMP, "known_at": _STAMP},
    ).select(
        *(
            pl.col(c)
            if c in ("symbol", "open_time", *prices, "volume", "source", "known_at")
            else pl.lit(None, d).alias(c)
            for c, d in KLINES.schema.items()
        )
    )


def universe(*symbols: str, listed_minute: int | None = None) -> pl.DataFrame:
    listed = None if listed_minute is None else START + listed_minute * MINUTE_MS
    rows = {
        "symbol": list(symbols),
        "listed_at": [listed] * len(symbols),
        "delisted_at": [None] * len(symbols),
    }
    return pl.DataFrame(rows, schema={"symbol": pl.String, "listed_at": _STAMP, "delisted_at": _STAMP})


def certificates(rows: pl.DataFrame, members: pl.DataFrame, **evidence) -> pl.DataFrame:
    everything = {
        "gaps": find_gaps(rows, members, DAY, START + DAY_MS, GapEvidence()),
        "repairs": pl.DataFrame(schema=KLINE_REPAIRS.schema),
        "files": pl.DataFrame(schema=KLINE_SOURCES.schema),
        "revisions": pl.DataFrame(schema=KLINE_REVISIONS.schema),
        "reference": pl.DataFrame(schema=REFERENCE_KLINES.schema),
        "second_source": None,
        "final": True,
        "klines_sha256": "abc",
    } | evidence
    found = certify(
        rows,
        members,
        DAY,
        START + DAY_MS,
        Evidence(**everything),
        CertificateSettings(),
        missing_fraction=0.02,
    )
    assert found.schema == KLINE_CERTIFICATES.schema
    return found


def test_every_expected_minute_is_observed_or_missing_under_a_kind():
    rows = pl.concat(
        [klines("AAA", range(100, 1400)), klines("BBB", range(1440)), klines("CCC", range(1435))]
    )
    found = certificates(rows, universe("AAA", "BBB", "CCC"))
    holes = pl.sum_horizontal(f"{kind}_minutes" for kind in GAP_KINDS)
    assert found.filter(pl.col("observed") + holes != 1440).is_empty()
    assert dict(found.select("symbol", "status").rows()) == {
        "AAA": "refused",
        "BBB": "certified",
        "CCC": "certified",
    }
    assert found["reason"][0] == "140 of 1440 minutes are missing that must exist"
    assert found["zero_volume"].to_list() == [130, 144, 144]


def test_a_listing_inside_the_day_is_no_hole():
    found = certificates(klines("AAA", range(700, 1440)), universe("AAA", listed_minute=700))
    row = found.row(0, named=True)
    assert (row["status"], row["expected"], row["observed"], row["not_listed_minutes"]) == (
        "certified",
        740,
        740,
        700,
    )


def test_a_symbol_without_klines_is_refused_with_that_reason():
    found = certificates(klines("AAA", range(1440)), universe("AAA", "BBB"))
    assert dict(found.select("symbol", "reason").rows()) == {"AAA": "", "BBB": "it has no klines"}


def test_files_sources_and_repairs_are_on_it():
    rows = pl.concat([klines("AAA", range(1430)), klines("AAA", range(1430, 1440), source="binance")])
    files = pl.DataFrame(
        {
            "symbol": ["AAA"],
            "file": ["AAA-1m-2026-01-03.zip"],
            "sha256": ["ff"],
            "size_bytes": [10],
            "source": ["archive"],
        }
    )
    repairs = pl.DataFrame(
        [
            {
                "symbol": "AAA",
                "first_missing": START + 1430 * MINUTE_MS,
                "last_missing": START + 1439 * MINUTE_MS,
                "missing_minutes": 10,
                "asked": "binance",
                "found": 10,
                "asked_at": START,
            }
        ],
        schema={name: pl.Int64 if dtype == _STAMP else dtype for name, dtype in KLINE_REPAIRS.schema.items()},
    ).cast(KLINE_REPAIRS.schema)
    row = certificates(rows, universe("AAA"), files=files, repairs=repairs).row(0, named=True)
    assert json.loads(row["sources"]) == {"archive": 1430, "binance": 10}
    assert (row["files"], row["repaired"], row["status"]) == (1, 10, "certified")
    assert len(row["files_sha256"]) == 64
    without = certificates(rows, universe("AAA")).row(0, named=True)
    assert (without["files"], without["files_sha256"]) == (0, None)


@pytest.mark.parametrize(
    ("wrong_minutes", "status"), [(0, "certified"), (140, "certified"), (300, "refused")]
)
def test_a_second_venue_in_other_dollars_must_agree(wrong_minutes, status):
    rows = klines("AAA", range(1440))
    wrong = pl.int_range(pl.len()) < wrong_minutes
    reference = rows.select(list(REFERENCE_KLINES.schema)).with_columns(
        (pl.col("close") * pl.when(wrong).then(1.03).otherwise(1.001)).alias("close"),
        pl.lit("coinbase").alias("source"),
    )
    row = certificates(rows, universe("AAA"), reference=reference, second_source="coinbase").row(
        0, named=True
    )
    assert (row["status"], row["second_source"], row["compared"]) == (status, "coinbase", 1440)
    assert row["agreement"] == pytest.approx(1 - wrong_minutes / 1440)


def test_without_a_second_source_agreement_is_unknown_not_perfect():
    row = certificates(klines("AAA", range(1440)), universe("AAA")).row(0, named=True)
    assert (row["second_source"], row["compared"], row["agreement"]) == (None, None, None)
