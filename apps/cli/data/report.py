"""The judgement of kline files: what is in each, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from apps.cli.bars.spacing import interval_text, usual_spacing
from apps.cli.bars.table import NoBars
from apps.cli.data.kline_file import DamagedFile, KlineFile, kline_files, read_kline_file
from apps.cli.data.sessions import has_sessions
from trading.bars.faults.finding import FaultKind, Finding
from trading.bars.faults.judgement import Context, judge
from trading.bars.faults.neighbours import arrange
from trading.bars.faults.times import unclosed, without_wrong_units
from trading.bars.suspicion.generated import suspected
from trading.bars.suspicion.mislabelled import mislabelled
from trading.errors import BadData
from trading.model.series import Market

#: Called with a text, the files that are done and their number.
Progress = Callable[[str, int, int], None]
#: Bars of a folder's file before, which the first bars of the next are judged by.
_BEFORE = 60


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """What a file holds of a symbol; ``expected`` counts the bars from its first to its last."""

    symbol: str
    first: datetime
    last: datetime
    bars: int
    expected: int | None
    zero_volume: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A `Finding` as it is shown: the first rows as records."""

    kind: str
    severity: str
    symbol: str
    count: int
    reason: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FileReport:
    """The judgement of one file.

    Attributes
    ----------
    interval
        Length of a bar; None when one bar does not tell.
    unit
        What times are counted in: s, ms, us, ns, text or timestamp.
    verified
        Whether a checksum beside the file vouches for it; None without one.
    skipped
        Why a file of a folder was not judged; None when it was.
    """

    file: Path
    interval: str | None
    unit: str | None
    verified: bool | None
    symbols: tuple[SymbolBars, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class DataReport:
    """The judgement of a file or folder: ``clean`` when nothing blocks and, if strict, nothing warns."""

    clean: bool
    market: str | None
    blocking: int
    warnings: int
    files: tuple[FileReport, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the files.

    Attributes
    ----------
    market
        What the bars claim to be of; both markets never shut, so that every hole counts.
    interval_ms
        Length of a bar; None to find it.
    reference
        File or folder of the same symbols of the other market.
    strict
        Whether warnings make the data unclean.
    """

    market: Market | None
    interval_ms: int | None
    reference: Path | None
    strict: bool
    now_ms: int


def check_path(path: Path, question: Question, progress: Progress | None = None) -> DataReport:
    """Judge a file, or every kline file of a folder.

    Raises
    ------
    BadData
        If there is nothing to judge: no file, none with bars, or the one file cannot be read.
    """
    files = kline_files(path)
    reference = None if question.reference is None else _reference(question.reference)
    before: dict[tuple[Path, str, int], pl.DataFrame] = {}
    reports = []
    for done, file in enumerate(files):
        if progress is not None:
            progress(file.name, done, len(files))
        try:
            reports.append(_judged(read_kline_file(file), question, reference, before))
        except DamagedFile as error:
            reports.append(_unread(file, error.kind, error))
        except BadData as error:
            if len(files) == 1:
                raise
            if isinstance(error, NoBars):
                reports.append(FileReport(file, None, None, None, (), (), skipped=str(error)))
            else:
                reports.append(_unread(file, FaultKind.UNREADABLE, error))
    if all(report.skipped for report in reports):
        raise NoBars(f"{path}: none of its {len(files)} files holds bars; the first: {reports[0].skipped}")
    severities = [fault.severity for report in reports for fault in report.faults]
    blocking, warnings = severities.count("block"), severities.count("warn")
    clean = not blocking and not (question.strict and warnings)
    market = None if question.market is None else question.market.value
    return DataReport(clean, market, blocking, warnings, tuple(reports))


def _judged(
    file: KlineFile,
    question: Question,
    reference: pl.DataFrame | None,
    before: dict[tuple[Path, str, int], pl.DataFrame],
) -> FileReport:
    timely, _ = without_wrong_units(file.bars)
    interval_ms = question.interval_ms or usual_spacing(
        timely.unique(["symbol", "open_time"]).sort("open_time")
    )
    if interval_ms is None or interval_ms <= 0:
        raise BadData(f"{file.path}: one bar tells no interval; name it with --interval")
    notes = []
    continuous = question.market is not None or not has_sessions(timely, interval_ms)
    if not continuous:
        notes.append(
            "the market shuts (hours or weekdays without any bar): holes and neighbours were not judged"
        )
    symbols = timely["symbol"].unique().sort().to_list()
    keys = {symbol: (file.path.parent, symbol, interval_ms) for symbol in symbols}
    earlier = [before[key] for key in keys.values() if key in before]
    context = Context(
        interval_ms,
        as_of_ms=question.now_ms,
        previous=pl.concat(earlier, how="diagonal_relaxed") if earlier else None,
        continuous=continuous,
        signed="premium" in file.path.as_posix().lower(),
    )
    findings = judge(file.bars, context)
    arranged = arrange(timely, interval_ms)
    findings += _unclosed_at_writing(file, arranged, context)
    findings += _mixed_units(file)
    if not context.signed:
        findings += suspected(arranged)
    if reference is not None:
        findings += mislabelled(timely, reference)
    for (symbol,), part in arranged.select(pl.exclude("^_.*$")).group_by("symbol", maintain_order=True):
        before[keys[str(symbol)]] = part.tail(_BEFORE)
    return FileReport(
        file.path,
        interval_text(interval_ms),
        file.units[0],
        file.verified,
        _contents(timely, interval_ms if continuous else None),
        tuple(_fault(finding) for finding in sorted(findings, key=lambda found: found.severity != "block")),
        tuple(notes),
    )


def _unread(file: Path, kind: FaultKind, error: BadData) -> FileReport:
    return FileReport(file, None, None, None, (), (Fault(kind.value, "block", "", 0, str(error), []),))


def _unclosed_at_writing(file: KlineFile, arranged: pl.DataFrame, context: Context) -> list[Finding]:
    """Bars that ended after the file was written (warn): a file's time may also have been set."""
    written_ms = file.path.stat().st_mtime_ns // 1_000_000
    if context.as_of_ms is None or written_ms >= context.as_of_ms:
        return []
    late = unclosed(arranged, context.interval_ms, written_ms)
    certain = {found.symbol for found in unclosed(arranged, context.interval_ms, context.as_of_ms)}
    return [
        replace(found, severity="warn", reason=f"{found.count} bar(s) end after the file was last written")
        for found in late
        if found.symbol not in certain
    ]


def _mixed_units(file: KlineFile) -> list[Finding]:
    """Times in more than one unit (block): some reader will put one part elsewhere."""
    if len(file.units) == 1:
        return []
    reason = f"the file counts its times in {' and in '.join(file.units)}"
    return [Finding(FaultKind.UNIT_SWITCH, "block", "", file.bars.clear(), file.bars.height, reason)]


def _contents(bars: pl.DataFrame, interval_ms: int | None) -> tuple[SymbolBars, ...]:
    times = pl.col("open_time")
    span = (times.max() - times.min()).dt.total_milliseconds()
    rows = bars.group_by("symbol").agg(
        times.min().alias("first"),
        times.max().alias("last"),
        pl.len().alias("bars"),
        (span // interval_ms + 1 if interval_ms else pl.lit(None, pl.Int64)).alias("expected"),
        ((pl.col("volume") == 0).sum() if "volume" in bars.columns else pl.lit(None, pl.Int64)).alias(
            "zero_volume"
        ),
    )
    return tuple(SymbolBars(**row) for row in rows.sort("symbol").iter_rows(named=True))


def _fault(finding: Finding) -> Fault:
    return Fault(
        finding.kind.value,
        finding.severity,
        finding.symbol,
        finding.count,
        finding.reason,
        finding.rows.head(5).to_dicts(),
    )


def _reference(path: Path) -> pl.DataFrame:
    """Bars of the other market, all symbols; files without bars are left out."""
    frames = []
    for file in kline_files(path):
        try:
            bars = read_kline_file(file).bars
        except NoBars:
            continue
        volume = pl.col("volume") if "volume" in bars.columns else pl.lit(None, pl.Float64).alias("volume")
        frames.append(bars.select("symbol", "open_time", "close", volume))
    if not frames:
        raise BadData(f"{path}: holds no bars to compare with")
    return pl.concat(frames).unique(["symbol", "open_time"], keep="first", maintain_order=True)
