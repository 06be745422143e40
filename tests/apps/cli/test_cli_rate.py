"""`tidemill rate`: golden ratings, every form of file, and errors that name the fix."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import Result

from apps.cli.output import PLAIN_WIDTH

Cli = Callable[..., Result]
CliJson = Callable[..., Any]

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


def synthetic(bars: int, step_ms: int = HOUR_MS) -> pl.DataFrame:
    """The series of the regression vector: t = 0 .. bars - 1."""
    rows = []
    for t in range(bars):
        close = 100 + 10 * math.sin(0.05 * t) + 5 * math.sin(0.31 * t) + 0.02 * t
        high, low = close + 1 + 0.5 * abs(math.sin(t)), close - 1 - 0.5 * abs(math.cos(t))
        rows.append((START_MS + t * step_ms, close, high, low, close, 1000 + 100 * math.cos(0.2 * t)))
    return pl.DataFrame(rows, schema=["open_time", "open", "high", "low", "close", "volume"], orient="row")


@pytest.mark.parametrize(
    ("t", "averages", "oscillators", "total", "label"),
    [
        (250, 0.8, -0.272727, 0.263636, "buy"),
        (400, 0.266667, -0.090909, 0.087879, "neutral"),
        (451, -0.133333, 0.0, -0.066667, "neutral"),
    ],
)
def test_golden_vector(
    cli_json: CliJson, tmp_path: Path, t: int, averages: float, oscillators: float, total: float, label: str
) -> None:
    synthetic(t + 1).write_csv(tmp_path / "golden.csv")
    report = cli_json("rate", str(tmp_path / "golden.csv"))
    rating = report["ratings"][0]
    assert report["interval"] == "1h"
    assert rating["moving_averages"] == pytest.approx(averages, abs=1e-6)
    assert rating["oscillators"] == pytest.approx(oscillators, abs=1e-6)
    assert rating["rating"] == pytest.approx(total, abs=1e-6)
    assert rating["label"] == label
    assert len(rating["components"]) == 26


def test_votes_of_the_golden_vector_at_400(cli_json: CliJson, tmp_path: Path) -> None:
    synthetic(401).write_parquet(tmp_path / "golden.parquet")
    components = cli_json("rate", str(tmp_path / "golden.parquet"))["ratings"][0]["components"]
    voting = {
        c["name"]: c["vote"] for c in components if c["group"] == "oscillators" and c["vote"] != "Neutral"
    }
    assert voting == {"momentum": "Sell", "macd": "Sell", "bull_bear": "Buy"}
    assert all(c["value"] is not None for c in components)


def _seconds(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("open_time") // 1000)


def _micros(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("open_time") * 1000)


def _nanos(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("open_time") * 1_000_000)


def _switch_of_units(frame: pl.DataFrame) -> pl.DataFrame:
    """Milliseconds, then microseconds: the venue's archive changed its unit on 2025-01-01."""
    late = pl.col("open_time") > START_MS + 100 * HOUR_MS
    return frame.with_columns(
        pl.when(late).then(pl.col("open_time") * 1000).otherwise(pl.col("open_time")).alias("open_time")
    )


def _text(pattern: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    moment = pl.from_epoch("open_time", "ms")
    return lambda frame: frame.with_columns(moment.dt.strftime(pattern).alias("open_time"))


def _other_zone(frame: pl.DataFrame) -> pl.DataFrame:
    moment = pl.from_epoch("open_time", "ms") + pl.duration(hours=5, minutes=30)
    return frame.with_columns((moment.dt.strftime("%Y-%m-%d %H:%M:%S") + "+05:30").alias("open_time"))


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.rename(
        {"open_time": "Date", "open": "O", "high": "High", "low": "L", "close": "CLOSE", "volume": "Vol"}
    )
    return frame.select(reversed(frame.columns))


@pytest.mark.parametrize(
    "shape",
    [
        _seconds,
        _micros,
        _nanos,
        _switch_of_units,
        _text("%Y-%m-%d %H:%M"),
        _text("%Y-%m-%dT%H:%M:%S"),
        _text("%Y-%m-%dT%H:%M:%S.000Z"),
        _text("%Y-%m-%d %H:%M:%S+00:00"),
        _other_zone,
        _renamed,
        lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=1),
        lambda frame: pl.concat([frame, frame.tail(3)]),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_form_of_file_gives_the_same_rating(
    cli_json: CliJson, tmp_path: Path, shape: Callable[[pl.DataFrame], pl.DataFrame], suffix: str
) -> None:
    frame, path = shape(synthetic(401)), tmp_path / f"bars.{suffix}"
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    rating = cli_json("rate", str(path))["ratings"][0]
    assert rating["rating"] == pytest.approx(0.087879, abs=1e-6)
    assert rating["bar_open"] == "2024-01-17T16:00:00+00:00"
    assert rating["bars"] == 401


def test_days_written_as_dates_are_daily_bars(cli_json: CliJson, tmp_path: Path) -> None:
    day = pl.from_epoch("open_time", "ms").dt.strftime("%Y-%m-%d").alias("Date")
    synthetic(401, 24 * HOUR_MS).with_columns(day).drop("open_time").write_csv(tmp_path / "daily.csv")
    report = cli_json("rate", str(tmp_path / "daily.csv"))
    assert report["interval"] == "1d"
    assert report["ratings"][0]["rating"] == pytest.approx(0.087879, abs=1e-6)
    weekly = cli_json("rate", str(tmp_path / "daily.csv"), "--interval", "1w")
    assert (
        weekly["ratings"][0]["bar_open"] == "2025-01-27T00:00:00+00:00"
    )  # a Monday; the last week is not whole
    assert weekly["ratings"][0]["bars"] == 57


def test_headerless_rows_of_the_venue(cli_json: CliJson, tmp_path: Path) -> None:
    rest = {"close_time": START_MS, "quote": 1.0, "trades": 5, "taker": 1.0, "taker_quote": 1.0, "ignore": 0}
    wide = synthetic(401).with_columns(pl.lit(value).alias(name) for name, value in rest.items())
    wide.write_csv(tmp_path / "BTCUSDT-1h.csv", include_header=False)
    rating = cli_json("rate", str(tmp_path / "BTCUSDT-1h.csv"))["ratings"][0]
    assert rating["symbol"] == "BTCUSDT-1h"
    assert rating["rating"] == pytest.approx(0.087879, abs=1e-6)


def test_asking_for_a_longer_interval_resamples_whole_bars(
    cli_json: CliJson, shared: Path, tmp_path: Path
) -> None:
    source = shared / "data/binance/spot/5m/src=genetrader/BTCUSDT.parquet"
    bars = pl.read_parquet(source, hive_partitioning=False).tail(12 * 400)
    bars.write_parquet(tmp_path / "five.parquet")
    oracle = (
        bars.sort("open_time")
        .group_by_dynamic("open_time", every="1h")
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.len().alias("n"),
        )
        .filter(pl.col("n") == 12)
        .drop("n")
    )
    oracle.write_csv(tmp_path / "BTCUSDT.csv")
    made = cli_json("rate", str(tmp_path / "five.parquet"), "--interval", "1h")
    given = cli_json("rate", str(tmp_path / "BTCUSDT.csv"))
    assert made["interval"] == given["interval"] == "1h"
    assert made["ratings"] == given["ratings"]


def test_real_hourly_bars_vote_as_their_plain_means_say(
    cli_json: CliJson, shared: Path, tmp_path: Path
) -> None:
    source = shared / "data/binance/spot/1h/src=staticklines/ETHUSDT.parquet"
    bars = pl.read_parquet(source, hive_partitioning=False).sort("open_time").tail(1500)
    bars.write_parquet(tmp_path / "eth.parquet")
    report = cli_json("rate", str(tmp_path / "eth.parquet"))
    components = {c["name"]: c for c in report["ratings"][0]["components"]}
    close = bars["close"][-1]
    for length in (10, 20, 30, 50, 100, 200):
        mean = bars["close"].tail(length).mean()
        assert isinstance(mean, float)
        assert components[f"sma_{length}"]["value"] == pytest.approx(mean, rel=1e-9)
        assert components[f"sma_{length}"]["vote"] == ("Buy" if close > mean else "Sell")
    assert components["momentum"]["value"] == pytest.approx(close - bars["close"][-11], rel=1e-9)


def test_several_symbols_give_a_line_each(cli: Cli, cli_json: CliJson, shared: Path) -> None:
    path = str(shared / "data/equities/daily/1d/src=ohlcvsnapshots/all_symbols.parquet")
    report = cli_json("rate", path)
    assert report["interval"] == "1d"
    assert len(report["ratings"]) == 37
    assert any("outside high and low" in note for note in report["notes"])
    one = cli_json("rate", path, "--symbol", "SPY")
    assert one["ratings"] == [rating for rating in report["ratings"] if rating["symbol"] == "SPY"]
    assert "SPY" in cli("rate", path).stdout


def test_plain_output_names_every_component_and_cuts_nothing(cli: Cli, tmp_path: Path) -> None:
    synthetic(401).write_csv(tmp_path / "bars.csv")
    result = cli("rate", str(tmp_path / "bars.csv"))
    assert result.exit_code == 0
    assert "+0.087879" in result.stdout
    assert "Neutral" in result.stdout
    for name in (
        "sma_200",
        "ichimoku",
        "stoch_rsi",
        "bull_bear",
        "ultimate",
        "ichimoku_lead_b",
        "bear_power_13",
    ):
        assert name in result.stdout
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= PLAIN_WIDTH


def test_too_few_bars_rate_what_there_is_and_say_what_is_missing(cli_json: CliJson, tmp_path: Path) -> None:
    synthetic(60).write_csv(tmp_path / "short.csv")
    report = cli_json("rate", str(tmp_path / "short.csv"))
    votes = {c["name"]: c["vote"] for c in report["ratings"][0]["components"]}
    assert votes["sma_50"] is not None
    assert votes["sma_100"] is None
    assert votes["ema_200"] is None
    assert report["ratings"][0]["rating"] is not None
    assert "60 bars are too few for sma_100" in report["notes"][0]


def test_a_bar_that_is_not_over_is_left_out(cli_json: CliJson, tmp_path: Path) -> None:
    far = synthetic(2).with_columns(pl.col("open_time") + 300 * 365 * 24 * HOUR_MS // 10)
    pl.concat([synthetic(401), far]).write_csv(tmp_path / "open.csv")
    report = cli_json("rate", str(tmp_path / "open.csv"))
    assert report["ratings"][0]["rating"] == pytest.approx(0.087879, abs=1e-6)
    assert any("not closed yet" in note for note in report["notes"])


def _swapped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({"high": "low", "low": "high"})


def _close_is_volume(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({"close": "volume", "volume": "close"})


def _with(row: int, **values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        rows = frame.to_dicts()
        rows[row] |= values
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    return change


@pytest.mark.parametrize(
    ("damage", "options", "parts"),
    [
        (_swapped, (), ("high is below low", "high and low swapped")),
        (_close_is_volume, (), ("outside high and low", "are columns swapped")),
        (lambda f: f.drop("volume"), (), ("no column for volume", "open_time, open, high, low, close")),
        (lambda f: f.drop("open_time"), (), ("no column for open_time", "timestamp")),
        (_with(7, close="n/a"), (), ("close of bar 8 is 'n/a'", "a finite number")),
        (_with(7, low=None), (), ("low of bar 8 is None",)),
        (_with(3, volume=-1.0), (), ("volume is negative", "2024-01-01 03:00")),
        (_with(3, open_time="soon"), (), ("open_time of bar 4 is 'soon'", "ISO 8601")),
        (
            lambda f: f.with_columns(pl.int_range(pl.len()).alias("open_time")),
            (),
            ("open_time of bar 1 is", "since 1970"),
        ),
        (lambda f: f, ("--interval", "30m"), ("bars of 1h", "30m")),
        (lambda f: f, ("--interval", "90m"), ("bars of 1h", "90m")),
        (lambda f: f, ("--interval", "hourly"), ("'hourly'", "15m, 1h or 1d")),
        (lambda f: f, ("--symbol", "DOGE"), ("no bars of 'DOGE'", "bars")),
        (lambda f: f.head(0), (), ("holds no bar",)),
    ],
)
def test_wrong_input_is_told_with_the_fix(
    cli: Cli,
    tmp_path: Path,
    damage: Callable[[pl.DataFrame], pl.DataFrame],
    options: tuple[str, ...],
    parts: tuple[str, ...],
) -> None:
    path = tmp_path / "bars.csv"
    damage(synthetic(50)).write_csv(path)
    result = cli("rate", str(path), *options)
    assert result.exit_code == 1
    assert result.stdout == ""
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr


def test_files_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "five.csv").write_text("1704067200000,1,2,0.5,1\n" * 3)
    (tmp_path / "bars.xlsx").write_bytes(b"x")
    for name, part in (
        ("torn.parquet", "cannot be read"),
        ("empty.csv", "cannot be read"),
        ("five.csv", "5 columns and no header"),
        ("bars.xlsx", "must end in .csv"),
        ("nowhere.csv", "no such file"),
    ):
        result = cli("rate", str(tmp_path / name))
        assert result.exit_code == 1
        assert part in result.stderr


def test_two_different_bars_of_one_time_are_refused(cli: Cli, tmp_path: Path) -> None:
    frame = synthetic(50)
    pl.concat([frame, frame.tail(1).with_columns(pl.col("volume") + 1)]).write_csv(tmp_path / "bars.csv")
    result = cli("rate", str(tmp_path / "bars.csv"))
    assert result.exit_code == 1
    assert "different bars of the same time" in result.stderr
    assert "2024-01-03 01:00" in result.stderr


def test_a_file_of_the_future_has_no_bar_to_rate(cli: Cli, tmp_path: Path) -> None:
    synthetic(5).with_columns(pl.col("open_time") * 3).write_csv(tmp_path / "future.csv")
    result = cli("rate", str(tmp_path / "future.csv"), "--interval", "3h")
    assert result.exit_code == 1
    assert "no bar has closed yet, the newest opens at 2132-" in result.stderr
