"""`tidemill data check`: every form of file, what is found in it, and the exit code."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from apps.cli.boundary import ErrorBoundary
from apps.cli.data import check as data_check

MINUTE_MS = 60_000
START_MS = 1_735_603_200_000  # 2024-12-31 00:00 UTC
COLUMNS = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"]
COLUMNS += ["taker_buy_base", "taker_buy_quote", "ignore"]

app = typer.Typer(cls=ErrorBoundary, pretty_exceptions_enable=False)
app.add_typer(data_check.app, name="data")


def run(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(app, ["data", "check", str(path), *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def report(path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = run(path, "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def faults(content: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return [
        (fault["severity"], fault["kind"], fault["symbol"], fault["count"])
        for file in content["files"]
        for fault in file["faults"]
    ]


def minutes(bars: int = 300, start_ms: int = START_MS, unit: int = 1, seed: int = 1) -> pl.DataFrame:
    """Bars of a market in Binance's twelve columns; times count ``1 / unit`` milliseconds."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.001, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) * 1.0005, np.minimum(opened, close) * 0.9995
    volume = random.lognormal(3, 1, bars)
    times = (start_ms + MINUTE_MS * np.arange(bars)) * unit
    value = volume * (high + low) / 2
    columns = [times, opened, high, low, close, volume, times + MINUTE_MS * unit - 1, value]
    columns += [np.full(bars, 7), volume / 2, value / 2, np.zeros(bars, dtype=int)]
    return pl.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def zipped(path: Path, frame: pl.DataFrame, *, checksum: bool = True) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.csv", frame.write_csv(include_header=False))
    if checksum:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def written(path: Path, frame: pl.DataFrame) -> Path:
    name = path.name
    if name.endswith(".zip"):
        return zipped(path, frame)
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    elif name.endswith(".feather"):
        frame.write_ipc(path, compression="zstd")
    elif name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(frame.write_csv(include_header=False).encode()))
    else:
        frame.write_csv(path, separator="\t" if name.endswith(".tsv") else ",")
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "zip", "parquet", "feather"])
@pytest.mark.parametrize(("unit", "shown"), [(1, "ms"), (1000, "us")])
def test_every_form_of_file_is_read_alike(tmp_path: Path, ending: str, unit: int, shown: str) -> None:
    path = written(tmp_path / f"BTCUSDT-1m-2024-12-31.{ending}", minutes(unit=unit))
    code, content = report(path)
    assert (code, content["clean"], faults(content)) == (0, True, [])
    (file,) = content["files"]
    assert (file["interval"], file["unit"]) == ("1m", shown)
    assert file["verified"] is (True if ending == "zip" else None)
    assert file["symbols"] == [
        {
            "symbol": "BTCUSDT",
            "first": "2024-12-31T00:00:00+00:00",
            "last": "2024-12-31T04:59:00+00:00",
            "bars": 300,
            "expected": 300,
            "zero_volume": 0,
        }
    ]


def test_a_feather_file_that_was_cut_short_is_a_fault_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "BTCUSDT-1m.feather", minutes())
    path.write_bytes(path.read_bytes()[:-100])
    code, content = report(path)
    assert (code, content["clean"]) == (1, False)


def test_faults_are_listed_with_rows_and_reasons_and_exit_with_1(tmp_path: Path) -> None:
    bars = minutes()
    here = pl.int_range(pl.len()) == 100
    wrong = bars.with_columns(
        pl.when(here).then(-pl.col("volume")).otherwise(pl.col("volume")).alias("volume")
    )
    path = written(
        tmp_path / "ETHUSDT-1m.csv",
        pl.concat([wrong, bars.slice(5, 2)]).filter(~pl.col("open_time").is_in([START_MS + 7 * MINUTE_MS])),
    )
    code, content = report(path)
    assert code == 1
    assert not content["clean"]
    found = faults(content)
    assert ("block", "negative_volume", "ETHUSDT", 1) in found
    assert ("block", "duplicate", "ETHUSDT", 2) in found
    assert ("warn", "gap", "ETHUSDT", 1) in found
    fault = next(one for one in content["files"][0]["faults"] if one["kind"] == "negative_volume")
    assert fault["rows"][0]["open_time"] == "2024-12-31T01:40:00+00:00"
    shown = run(path)
    assert shown.exit_code == 1
    for words in ("negative_volume", "duplicate", "NOT CLEAN", "ETHUSDT"):
        assert words in shown.stdout  # fmt: skip


def test_warnings_alone_are_clean_unless_strict(tmp_path: Path) -> None:
    path = written(tmp_path / "BTCUSDT-1m.csv", pl.concat([minutes().head(100), minutes().slice(102)]))
    code, content = report(path)
    assert (code, content["warnings"], content["blocking"]) == (0, 1, 0)
    assert run(path).stdout.rstrip().endswith("CLEAN: 0 fault(s) that block, 1 warning(s) in 1 file(s)")
    code, content = report(path, "--strict")
    assert (code, content["clean"]) == (1, False)


def test_a_switch_of_units_inside_a_file_blocks(tmp_path: Path) -> None:
    late = pl.col("open_time") >= START_MS + 200 * MINUTE_MS
    times = pl.when(late).then(pl.col("open_time") * 1000).otherwise(pl.col("open_time"))
    code, content = report(written(tmp_path / "BTCUSDT-1m.csv", minutes().with_columns(times)))
    assert (code, faults(content)) == (1, [("block", "unit_switch", "", 300)])
    assert content["files"][0]["faults"][0]["reason"] == "the file counts its times in ms and in us"


def test_a_damaged_zip_is_told_from_a_wrong_checksum(tmp_path: Path) -> None:
    cut = zipped(tmp_path / "AAAUSDT-1m-2024-12-31.zip", minutes(), checksum=False)
    cut.write_bytes(cut.read_bytes()[:-200])
    changed = zipped(tmp_path / "BBBUSDT-1m-2024-12-31.zip", minutes())
    content = bytearray(changed.read_bytes())
    content[500] ^= 1
    changed.write_bytes(content)
    zipped(tmp_path / "CCCUSDT-1m-2024-12-31.zip", minutes())
    code, found = report(tmp_path)
    assert code == 1
    assert faults(found) == [("block", "truncated_file", "", 0), ("block", "bad_checksum", "", 0)]
    assert [len(file["symbols"]) for file in found["files"]] == [0, 0, 1]


def test_bars_that_have_not_closed_block_and_those_later_than_the_file_warn(tmp_path: Path) -> None:
    future = written(
        tmp_path / "FARUSDT-1m.csv", minutes(start_ms=4_000_000_020_000 - 4_000_000_020_000 % 60_000)
    )
    code, content = report(future)
    assert (code, faults(content)) == (1, [("block", "unclosed_bar", "FARUSDT", 300)])
    past = written(tmp_path / "OLDUSDT-1m.csv", minutes())
    seconds = START_MS / 1000 + 299 * 60 + 30
    os.utime(past, (seconds, seconds))
    code, content = report(past)
    assert (code, faults(content)) == (0, [("warn", "unclosed_bar", "OLDUSDT", 1)])


def test_the_file_before_judges_the_first_bars_of_the_next(tmp_path: Path) -> None:
    written(tmp_path / "BTCUSDT-1m-1.parquet", minutes(600).head(300))
    written(tmp_path / "BTCUSDT-1m-2.parquet", minutes(600).slice(300))
    assert report(tmp_path)[0] == 0
    other = [
        pl.col(name) * 40 for name in ("open", "high", "low", "close", "quote_volume", "taker_buy_quote")
    ]
    written(tmp_path / "BTCUSDT-1m-2.parquet", minutes(600).slice(300).with_columns(other))
    code, content = report(tmp_path)
    assert (code, faults(content)) == (1, [("block", "wrong_symbol", "BTCUSDT", 1)])


def test_made_up_bars_are_suspected(tmp_path: Path) -> None:
    code, content = report(written(tmp_path / "BTCUSDT-1m.parquet", minutes(3000)))
    assert (code, faults(content)) == (0, [("warn", "generated", "BTCUSDT", 3000)])
    assert "clustering" in content["files"][0]["faults"][0]["reason"]


def test_spot_under_the_name_of_futures_is_told_with_the_spot_at_hand(tmp_path: Path) -> None:
    spot, futures = tmp_path / "spot", tmp_path / "usdm"
    spot.mkdir()
    futures.mkdir()
    written(spot / "BTCUSDT-1m.parquet", minutes())
    path = written(futures / "BTCUSDT-1m.csv", minutes().slice(50, 100))
    code, content = report(path, "--market", "usdm", "--reference", str(spot))
    assert (code, content["market"]) == (1, "usdm")
    assert faults(content) == [("block", "mislabelled", "BTCUSDT", 100)]
    written(futures / "BTCUSDT-1m.csv", minutes(seed=2).slice(50, 100))
    assert report(path, "--market", "usdm", "--reference", str(spot))[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--market", "coinm"], "coinm"),
        (["--interval", "soon"], "soon"),
        (["--reference", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, options: list[str], words: str) -> None:
    path = written(tmp_path / "BTCUSDT-1m.csv", minutes())
    result = run(path, *options)
    assert result.exit_code == 2
    assert words in result.output
    assert run(tmp_path / "absent.csv").exit_code == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("fees.csv", "symbol,fee\nBTCUSDT,10\n", "has no column for open_time, open, high, low, close"),
        ("page.csv", "<html>\n<body>not here</body>\n", "has no column for"),
        ("none.csv", "open_time,open,high,low,close,volume\n", "holds no bar"),
        ("one.csv", f"open_time,open,high,low,close,volume\n{START_MS},1,1,1,1,1\n", "--interval"),
        ("bars.xlsx", "PK", "must end in"),
    ],
)
def test_what_is_no_kline_file_gets_one_line_that_says_so(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    result = run(path)
    assert result.exit_code == 1
    assert words in result.stderr
    assert name in result.stderr


def test_one_bad_file_does_not_hide_what_the_others_of_a_folder_hold(tmp_path: Path) -> None:
    (tmp_path / "fees.csv").write_text("symbol,fee\nBTCUSDT,10\n")
    written(tmp_path / "BTCUSDT-1m.csv", minutes())
    code, content = report(tmp_path)
    assert code == 0
    assert [bool(file["skipped"]) for file in content["files"]] == [False, True]
    (tmp_path / "none.csv").write_text("open_time,open,high,low,close,volume\n")
    code, content = report(tmp_path)
    assert (code, faults(content)) == (1, [("block", "unreadable", "", 0)])
    assert [len(file["symbols"]) for file in content["files"]] == [1, 0, 0]


def test_a_folder_without_bars_gets_one_line_that_says_so(tmp_path: Path) -> None:
    assert "holds no file that ends in" in run(tmp_path).stderr
    for name in ("fees.csv", "names.csv"):
        (tmp_path / name).write_text("symbol,fee\nBTCUSDT,10\n")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "none of its 2 files holds bars" in result.stderr


def test_real_archive_days_on_both_sides_of_the_switch_are_clean(shared: Path) -> None:
    code, content = report(shared / "data" / "raw" / "binance_vision_spot_1m", "--market", "spot")
    assert (code, content["blocking"]) == (0, 0)
    assert [(file["unit"], file["symbols"][0]["bars"]) for file in content["files"]] == [
        ("ms", 1200),
        ("ms", 1440),
        ("us", 1440),
    ]


def test_a_market_with_sessions_is_not_blamed_for_its_nights(shared: Path) -> None:
    code, content = report(shared / "data" / "bse")
    assert (code, faults(content)) == (0, [])
    assert "the market shuts" in content["files"][0]["notes"][0]


@pytest.mark.parametrize(
    ("folder", "kind", "rows"), [("nse_bse", "duplicate", 15), ("equities", "high_below_low", 4)]
)
def test_the_known_defects_of_real_daily_bars_are_found_and_nothing_else_blocks(
    shared: Path, folder: str, kind: str, rows: int
) -> None:
    code, content = report(shared / "data" / folder)
    blocking = [fault for fault in faults(content) if fault[0] == "block"]
    assert code == 1
    assert {fault[1] for fault in blocking} == {kind}
    assert sum(fault[3] for fault in blocking) == rows
