"""The dated facts in config/ are right, checked against real data, and complained about where they are not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from resources.instruments.files import load_calendar, load_corrections, venue_of
from trading.bars.gaps import GapEvidence, find_gaps
from trading.errors import FixConfiguration
from trading.instruments.master import FIRST_MS
from trading.instruments.rows import build_rows, instruments_of
from trading.model.days import day_at, end_ms, start_ms
from trading.model.instrument import Instrument, MarginBracket
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Market

ROOT = Path(__file__).resolve().parents[3]
CORRECTIONS = ROOT / "config" / "instruments.yaml"
CALENDAR = ROOT / "config" / "venue_calendar.yaml"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def listed_at(symbol: str, moment_ms: int, status: str = "TRADING") -> bool:
    amount = Decimal(1)
    venue = Instrument(
        symbol, symbol.removesuffix("USDT"), "USDT", *(amount, amount, amount, amount, amount), status=status
    )
    rows = build_rows(
        day_at(moment_ms), [venue], load_corrections("binance", CORRECTIONS), stated_at_ms=ms("2026-01-01")
    )
    found = instruments_of(rows, moment_ms).get(symbol)
    return found is not None and found.status == "TRADING"


@pytest.mark.parametrize("symbol", ["WIFUSDT", "ENAUSDT", "TONUSDT"])
def test_the_shipped_listings_are_the_first_real_bars(shared: Path, symbol: str) -> None:
    file = shared / f"data/binance/spot/5m/src=genetrader/{symbol}.parquet"
    bars = pl.read_parquet(file, hive_partitioning=False)
    first = int(bars["open_time"].dt.epoch("ms").min())  # type: ignore[arg-type]
    assert not listed_at(symbol, first - MINUTE_MS)
    assert listed_at(symbol, first)


def test_a_renamed_coin_trades_until_it_was_removed(shared: Path) -> None:
    file = shared / "data/binance/spot/5m/src=genetrader/MATICUSDT.parquet"
    last = int(pl.read_parquet(file, hive_partitioning=False)["open_time"].dt.epoch("ms").max())  # type: ignore[arg-type]
    # Today's BREAK is no evidence against the days on which it traded.
    assert listed_at("MATICUSDT", last, "BREAK")
    assert listed_at("MATICUSDT", ms("2024-09-10T02:59:59"), "BREAK")
    assert not listed_at("MATICUSDT", ms("2024-09-10T03:00:00"), "BREAK")
    assert not listed_at("POLUSDT", ms("2024-09-13T09:59:59"))
    assert listed_at("POLUSDT", ms("2024-09-13T10:00:00"))


def test_one_symbol_two_coins() -> None:
    moments = ("2022-05-13T00:39:00", "2022-05-13T00:40:00", "2022-05-31T05:59:00", "2022-05-31T06:00:00")
    assert [listed_at("LUNAUSDT", ms(moment)) for moment in moments] == [True, False, False, True]


def test_the_facts_of_one_venue_reach_no_other() -> None:
    assert load_corrections("archive", CORRECTIONS) == load_corrections("binance", CORRECTIONS) != ()
    assert load_corrections("sandbox", CORRECTIONS) == load_corrections("files", CORRECTIONS) == ()
    assert load_calendar("sandbox", CALENDAR) == ()
    assert (venue_of("archive"), venue_of("sandbox")) == ("binance", "sandbox")


def test_the_shipped_calendar_is_in_order_and_lists_no_outage() -> None:
    windows = load_calendar("archive", CALENDAR)
    assert windows
    assert all("https://" in window.why for window in windows), "each names its evidence"
    assert all(FIRST_MS < window.from_ms < window.to_ms < window.from_ms + DAY_MS for window in windows)
    assert [window.from_ms for window in windows] == sorted({window.from_ms for window in windows})
    outage = ms("2023-03-24T12:00:00")
    assert not any(window.from_ms <= outage < window.to_ms for window in windows)


def test_every_kind_of_fact_is_read(tmp_path: Path) -> None:
    path = tmp_path / "instruments.yaml"
    path.write_text(
        """
corrections:
  - market: usdm
    symbol: 1000PEPEUSDT
    from: 2024-01-01
    to: 2024-02-01T12:30:00+02:00
    why: test
    tick_size: 0.0000001
    maker_fee_bps: -0.5
    multiplier: 1000
    underlying: PEPE
    funding_interval_hours: 4
    listed_at: "2023-05-05 06:00"
    brackets:
      - {floor_notional: 0, cap_notional: 5e3, max_leverage: 20, maintenance_fraction: 0.02, maintenance_amount: 0}
""",
        encoding="utf-8",
    )
    (found,) = load_corrections("binance", path)
    assert (found.market, found.symbol, found.why) == (Market.USDM, "1000PEPEUSDT", "test")
    assert (found.from_ms, found.to_ms) == (ms("2024-01-01"), ms("2024-02-01T10:30:00"))
    assert dict(found.changes) == {
        "tick_size": Decimal("1E-7"),
        "maker_fee_bps": Decimal("-0.5"),
        "multiplier": 1000,
        "underlying": "PEPE",
        "funding_interval_hours": 4,
        "listed_at_ms": ms("2023-05-05T06:00:00"),
        "brackets": (MarginBracket(Decimal(0), Decimal(5000), 20, Decimal("0.02"), Decimal(0)),),
    }


GOOD = "{market: spot, symbol: AUSDT, why: test, tick_size: 1}"


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        (
            "{market: spot, symbol: AUSDT, why: test, tick_sise: 1}",
            ["tick_sise", "nearest valid key: 'tick_size'"],
        ),
        ("{market: spott, symbol: AUSDT, why: test, tick_size: 1}", ["market", "'spott'"]),
        ("{market: spot, symbol: AUSDT, tick_size: 1}", ["why", "required"]),
        ("{market: spot, symbol: AUSDT, why: test}", ["corrects nothing"]),
        ("{market: spot, symbol: AUSDT, why: test, tick_size: 0}", ["tick_size", "greater than 0"]),
        ("{market: spot, symbol: AUSDT, why: test, listed_at: soon}", ["listed_at", "soon"]),
        (
            "{market: spot, symbol: AUSDT, why: test, tick_size: 1, from: 2024-01-02, to: 2024-01-02}",
            ["'to' is not after 'from'"],
        ),
        (
            "{market: spot, symbol: AUSDT, why: test, listed_at: 2024-01-02, delisted_at: 2024-01-01}",
            ["'delisted_at' is not after 'listed_at'"],
        ),
        (
            "{market: spot, symbol: AUSDT, why: test, base: A, quote: USDT, tick_size: 1}",
            ["state lot_step, min_quantity, max_quantity, min_notional too"],
        ),
        (
            "{market: spot, symbol: AUSDT, why: test, funding_interval_hours: 8}",
            ["belong to market usdm"],
        ),
    ],
)
def test_a_wrong_entry_names_file_line_and_fix(tmp_path: Path, entry: str, parts: list[str]) -> None:
    path = tmp_path / "instruments.yaml"
    path.write_text(f"corrections:\n  - {GOOD}\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(FixConfiguration) as caught:
        load_corrections("binance", path)
    message = str(caught.value)
    assert f"{path}:3" in message
    for part in parts:
        assert part in message


def test_a_wrong_window_names_file_line_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "venue_calendar.yaml"
    path.write_text(
        "maintenance:\n  - {from: 2024-01-02, to: 2024-01-01, why: test, evidence: told}\n", encoding="utf-8"
    )
    with pytest.raises(FixConfiguration, match=r":2: .*'to' is not after 'from'"):
        load_calendar("binance", path)
    path.write_text("maintenance:\n  - {from: 2024-01-01, to: 2024-01-02, why: test}\n", encoding="utf-8")
    with pytest.raises(FixConfiguration, match=r"evidence"):
        load_calendar("binance", path)


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        ("2019-03-12T02:00:00", "venue_maintenance"),
        ("2021-08-13T02:00:00", "venue_outage"),  # in every list of holes, and nobody names an announcement
        ("2023-03-24T12:40:00", "venue_outage"),
    ],
)
def test_a_silence_without_a_proven_announcement_is_an_outage_of_unknown_cause(
    moment: str, kind: str
) -> None:
    silent = ms(moment)
    day, start = day_at(silent), start_ms(day_at(silent))
    minutes = [m for m in range(start, end_ms(day), MINUTE_MS) if not silent <= m < silent + 20 * MINUTE_MS]
    stamp = pl.Datetime("ms", "UTC")
    bars = pl.concat(
        pl.DataFrame({"symbol": symbol, "open_time": minutes, "volume": 1.0}) for symbol in ("A", "B")
    ).cast({"open_time": stamp})
    members = pl.DataFrame(
        {"symbol": ["A", "B"], "listed_at": None, "delisted_at": None},
        schema_overrides={"listed_at": stamp, "delisted_at": stamp},
    )
    evidence = GapEvidence(maintenance=load_calendar("archive", CALENDAR))
    gaps = find_gaps(bars, members, day, end_ms(day), evidence)
    assert gaps["kind"].to_list() == [kind, kind]
    assert ("https://" if kind == "venue_maintenance" else "the cause is unknown") in gaps["reason"][0]


def test_a_file_in_the_home_folder_replaces_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    assert load_corrections("binance") == load_corrections("binance", CORRECTIONS)
    (tmp_path / "config").mkdir()
    own = tmp_path / "config" / "instruments.yaml"
    own.write_text("corrections: []\n", encoding="utf-8")
    assert load_corrections("binance") == ()
    own.write_text(f"corrections:\n  - {GOOD}\n", encoding="utf-8")
    assert [item.symbol for item in load_corrections("binance")] == ["AUSDT"]
    assert load_calendar("binance") == load_calendar("binance", CALENDAR)
