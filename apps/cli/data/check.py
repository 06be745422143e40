"""`tidemill data check PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.boundary import FAILED
from apps.cli.output import MISSING, Json, line, print_json, table, text
from trading.model.series import Market

if TYPE_CHECKING:
    from apps.cli.data.report import DataReport, FileReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Market data from anywhere."""


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(exists=True, help="Kline file (CSV, zip, Parquet or Feather), or a folder of them."),
    ],
    market: Annotated[Market | None, typer.Option(help="Market that the bars claim to be of.")] = None,
    interval: Annotated[
        str | None, typer.Option(help="Length of a bar, such as 1m or 1h; found if not given.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="The same symbols' bars of the other market, to tell mislabelled ones."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings alone make the data unclean too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge klines as the graph would: gaps, faults, and suspicion of made-up or mislabelled data.

    Exits with 0 when the data is clean and with 1 when it is not.
    """
    import time

    from apps.cli.bars.spacing import parse_interval
    from apps.cli.data.report import Question, check_path
    from apps.cli.progress import shown_progress
    from trading.errors import FixConfiguration

    try:
        interval_ms = None if interval is None else parse_interval(interval)
    except FixConfiguration as error:
        raise typer.BadParameter(str(error), param_hint="--interval") from error
    question = Question(market, interval_ms, reference, strict, time.time_ns() // 1_000_000)
    if path.is_dir():
        with shown_progress() as progress:
            report = check_path(path, question, progress)
    else:
        report = check_path(path, question)
    if as_json:
        print_json(report)
    else:
        _print(report, path)
    if not report.clean:
        raise typer.Exit(FAILED)


def _print(report: DataReport, path: Path) -> None:
    judged = [file for file in report.files if not file.skipped]
    table(
        f"Bars in {path}",
        (
            "file",
            "interval",
            "unit",
            "checksum",
            "symbol",
            "first (UTC)",
            "last (UTC)",
            "bars",
            "expected",
            "no volume",
        ),
        [
            (
                file.file.name,
                file.interval,
                file.unit,
                file.verified,
                bars.symbol,
                bars.first,
                bars.last,
                bars.bars,
                bars.expected,
                bars.zero_volume,
            )
            for file in judged
            for bars in file.symbols
        ],
        right=("bars", "expected", "no volume"),
    )
    for file in judged:
        _print_faults(file)
    for file in report.files:
        for note in file.notes:
            line(f"note: {file.file.name}: {note}")
        if file.skipped:
            line(f"skipped: {file.skipped}")
    verdict = "CLEAN" if report.clean else "NOT CLEAN"
    line(
        f"{verdict}: {report.blocking} fault(s) that block, {report.warnings} warning(s) in {len(judged)} file(s)",
        style="bold" if report.clean else "bold red",
    )


def _print_faults(file: FileReport) -> None:
    if not file.faults:
        return
    table(
        f"Found in {file.file.name}",
        ("", "kind", "symbol", "rows", "reason", "first row"),
        [
            (
                fault.severity,
                fault.kind,
                fault.symbol or MISSING,
                fault.count or None,
                fault.reason,
                ", ".join(
                    f"{name} {text(value)}" for name, value in fault.rows[0].items() if name != "symbol"
                )
                if fault.rows
                else MISSING,
            )
            for fault in file.faults
        ],
        right=("rows",),
    )
