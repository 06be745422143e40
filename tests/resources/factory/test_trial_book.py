"""The trial ledger over a real lake and ledger: nothing in it can be edited, deleted or moved unseen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resources.factory.trials import TrialBook
from trading.errors import BadData, HaltTrading
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe
from trading.factory.genes.parse import parse
from trading.factory.trials.fingerprint import fingerprint
from trading.factory.trials.record import BY_HAND, Outcome, Trial, crashed, scored
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from warehouse.datasets.trials import TRIALS
from warehouse.lake.lake import Lake, open_lake
from warehouse.ledger import audit, trial_seals
from warehouse.ledger.backend import Ledger, open_ledger

FIRST = date(2026, 1, 1)
AT_MS = 1_767_225_600_000


@dataclass
class Home:
    lake: Lake
    ledger: Ledger
    book: TrialBook


@pytest.fixture
def home(tmp_path: Path) -> Home:
    lake = open_lake(str(tmp_path / "lake"))
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb", lock_timeout_seconds=20)
    ledger.migrate()
    return Home(lake, ledger, TrialBook(lake, ledger))


def some_trials(day: date, count: int, seed: int = 0) -> list[Trial]:
    rng = np.random.default_rng([seed, day.toordinal()])
    made = [
        Trial(
            strategy_id=f"{rng.integers(2**62):032x}",
            genome='{"version":2}',
            proposer="search",
            parents=("a" * 32, "b" * 32),
            day=day,
            outcome=Outcome.SCORED,
            reason="low_sharpe",
            trades=int(rng.integers(100)),
            sharpe=float(rng.normal()),
            total_return_fraction=float(rng.normal()),
            max_drawdown_fraction=float(rng.random()),
            returns=fingerprint(rng.normal(0, 0.01, 30), day - timedelta(days=29)),
        )
        for _ in range(count - 1)
    ]
    return [*made, crashed("c" * 32, "{", "ValueError: no bars", day=day, proposer=BY_HAND)]


@pytest.fixture
def filled(home: Home) -> Home:
    """Five segments over three days: the second day was appended to after the third."""
    for offset, count, seed in ((0, 7, 0), (1, 5, 0), (2, 6, 0), (1, 4, 1), (2, 3, 1)):
        home.book.append(some_trials(FIRST + timedelta(days=offset), count, seed), AT_MS + offset)
    return home


def rewrite(home: Home, day: date, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    home.lake.write(TRIALS, day, change(home.lake.read(TRIALS, day)))


def test_what_is_appended_is_kept_and_proven(filled: Home) -> None:
    report = filled.book.verify()
    assert (report.intact, report.segments, report.records, report.unsealed) == (True, 5, 25, 0)
    assert filled.book.read().height == 25
    assert filled.book.read(FIRST, FIRST).height == 7
    assert audit.verify(filled.ledger).intact
    assert filled.book.count().recorded == 25
    assert filled.book.count().able == 20
    assert filled.book.count(FIRST).recorded == 7
    assert filled.book.clusters() == 20


def test_a_new_process_continues_the_chain(filled: Home) -> None:
    TrialBook(filled.lake, filled.ledger).append(some_trials(FIRST, 3, 9), AT_MS)
    assert TrialBook(filled.lake, filled.ledger).verify().records == 28
    assert filled.book.count().recorded == 28


CHANGES: dict[str, Callable[[object, random.Random], object]] = {
    pl.Int64: lambda value, dice: (value or 0) + dice.randint(100, 900),
    pl.Float64: lambda value, dice: (value or 0.0) + dice.random() + 1e-9,
    pl.String: lambda value, dice: f"{value or ''}x",
    pl.Date: lambda value, dice: (value or FIRST) + timedelta(days=dice.randint(1, 9)),
    pl.Binary: lambda value, dice: bytes([1, *(value or b"")]),
}


def edited(column: str, row: int, dice: random.Random) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = rows[column].to_list()
        if column == "outcome":
            values[row] = next(kind.value for kind in Outcome if kind.value != values[row])
        elif column == "recorded_at":
            values[row] += timedelta(milliseconds=1)
        else:
            values[row] = CHANGES[TRIALS.schema[column]](values[row], dice)
        return rows.with_columns(pl.Series(column, values, dtype=TRIALS.schema[column]))

    return change


@contextmanager
def restored(home: Home, day: date) -> Iterator[pl.DataFrame]:
    rows = home.lake.read(TRIALS, day)
    yield rows
    home.lake.write(TRIALS, day, rows)


def test_an_edit_of_any_field_of_any_record_is_found(filled: Home) -> None:
    dice = random.Random(1)
    for column, _ in itertools.product(TRIALS.schema, range(3)):
        day = FIRST + timedelta(days=dice.randrange(3))
        with restored(filled, day) as rows:
            row = dice.randrange(rows.height)
            rewrite(filled, day, edited(column, row, dice))
            assert not filled.book.verify().intact, (column, day, row)
    assert filled.book.verify().intact


def test_a_value_that_is_taken_away_is_found(filled: Home) -> None:
    for column in (item.name for item in TRIALS.columns if item.nullable):
        with restored(filled, FIRST):
            rewrite(filled, FIRST, lambda rows: rows.with_columns(nulled(rows, column)))  # noqa: B023 - called at once
            assert not filled.book.verify().intact, column


def nulled(rows: pl.DataFrame, column: str) -> pl.Series:
    return pl.Series(column, [None, *rows[column].to_list()[1:]], dtype=rows.schema[column])


@pytest.mark.parametrize("what", ["delete", "delete and renumber", "swap", "repeat"])
def test_a_deletion_a_swap_and_a_repetition_are_found(filled: Home, what: str) -> None:
    dice = random.Random(what)
    for _ in range(12):
        day = FIRST + timedelta(days=dice.randrange(3))
        with restored(filled, day) as rows:
            filled.lake.write(TRIALS, day, moved(rows, what, dice))
            assert not filled.book.verify().intact


def moved(rows: pl.DataFrame, what: str, dice: random.Random) -> pl.DataFrame:
    at = dice.randrange(rows.height)
    if what == "swap":
        other = dice.choice([place for place in range(rows.height) if place != at])
        order = list(range(rows.height))
        order[at], order[other] = other, at
        return rows[order].with_columns(rows["segment"], rows["position"])
    changed = pl.concat([rows, rows[at]]) if what == "repeat" else pl.concat([rows[:at], rows[at + 1 :]])
    if what == "delete":
        return changed
    return changed.sort("segment", "position").with_columns(
        (pl.int_range(pl.len()).over("segment") + 1).cast(pl.Int64).alias("position")
    )


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_deleted_segment_is_found_also_the_last(filled: Home, number: int) -> None:
    for day in filled.lake.days(TRIALS):
        rewrite(filled, day, lambda rows: rows.filter(pl.col("segment") != number))
    report = filled.book.verify()
    assert (report.intact, report.broken_at) == (False, number)


def test_a_deleted_partition_is_found(filled: Home, tmp_path: Path) -> None:
    (tmp_path / "lake" / "trials" / f"date={FIRST}" / "data.parquet").unlink()
    assert filled.book.verify().broken_at == 1


def test_a_rewritten_chain_is_found_by_its_seal(filled: Home) -> None:
    """Every link is made anew after a deletion, as one who knows the code would do it."""
    from trading.factory.trials.chain import links
    from trading.factory.trials.record import content_hash

    trials = some_trials(FIRST, 7)[1:]
    chained = links("0" * 64, [content_hash(trial, AT_MS) for trial in trials])
    from resources.factory.trial_rows import frame_of

    forged = frame_of(trials, 1, datetime.fromtimestamp(AT_MS / 1000, UTC), chained)
    filled.lake.write(TRIALS, FIRST, forged)
    assert "sealed with 7" in filled.book.verify().problem


def test_deleted_seals_are_found_by_the_audit_chain_and_by_the_records(filled: Home) -> None:
    with filled.ledger.transaction() as tx:
        tx.execute("delete from audit where subject in ('trials/4', 'trials/5')")
    assert not audit.verify(filled.ledger).intact
    assert not filled.book.verify().intact


def test_an_append_that_was_cut_off_before_its_seal_is_sealed_by_the_next(
    filled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trial_seals, "seal", fail)
        with pytest.raises(KeyboardInterrupt):
            filled.book.append(some_trials(FIRST, 4, 5), AT_MS)
    report = filled.book.verify()
    assert (report.intact, report.records, report.unsealed) == (True, 25, 4)
    filled.book.append(some_trials(FIRST, 2, 6), AT_MS)
    report = filled.book.verify()
    assert (report.intact, report.segments, report.records, report.unsealed) == (True, 7, 31, 0)


def test_records_that_nobody_sealed_and_that_do_not_follow_stop_the_next_append(filled: Home) -> None:
    from resources.factory.trial_rows import frame_of

    alien = frame_of(some_trials(FIRST, 2, 7), 6, datetime.fromtimestamp(0, UTC), ["e" * 64, "f" * 64])
    rewrite(filled, FIRST, lambda rows: pl.concat([rows, alien]))
    assert not filled.book.verify().intact
    with pytest.raises(HaltTrading, match="never sealed"):
        filled.book.append(some_trials(FIRST, 2, 8), AT_MS)


def test_an_append_is_of_one_day(home: Home) -> None:
    with pytest.raises(BadData, match="of 0"):
        home.book.append([], AT_MS)
    one, other = some_trials(FIRST, 2)
    with pytest.raises(BadData, match="of 2"):
        home.book.append([one, replace(other, day=FIRST + timedelta(days=1))], AT_MS)


def test_an_empty_ledger_of_trials_is_intact_and_counts_one(home: Home) -> None:
    assert home.book.verify().intact
    assert home.book.read().is_empty()
    assert (home.book.count().recorded, home.book.count().equivalent) == (0, 1.0)


def test_a_back_tested_population_becomes_trials(home: Home) -> None:
    bars = no_edge(Kind.INDEPENDENT, seed=1, symbols=2, days=20)
    genomes = generate(np.random.default_rng(0), 12, timeframes=[Timeframe.H1], ratings=False)
    population = backtest(genomes, bars, Frictions())
    trials = scored(
        genomes,
        population,
        day=FIRST,
        proposers=["search"] * 12,
        parents=[(genomes[0].strategy_id,)] * 12,
        reasons=[""] * 12,
    )
    home.book.append(trials, AT_MS)
    rows = home.book.read()
    assert [parse(text) for text in rows["genome"]] == genomes
    assert rows["trades"].to_list() == population.metrics()["trades"].to_list()
    idle = population.returns.any(axis=1) == 0
    assert [outcome == "idle" for outcome in rows["outcome"]] == idle.tolist()
    assert home.book.verify().intact


def test_the_newest_day_that_a_strategy_was_looked_at_on(home: Home) -> None:
    assert home.book.seen_to(["a"]) == {}
    first, second = some_trials(FIRST, 3), some_trials(FIRST + timedelta(days=4), 3)
    again = replace(first[0], day=second[0].day, returns=second[0].returns)
    for trials in (first, [again, *second[1:]]):
        home.book.append(trials, AT_MS)
    asked = [first[0].strategy_id, first[1].strategy_id, "c" * 32, "f" * 32]
    assert home.book.seen_to(asked) == {
        first[0].strategy_id: FIRST + timedelta(days=4),
        first[1].strategy_id: FIRST,
    }, "the crashed one saw nothing, the last was never looked at"
