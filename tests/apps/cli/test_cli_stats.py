"""`tidemill stats`: the same figures as the Python functions, any form of file, errors that name the fix."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from apps.cli.boundary import ErrorBoundary
from apps.cli.output import PLAIN_WIDTH
from apps.cli.stats import commands
from trading.statistics.clusters import cluster_trials
from trading.statistics.overfitting import overfitting
from trading.statistics.performance import sharpes
from trading.statistics.sample import moments
from trading.statistics.track_record import minimum_track_record, probabilistic_sharpe
from trading.statistics.trials import deflated_sharpe, expected_maximum_sharpe

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., Result]

app = typer.Typer(cls=ErrorBoundary, pretty_exceptions_enable=False)
app.add_typer(commands.app, name="stats")


@app.callback()
def root() -> None:
    """The part of the command line that these tests need."""


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["stats", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


def returns(periods: int = 240, strategies: int = 4, seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    values = generator.standard_t(5, (periods, strategies)) * 0.01 + np.linspace(0, 0.001, strategies)
    return pl.DataFrame(values, schema=[f"s{i}" for i in range(strategies)])


def dated(frame: pl.DataFrame) -> pl.DataFrame:
    days = pl.datetime_range(
        pl.datetime(2024, 1, 1),
        pl.datetime(2024, 1, 1) + pl.duration(days=frame.height - 1),
        "1d",
        eager=True,
    )
    return frame.select(days.alias("time"), pl.all())


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


@pytest.fixture(params=["csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(dated(returns()), tmp_path / f"returns.{request.param}")


def test_psr_is_that_of_the_function(file: Path) -> None:
    report = run_json("psr", file, "--benchmark-sharpe", 0.5, "--periods-per-year", 252)
    assert report["question"]["periods_per_year"] == 252
    for name, item in zip(returns().columns, report["figures"], strict=True):
        sample = moments(returns()[name].to_numpy())
        expected = probabilistic_sharpe(
            sample.sharpe,
            0.5 / math.sqrt(252),
            periods=240,
            skewness=sample.skewness,
            kurtosis=sample.kurtosis,
        )
        record = item["record"]
        assert (record["strategy"], record["n"]) == (name, 240)
        assert item["value"] == pytest.approx(expected, rel=1e-12)
        assert record["mean"] == pytest.approx(sample.mean, rel=1e-12)
        assert record["sd"] == pytest.approx(sample.deviation, rel=1e-12)
        assert record["skewness"] == pytest.approx(sample.skewness, rel=1e-12)
        assert record["kurtosis"] == pytest.approx(sample.kurtosis, rel=1e-12)
        assert record["sharpe_per_year"] == pytest.approx(sample.sharpe * math.sqrt(252), rel=1e-12)
        assert f"{record['n']} periods" in item["meaning"]


def test_mintrl_is_that_of_the_function(file: Path) -> None:
    report = run_json("mintrl", file, "--confidence", 0.9, "--benchmark-sharpe", 0.2)
    for name, item in zip(returns().columns, report["figures"], strict=True):
        sample = moments(returns()[name].to_numpy())
        expected = minimum_track_record(
            sample.sharpe,
            0.2 / math.sqrt(365),
            skewness=sample.skewness,
            kurtosis=sample.kurtosis,
            confidence=0.9,
        )
        if math.isinf(expected):
            assert item["value"] is None
            assert "no record proves" in item["meaning"]
        else:
            assert item["value"] == pytest.approx(expected, rel=1e-12)
            assert f"from {math.ceil(expected)} periods" in item["meaning"]
    assert {item["value"] is None for item in report["figures"]} == {True, False}


@pytest.mark.parametrize("trials", [None, 3, 5000])
def test_dsr_is_that_of_the_function(file: Path, trials: int | None) -> None:
    report = run_json("dsr", file, *([] if trials is None else ["--trials", trials]))
    matrix = returns().to_numpy()
    count = trials or 4
    variance = float(sharpes(matrix).var(ddof=1)) if count <= 4 else 1 / 239
    assert report["sharpe_variance"] == pytest.approx(variance, rel=1e-9)
    assert report["expected_maximum_sharpe"] == pytest.approx(
        expected_maximum_sharpe(count, variance), rel=1e-9
    )
    assert (report["trials"], report["columns"]) == (count, 4)
    assert report["clusters"] == cluster_trials(matrix).number
    best = report["figures"][0]
    sample = moments(matrix[:, int(sharpes(matrix).argmax())])
    expected = deflated_sharpe(
        sample.sharpe,
        trials=count,
        sharpe_variance=variance,
        periods=240,
        skewness=sample.skewness,
        kurtosis=sample.kurtosis,
    )
    assert best["value"] == pytest.approx(expected, rel=1e-9)
    assert [item["record"]["sharpe"] for item in report["figures"]] == sorted(sharpes(matrix), reverse=True)
    assert any("--trials 3 is below the 4 columns" in note for note in report["notes"]) == (trials == 3)


def test_dsr_of_one_strategy_asks_out_of_how_many(tmp_path: Path) -> None:
    path = write(returns(strategies=1), tmp_path / "one.csv")
    assert "say with --trials" in refusal("dsr", path)
    report = run_json("dsr", path, "--trials", 100)
    assert report["sharpe_variance"] == pytest.approx(1 / 239)
    assert "sampling variance" in report["sharpe_variance_from"]
    alone = run_json("dsr", path, "--trials", 1)["figures"][0]["value"]
    assert alone == pytest.approx(run_json("psr", path)["figures"][0]["value"])


def test_pbo_of_the_golden_vector(tmp_path: Path) -> None:
    t, n = np.arange(64)[:, None], np.arange(8)[None, :]
    values = 0.01 * np.sin(1.7 * (t + 1) * (n + 1))
    path = write(pl.DataFrame(values, schema=[f"s{i}" for i in range(8)]), tmp_path / "golden.csv")
    report = run_json("pbo", path, "--partitions", 8)
    assert report["value"] == pytest.approx(6 / 7, abs=1e-9)
    assert report["median_logit"] == pytest.approx(-2.0794415416798357, abs=1e-9)
    assert report["probability_of_loss"] == pytest.approx(6 / 7, abs=1e-9)
    assert report["splits"] == 70
    assert "no better than drawing lots" in report["meaning"]


def test_pbo_is_that_of_the_function(file: Path) -> None:
    report = run_json("pbo", file, "--partitions", 10)
    expected = overfitting(returns().to_numpy(), partitions=10)
    for name in ("pbo", "median_logit", "probability_of_loss", "slope", "intercept", "r_squared"):
        assert report["value" if name == "pbo" else name] == pytest.approx(getattr(expected, name), rel=1e-9)
    assert report["first_order_dominance"] == expected.dominance.first_order
    favourite = np.bincount(expected.chosen)
    assert report["most_chosen"] == f"s{favourite.argmax()}"
    assert report["most_chosen_fraction"] == pytest.approx(favourite.max() / expected.splits)
    assert [record["strategy"] for record in report["records"]] == returns().columns


def test_pbo_says_what_it_dropped_and_drew(tmp_path: Path) -> None:
    path = write(returns(periods=101, strategies=2), tmp_path / "returns.csv")
    notes = run_json("pbo", path, "--partitions", 8)["notes"]
    assert any("oldest 5 row(s) were left out" in note for note in notes)
    report = run_json("pbo", path, "--partitions", 22)
    assert report["splits"] == 200_000
    assert any("200000 of 705432 splits were drawn, with seed 0" in note for note in report["notes"])


def test_prices_become_returns(tmp_path: Path) -> None:
    rates = returns()
    prices = 100 * (1 + rates.to_numpy()).cumprod(axis=0)
    whole = pl.DataFrame(np.vstack([np.full(4, 100.0), prices]), schema=rates.columns)
    of_prices = run_json("psr", write(whole, tmp_path / "prices.csv"), "--prices")
    of_returns = run_json("psr", write(rates, tmp_path / "returns.csv"))
    for one, other in zip(of_prices["figures"], of_returns["figures"], strict=True):
        assert one["value"] == pytest.approx(other["value"], rel=1e-9)
        assert one["record"]["n"] == other["record"]["n"] == 240
    assert any("use --prices" in note for note in run_json("psr", tmp_path / "prices.csv")["notes"])


def _epoch_ms(frame: pl.DataFrame) -> pl.DataFrame:
    return dated(frame).with_columns(pl.col("time").dt.epoch("ms")).rename({"time": "open_time"})


SHAPES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "plain": lambda frame: frame,
    "dated": dated,
    "dates as text": lambda f: (
        dated(f).with_columns(pl.col("time").dt.strftime("%Y-%m-%d")).rename({"time": "Date"})
    ),
    "time of an unknown name": lambda f: dated(f).rename({"time": "when"}),
    "time in the last column": lambda f: dated(f).select([*f.columns, "time"]),
    "milliseconds": _epoch_ms,
    "row numbers": lambda f: f.with_row_index("index"),
    "row numbers of pandas": lambda f: f.with_row_index(""),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_form_of_file_gives_the_same_figures(tmp_path: Path, shape: str, suffix: str) -> None:
    expected = run_json("psr", write(returns(), tmp_path / "plain.parquet"))["figures"]
    path = write(SHAPES[shape](returns()), tmp_path / f"shaped.{suffix}")
    report = run_json("psr", path)
    assert [item["record"]["strategy"] for item in report["figures"]] == returns().columns
    for one, other in zip(report["figures"], expected, strict=True):
        assert one["value"] == pytest.approx(other["value"], rel=1e-9)
    assert bool([note for note in report["notes"] if "left out" in note]) == (shape != "plain")


def test_files_without_a_header_tabs_and_gzip(tmp_path: Path) -> None:
    expected = [item["value"] for item in run_json("psr", write(returns(), tmp_path / "a.csv"))["figures"]]
    returns().write_csv(tmp_path / "bare.csv", include_header=False)
    dated(returns()).write_csv(tmp_path / "dated.csv", include_header=False)
    returns().write_csv(tmp_path / "tabs.tsv", separator="\t")
    import gzip

    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    for name in ("bare.csv", "dated.csv", "tabs.tsv", "packed.csv.gz"):
        assert [item["value"] for item in run_json("psr", tmp_path / name)["figures"]] == pytest.approx(
            expected
        )


def _cell(row: int, column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        cells = [str(cell) for cell in frame[column]]
        cells[row - 1] = value  # type: ignore[call-overload]
        return frame.with_columns(pl.Series(column, cells))

    return change


@pytest.mark.parametrize(
    ("change", "arguments", "parts"),
    [
        (_cell(7, "s2", "abc"), [], ["'s2'", "row 7", "'abc'", "not a finite number", "0.0125"]),
        (_cell(7, "s2", "1.5%"), [], ["'s2'", "row 7", "'1.5%'"]),
        (_cell(9, "s1", None), [], ["'s1'", "row 9 is missing", "a missing return is not 0"]),
        (_cell(9, "s1", "NaN"), [], ["'s1'", "row 9 is missing"]),
        (_cell(1, "s0", "inf"), [], ["'s0'", "row 1", "'inf'", "not a finite number"]),
        (lambda f: f.with_columns(s3=pl.lit(0.0)), [], ["'s3'", "same return, 0,", "drop the column"]),
        (lambda f: f.with_columns(s3=pl.lit(0.001)), [], ["'s3'", "same return, 0.001,"]),
        (lambda f: f.with_columns(name=pl.lit("x")), [], ["'name'", "row 1", "'x'"]),
        (lambda f: f.head(9), [], ["holds 9 returns", "at least 10"]),
        (lambda f: f.head(0), [], ["holds 0 returns"]),
        (lambda f: f, ["--prices"], ["the price of row", "above 0", "leave out --prices"]),
        (lambda f: dated(f).select("time"), [], ["no column of returns"]),
        (lambda f: dated(f).reverse(), [], ["'time'", "row 2", "oldest first"]),
        (
            lambda f: f.with_columns(date=pl.lit("03/04/2024")),
            [],
            ["'date'", "'03/04/2024' of row 1", "ISO 8601"],
        ),
        (
            lambda f: f.with_columns(day=20240100 + pl.int_range(pl.len()) * 7),
            [],
            ["'day'", "'20240100'", "rename"],
        ),
        (lambda f: pl.concat([dated(f), dated(f).tail(1)]), [], ["'time'", "row 241", "does not follow"]),
    ],
)
@pytest.mark.parametrize("command", ["psr", "dsr", "mintrl", "pbo"])
def test_bad_files_are_refused_by_column_row_and_fix(
    tmp_path: Path,
    command: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    arguments: list[str],
    parts: list[str],
) -> None:
    path = write(change(returns()), tmp_path / "bad.csv")
    message = refusal(command, path, *arguments)
    assert str(path) in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["pbo", "--partitions", 7], ["partitions is 7", "even"]),
        (["pbo", "--partitions", 0], ["partitions is 0"]),
        (["psr", "--confidence", 95], ["--confidence is 95", "0.95"]),
        (["dsr", "--confidence", 0.5], ["--confidence is 0.5"]),
        (["mintrl", "--confidence", 0.05], ["--confidence is 0.05"]),
        (["psr", "--periods-per-year", 0], ["--periods-per-year is 0", "8760"]),
        (["pbo", "--periods-per-year", -1], ["--periods-per-year is -1"]),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, arguments: list[object], parts: list[str]) -> None:
    path = write(returns(), tmp_path / "returns.csv")
    message = refusal(arguments[0], path, *arguments[1:])
    for part in parts:
        assert part in message


def test_pbo_needs_enough_rows_and_columns(tmp_path: Path) -> None:
    short = write(returns(periods=31), tmp_path / "short.csv")
    assert "32 periods, or fewer partitions" in refusal("pbo", short, "--partitions", 16)
    assert "at least two" in refusal("pbo", write(returns(strategies=1), tmp_path / "one.csv"))
    half = returns().with_columns(s1=pl.when(pl.int_range(pl.len()) < 120).then(0.3).otherwise("s1"))
    assert "trial s1 has constant returns other than 0" in refusal("pbo", write(half, tmp_path / "half.csv"))


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "there is no such file" in refusal("psr", tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    assert "cannot be read" in refusal("psr", tmp_path / "empty.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    assert "cannot be read" in refusal("psr", tmp_path / "broken.parquet")
    (tmp_path / "returns.xlsx").write_bytes(b"PK")
    assert "must end in .csv" in refusal("psr", tmp_path / "returns.xlsx")
    flags = returns().with_columns(flag=pl.lit(True))
    assert "'flag' holds Boolean" in refusal("psr", write(flags, tmp_path / "flags.parquet"))


def test_dependence_and_amounts_are_noted(tmp_path: Path) -> None:
    walk = np.convolve(np.random.default_rng(1).normal(size=301), [1, 1], mode="valid") * 5
    path = write(pl.DataFrame({"walk": walk}), tmp_path / "walk.csv")
    notes = " ".join(run_json("psr", path)["notes"])
    assert "depend on the period before (autocorrelation up to +0.3" in notes
    assert "values below -1: read as amounts" in notes
    assert run_json("psr", write(returns(), tmp_path / "fine.csv"))["notes"] == []


def test_tables_for_people_hold_figure_inputs_and_meaning(tmp_path: Path) -> None:
    path = write(dated(returns()), tmp_path / "returns.csv")
    for command, words in {
        "psr": ("Probabilistic Sharpe ratio (365 periods a year)", "would look this good with a chance of"),
        "mintrl": ("Minimum track record", "is proven at 95 % from"),
        "dsr": ("Deflated Sharpe ratio", "best Sharpe ratio a year expected of noise", "luck in choosing"),
        "pbo": ("Probability of backtest overfitting", "splits the strategy that was best in one half"),
    }.items():
        out = run(command, path).stdout
        for part in (*words, "kurtosis", "skew", "s3", "note: column 'time' is a time; left out"):
            assert part in out
        tables = [row for row in out.splitlines() if "─" in row]
        assert tables
        assert max(map(len, tables)) <= PLAIN_WIDTH


def test_many_strategies_are_told_in_few_sentences(tmp_path: Path) -> None:
    path = write(returns(strategies=30), tmp_path / "many.csv")
    out = run("psr", path).stdout
    assert out.count("would look this good") == 10
    assert "and 20 more strategies" in out
    assert len(run_json("psr", path)["figures"]) == 30


FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["concepts/selection.md", "how-to/stats.md"])
def test_the_pages_examples_print_what_they_show(tmp_path: Path, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    names: dict[str, object] = {}
    shown = 0
    with contextlib.chdir(tmp_path):
        for language, body in FENCE.findall(text):
            if language == "python":
                exec(compile(body, page, "exec"), names)
            elif language == "console":
                command, _, expected = body.partition("\n")
                assert command.startswith("$ tidemill stats ")
                printed = run(*command.removeprefix("$ tidemill stats ").split()).stdout
                assert [row.strip() for row in printed.splitlines() if row.strip()] == [
                    row.strip() for row in expected.splitlines() if row.strip()
                ]
                shown += 1
    assert names
    assert shown == (4 if page == "how-to/stats.md" else 0)
