"""`tidemill rate FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import MISSING, Json, line, number, print_json, table, text

if TYPE_CHECKING:
    from apps.cli.rating.report import Component, RatingReport, SymbolRating

app = typer.Typer()


@app.command()
def rate(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet of OHLCV bars, of one or many symbols.")],
    interval: Annotated[
        str | None, typer.Option(help="Length of bar, such as 15m, 1h or 1d; the file's own if not given.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Rate only this symbol of the file.")] = None,
    as_json: Json = False,
) -> None:
    """Print the technical ratings (tv_lib_v3) of the newest bar in a file: every vote and value."""
    import time

    from apps.cli.rating.report import rate_file

    report = rate_file(file, interval=interval, symbol=symbol, now_ms=time.time_ns() // 1_000_000)
    if as_json:
        print_json(report)
        return
    if len(report.ratings) == 1:
        _print_one(report, report.ratings[0])
    else:
        _print_overview(report)
    for note in report.notes:
        line(f"note: {note}")


def label_text(label: str | None) -> str:
    """A label as people write it: ``Strong Buy``."""
    return MISSING if label is None else label.replace("_", " ").title()


def _print_one(report: RatingReport, rating: SymbolRating) -> None:
    line(
        f"{rating.symbol}, {report.interval} bar {text(rating.bar_open)} to {text(rating.bar_close)} UTC, "
        f"close {number(rating.close)}, {rating.bars} bars of history",
        style="bold",
    )
    table(
        "Ratings (tv_lib_v3)",
        ("rating", "value", "label"),
        [
            ("total", _signed(rating.rating), label_text(rating.label)),
            ("moving averages", _signed(rating.moving_averages), _label_of(rating.moving_averages)),
            ("oscillators", _signed(rating.oscillators), _label_of(rating.oscillators)),
        ],
        right=("value",),
    )
    table(
        "Components",
        ("group", "component", "vote", "value"),
        [(item.group, item.name, item.vote or MISSING, _values(item)) for item in rating.components],
    )


def _print_overview(report: RatingReport) -> None:
    table(
        f"Ratings (tv_lib_v3) of {report.interval} bars; --symbol shows the components of one",
        ("symbol", "bar close (UTC)", "label", "total", "moving averages", "oscillators", "bars"),
        [
            (
                item.symbol,
                item.bar_close,
                label_text(item.label),
                _signed(item.rating),
                _signed(item.moving_averages),
                _signed(item.oscillators),
                item.bars,
            )
            for item in report.ratings
        ],
        right=("total", "moving averages", "oscillators", "bars"),
    )


def _label_of(rating: float | None) -> str:
    from trading.ratings.labels import label

    return label_text(label(rating))


def _signed(rating: float | None) -> str:
    return MISSING if rating is None else f"{rating:+.6f}"


def _values(item: Component) -> str:
    if not item.lines:
        return text(item.value)
    return ", ".join(f"{name} {text(value)}" for name, value in item.lines.items())
