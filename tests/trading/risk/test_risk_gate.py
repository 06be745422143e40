"""The gate: every limit at, under and over; shrinking; order of judging; reductions; fail closed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import (
    CLOSE_MS,
    NAN,
    NOW_MS,
    decision,
    exit_decision,
    instrument,
    position,
    snapshot,
    view,
)
from trading.model.decision import Decision, Outcome, Verdict, VerdictKind
from trading.model.snapshot import Controls, Snapshot
from trading.risk.exposure import exposure_of, price_of
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

LIMITS = RiskLimits(
    max_position_fraction=0.2,
    max_portfolio_exposure_fraction=0.8,
    max_daily_loss_fraction=0.05,
    max_spread_bps=15.0,
    max_staleness_bars=2,
    bar_minutes=15,
    max_decision_age_minutes=60.0,
    min_cash_reserve_fraction=0.1,
    cost_buffer_fraction=0.005,
    max_open_positions=3,
)
BAR_MS = 15 * 60_000
APPROVED, SHRUNK, REFUSED = VerdictKind.APPROVED, VerdictKind.SHRUNK, VerdictKind.REFUSED


def one(
    taken: Snapshot, wanted: Decision | None = None, limits: RiskLimits = LIMITS, now: int = NOW_MS
) -> Verdict:
    (verdict,) = judge([wanted or decision()], taken, limits, now)
    return verdict


def gives(verdict: Verdict) -> tuple[VerdictKind, str]:
    return (verdict.kind, verdict.reason_code)


def test_a_clean_entry_is_approved_in_full_with_every_check_recorded() -> None:
    verdict = one(snapshot())
    assert gives(verdict) == (APPROVED, "within_limits")
    assert verdict.quote_amount == Decimal(1000)
    assert [check.name for check in verdict.checks] == [
        "repeated",
        "halted",
        "snapshot",
        "unknown_order",
        "pending_order",
        "open_breaks",
        "instrument",
        "price",
        "amount",
        "staleness_bars",
        "decision_age_minutes",
        "spread_bps",
        "daily_loss_fraction",
        "open_positions",
        "position_fraction",
        "exposure_fraction",
        "cash_reserve_fraction",
        "max_quantity",
        "min_notional",
    ]
    assert all(check.passed and check.value is not None for check in verdict.checks)


def test_skipped_decisions_get_no_verdict() -> None:
    assert judge([decision(outcome=Outcome.SKIPPED)], snapshot(), LIMITS, NOW_MS) == []


@pytest.mark.parametrize(
    ("spread", "reason"),
    [
        (0.0, "within_limits"),
        (14.999, "within_limits"),
        (15.0, "within_limits"),
        (15.001, "spread_bps"),
        (NAN, "spread_bps_unknown"),
        (-1.0, "spread_bps_unknown"),
    ],
)
def test_spread(spread: float, reason: str) -> None:
    assert one(snapshot(view(spread_bps=spread))).reason_code == reason


@pytest.mark.parametrize(
    ("behind_ms", "reason"),
    [
        (0, "within_limits"),
        (2 * BAR_MS, "within_limits"),
        (2 * BAR_MS + 1, "staleness_bars"),
        (-1, "staleness_bars"),
    ],
)
def test_staleness_and_bars_from_the_future(behind_ms: int, reason: str) -> None:
    assert one(snapshot(view(bar_close_ms=CLOSE_MS - behind_ms))).reason_code == reason


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [
        (0, "within_limits"),
        (3_600_000, "within_limits"),
        (3_600_001, "decision_age_minutes"),
        (-1, "decision_age_minutes"),
    ],
)
def test_decision_age(age_ms: int, reason: str) -> None:
    assert one(snapshot(), now=CLOSE_MS + age_ms).reason_code == reason


@pytest.mark.parametrize(
    ("equity", "start", "reason"),
    [
        ("95000.01", "100000", "within_limits"),
        ("95000", "100000", "daily_loss_fraction"),
        ("94999.99", "100000", "daily_loss_fraction"),
        ("105000", "100000", "within_limits"),
        ("95000", None, "within_limits"),
        ("95000", "0", "daily_loss_fraction_unknown"),
    ],
)
def test_daily_loss(equity: str, start: str | None, reason: str) -> None:
    day_start = None if start is None else Decimal(start)
    taken = snapshot(portfolio={"equity": Decimal(equity), "equity_day_start": day_start})
    assert one(taken).reason_code == reason


@pytest.mark.parametrize(("held", "reason"), [(2, "within_limits"), (3, "open_positions")])
def test_open_positions(held: int, reason: str) -> None:
    tiny = Decimal("0.01")
    symbols = [f"{name}USDT" for name in "XYZ"[:held]]
    positions = tuple(position(symbol, quantity=tiny) for symbol in symbols)
    taken = snapshot(view(), *map(view, symbols), portfolio={"positions": positions})
    assert one(taken).reason_code == reason


def test_pending_orders_take_slots_and_adding_to_a_position_takes_none() -> None:
    pending = {"pending_symbols": ("PUSDT", "QUSDT"), "unknown_symbols": ("RUSDT",)}
    assert one(snapshot(portfolio=pending)).reason_code == "open_positions"
    tiny = Decimal("0.01")
    positions = (
        position(quantity=tiny),
        position(strategy_id="a", quantity=tiny),
        position(desk="b", quantity=tiny),
    )
    assert one(snapshot(portfolio={"positions": positions})).kind is APPROVED


@pytest.mark.parametrize(
    ("changes", "portfolio", "reason"),
    [
        ({"controls": Controls(halted=True)}, {}, "halted"),
        ({"snapshot_id": "another"}, {}, "snapshot"),
        ({}, {"unknown_symbols": ("AAAUSDT",)}, "unknown_order"),
        ({}, {"broken_symbols": ("AAAUSDT",)}, "open_breaks"),
        ({}, {"account_breaks": 1}, "open_breaks"),
        ({}, {"pending_symbols": ("AAAUSDT",)}, "pending_order"),
        ({"instruments": {}}, {}, "instrument_unknown"),
        ({"instruments": {"AAAUSDT": instrument(status="BREAK")}}, {}, "instrument"),
    ],
)
def test_state_that_refuses(changes: dict[str, Any], portfolio: dict[str, Any], reason: str) -> None:
    taken = snapshot(portfolio=portfolio, **changes)
    assert gives(one(taken)) == (REFUSED, reason)
    assert one(taken).quote_amount == 0


@pytest.mark.parametrize(
    ("close", "seen", "reason"),
    [
        (100.0, 100.0000001, "price"),
        (100.0, NAN, "price_unknown"),
        (NAN, 100.0, "price"),
        (0.0, 0.0, "price"),
        (-1.0, -1.0, "price"),
    ],
)
def test_the_price_must_be_known_and_be_the_close(close: float, seen: float, reason: str) -> None:
    assert gives(one(snapshot(view(close=close)), decision(reference_price=seen))) == (REFUSED, reason)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_an_amount_must_be_a_positive_number(amount: str) -> None:
    verdict = one(snapshot(), decision(quote_amount=Decimal(amount)))
    assert verdict.kind is REFUSED
    assert verdict.reason_code in ("amount", "amount_unknown")


def test_a_symbol_without_a_view_is_refused() -> None:
    taken = snapshot(view("BBBUSDT"), instruments={"AAAUSDT": instrument()})
    verdict = one(taken)
    assert gives(verdict) == (REFUSED, "price")
    unknown = {check.name for check in verdict.checks if check.value is None}
    assert {"staleness_bars", "spread_bps", "max_quantity", "min_notional"} <= unknown


@pytest.mark.parametrize(
    ("wanted", "kind", "allowed"),
    [("19999.99", APPROVED, "19999.99"), ("20000", APPROVED, "20000"), ("20000.01", SHRUNK, "20000")],
)
def test_position_limit(wanted: str, kind: VerdictKind, allowed: str) -> None:
    verdict = one(snapshot(), decision(quote_amount=Decimal(wanted)))
    assert (verdict.kind, verdict.quote_amount) == (kind, Decimal(allowed))
    assert verdict.reason_code == ("position_fraction" if kind is SHRUNK else "within_limits")


def test_the_position_limit_counts_what_every_desk_holds_of_the_symbol() -> None:
    others = (position(desk="a", quantity=Decimal(100)), position(desk="b", quantity=Decimal(50)))
    taken = snapshot(portfolio={"positions": others})
    verdict = one(taken, decision(quote_amount=Decimal(6000)))
    assert (verdict.kind, verdict.quote_amount) == (SHRUNK, Decimal(5000))
    check = next(item for item in verdict.checks if item.name == "position_fraction")
    assert (check.passed, check.value, check.limit) == (False, 0.21, 0.2)


def held_value(quantity: int, **portfolio: Any) -> Snapshot:
    """A portfolio holding BBB at 100 each, cash enough."""
    held = (position("BBBUSDT", desk="other", quantity=Decimal(quantity)),)
    return snapshot(view(), view("BBBUSDT"), portfolio={"positions": held, **portfolio})


@pytest.mark.parametrize(
    ("wanted", "kind", "allowed"),
    [("4999.99", APPROVED, "4999.99"), ("5000", APPROVED, "5000"), ("5000.01", SHRUNK, "5000")],
)
def test_exposure_limit(wanted: str, kind: VerdictKind, allowed: str) -> None:
    verdict = one(held_value(750), decision(quote_amount=Decimal(wanted)))
    assert (verdict.kind, verdict.quote_amount) == (kind, Decimal(allowed))
    assert verdict.reason_code == ("exposure_fraction" if kind is SHRUNK else "within_limits")


def test_open_buy_orders_count_as_exposure_and_as_spent_cash() -> None:
    taken = snapshot(portfolio={"pending_buy_amount": Decimal(75_000)})
    verdict = one(taken, decision(quote_amount=Decimal(10_000)))
    assert (verdict.kind, verdict.quote_amount) == (SHRUNK, Decimal(5000))
    poor = snapshot(portfolio={"pending_buy_amount": Decimal(15_000), "cash": Decimal(26_005)})
    verdict = one(poor, decision(quote_amount=Decimal(10_000)))
    assert gives(verdict) == (SHRUNK, "cash_reserve_fraction")
    assert verdict.quote_amount == Decimal("1000")


@pytest.mark.parametrize(
    ("cash", "kind"), [("11005.01", APPROVED), ("11005", APPROVED), ("11004.99", SHRUNK), ("10000", REFUSED)]
)
def test_cash_must_cover_order_costs_and_reserve(cash: str, kind: VerdictKind) -> None:
    verdict = one(snapshot(portfolio={"cash": Decimal(cash)}))
    assert verdict.kind is kind
    if kind is SHRUNK:
        assert verdict.quote_amount * Decimal("1.005") <= Decimal(cash) - 10_000
        assert verdict.quote_amount > Decimal("999.9")
    if kind is not APPROVED:
        assert verdict.reason_code == "cash_reserve_fraction"


def test_the_venues_largest_order_shrinks() -> None:
    taken = snapshot(instruments={"AAAUSDT": instrument(max_quantity=Decimal(5))})
    verdict = one(taken)
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (SHRUNK, "max_quantity", Decimal(500))
    exact = one(taken, decision(quote_amount=Decimal(500)))
    assert exact.kind is APPROVED
    assert all(check.passed for check in exact.checks)


def test_the_tightest_of_several_limits_binds() -> None:
    verdict = one(held_value(790), decision(quote_amount=Decimal(50_000)))
    assert (verdict.reason_code, verdict.quote_amount) == ("exposure_fraction", Decimal(1000))


def test_nothing_left_refuses_and_so_does_shrinking_where_not_allowed() -> None:
    assert gives(one(held_value(800))) == (REFUSED, "exposure_fraction")
    assert gives(one(held_value(900))) == (REFUSED, "exposure_fraction")
    strict = replace(LIMITS, shrink_allowed=False)
    assert gives(one(held_value(795), limits=strict)) == (REFUSED, "exposure_fraction")
    assert gives(one(held_value(790), limits=strict)) == (APPROVED, "within_limits")


@pytest.mark.parametrize(("amount", "kind"), [("10", APPROVED), ("9.99", REFUSED)])
def test_minimum_notional_of_the_wanted_amount(amount: str, kind: VerdictKind) -> None:
    verdict = one(snapshot(), decision(quote_amount=Decimal(amount)))
    assert verdict.kind is kind
    assert verdict.reason_code == ("within_limits" if kind is APPROVED else "min_notional")


def test_minimum_notional_is_tested_after_quantising_and_shrinking() -> None:
    coarse = {"AAAUSDT": instrument(lot_step=Decimal(1), min_notional=Decimal(150))}
    assert gives(one(snapshot(instruments=coarse), decision(quote_amount=Decimal(199)))) == (
        REFUSED,
        "min_notional",
    )
    assert one(snapshot(instruments=coarse), decision(quote_amount=Decimal(200))).kind is APPROVED
    nearly_full = held_value(0, pending_buy_amount=Decimal("79990.01"))
    assert gives(one(nearly_full)) == (REFUSED, "min_notional")


def test_one_unknown_price_in_the_portfolio_refuses_every_entry() -> None:
    held = (position("BBBUSDT"),)
    taken = snapshot(view(), view("BBBUSDT", close=NAN), portfolio={"positions": held})
    assert gives(one(taken)) == (REFUSED, "exposure_fraction_unknown")
    gone = snapshot(view(), portfolio={"positions": held})
    assert gives(one(gone)) == (REFUSED, "exposure_fraction_unknown")


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_no_equity_no_entry(equity: str) -> None:
    taken = snapshot(portfolio={"equity": Decimal(equity), "equity_day_start": None})
    assert one(taken).kind is REFUSED


def test_checks_after_a_failed_one_are_still_recorded_with_values() -> None:
    verdict = one(snapshot(view(spread_bps=99.0), controls=Controls(halted=True)))
    assert verdict.reason_code == "halted"
    assert [check.name for check in verdict.checks if not check.passed] == ["halted", "spread_bps"]
    assert next(check.value for check in verdict.checks if check.name == "spread_bps") == 99.0


def test_approved_entries_use_up_room_in_desk_order() -> None:
    symbols = [f"{name}USDT" for name in "ABCDE"]
    taken = snapshot(*map(view, symbols))
    wanted = [decision(symbol, quote_amount=Decimal(30_000)) for symbol in symbols]
    roomy = replace(LIMITS, max_open_positions=9, max_portfolio_exposure_fraction=0.5)
    verdicts = judge(wanted, taken, roomy, NOW_MS)
    assert [int(item.quote_amount) for item in verdicts] == [20_000, 20_000, 10_000, 0, 0]
    assert [item.decision_id for item in verdicts] == [item.decision_id for item in wanted]
    backwards = judge(wanted[::-1], taken, roomy, NOW_MS)
    assert [item.decision_id for item in backwards] == [item.decision_id for item in wanted[::-1]]
    assert [int(item.quote_amount) for item in backwards] == [20_000, 20_000, 10_000, 0, 0]


def test_a_refused_entry_uses_up_nothing() -> None:
    taken = snapshot(view(), view("BBBUSDT", spread_bps=NAN), view("CCCUSDT"))
    wanted = [decision("BBBUSDT"), decision("AAAUSDT"), decision("CCCUSDT")]
    tight = replace(LIMITS, max_open_positions=2)
    kinds = [item.kind for item in judge(wanted, taken, tight, NOW_MS)]
    assert kinds == [REFUSED, APPROVED, APPROVED]


def test_cash_and_slots_run_down_too() -> None:
    taken = snapshot(view(), view("BBBUSDT"), portfolio={"cash": Decimal(11_500)})
    first, second = judge([decision(), decision("BBBUSDT")], taken, LIMITS, NOW_MS)
    assert first.kind is APPROVED
    assert gives(second) == (SHRUNK, "cash_reserve_fraction")
    assert second.quote_amount == Decimal("492.53731343")
    one_slot = replace(LIMITS, max_open_positions=1)
    verdicts = judge([decision(), decision("BBBUSDT")], snapshot(view(), view("BBBUSDT")), one_slot, NOW_MS)
    assert [item.reason_code for item in verdicts] == ["within_limits", "open_positions"]


def test_two_desks_share_the_limit_of_a_symbol() -> None:
    big = Decimal(15_000)
    wanted = [decision(quote_amount=big), decision(desk="genome", strategy_id="s", quote_amount=big)]
    verdicts = judge(wanted, snapshot(), LIMITS, NOW_MS)
    assert [item.quote_amount for item in verdicts] == [Decimal(15_000), Decimal(5_000)]


def test_the_same_decision_twice_is_refused_the_second_time() -> None:
    verdicts = judge([decision(), decision()], snapshot(), LIMITS, NOW_MS)
    assert [gives(item) for item in verdicts] == [(APPROVED, "within_limits"), (REFUSED, "repeated")]


def test_exits_are_judged_first_and_give_no_room_back() -> None:
    held = (position("BBBUSDT", quantity=Decimal(800)),)
    taken = snapshot(view(), view("BBBUSDT"), portfolio={"positions": held})
    leave = exit_decision("BBBUSDT")
    verdicts = judge([decision(), leave], taken, LIMITS, NOW_MS)
    assert verdicts[0].decision_id == leave.decision_id
    assert [gives(item) for item in verdicts] == [(APPROVED, "reduction"), (REFUSED, "exposure_fraction")]


def test_a_reduction_passes_when_everything_else_is_wrong() -> None:
    blind = view(close=NAN, spread_bps=NAN, bar_close_ms=0)
    taken = snapshot(
        blind,
        controls=Controls(halted=True),
        snapshot_id="other",
        instruments={},
        portfolio={"positions": (position(),), "equity": Decimal(-1), "cash": Decimal(-1)},
    )
    verdict = one(taken, exit_decision(), now=CLOSE_MS + 10**12)
    assert gives(verdict) == (APPROVED, "reduction")
    assert verdict.quote_amount == 0
    gone = replace(taken, symbols={})
    assert one(gone, exit_decision()).kind is APPROVED


@pytest.mark.parametrize(
    ("portfolio", "reason"),
    [
        ({"unknown_symbols": ("AAAUSDT",)}, "unknown_order"),
        ({"pending_symbols": ("AAAUSDT",)}, "pending_order"),
        ({"positions": ()}, "held"),
        ({"positions": (position(desk="other"),)}, "held"),
        ({"positions": (position(strategy_id="other"),)}, "held"),
        ({"positions": (position("BBBUSDT"),)}, "held"),
        ({"positions": (position(quantity=Decimal(0)),)}, "held"),
        ({"positions": (position(quantity=Decimal("0.0009")),)}, "dust"),
        ({"positions": (position(quantity=Decimal("0.0999")),)}, "dust"),
    ],
)
def test_reductions_that_are_refused(portfolio: dict[str, Any], reason: str) -> None:
    taken = snapshot(portfolio={"positions": (position(),)} | portfolio)
    assert gives(one(taken, exit_decision())) == (REFUSED, reason)


def test_a_sale_of_exactly_the_minimum_and_of_more_than_the_largest_order_pass() -> None:
    small = snapshot(portfolio={"positions": (position(quantity=Decimal("0.1")),)})
    assert one(small, exit_decision()).kind is APPROVED
    capped = {"AAAUSDT": instrument(max_quantity=Decimal(4))}
    large = snapshot(portfolio={"positions": (position(),)}, instruments=capped)
    assert one(large, exit_decision()).kind is APPROVED


def test_one_holding_is_sold_once() -> None:
    taken = snapshot(portfolio={"positions": (position(),)})
    again = replace(exit_decision(), decision_id="another id")
    verdicts = judge([exit_decision(), again], taken, LIMITS, NOW_MS)
    assert [gives(item) for item in verdicts] == [(APPROVED, "reduction"), (REFUSED, "repeated")]


SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")
amounts = st.decimals("-10", "200000", places=3)
closes = st.sampled_from((0.00001234, 0.3, 99.99, 60_000.0))


@st.composite
def books(draw: st.DrawFn) -> tuple[Snapshot, list[Decision]]:
    prices = {symbol: draw(closes) for symbol in SYMBOLS}
    positions = tuple(
        position(
            symbol, desk=desk, quantity=Decimal(draw(st.integers(0, 30_000))) / Decimal(repr(prices[symbol]))
        )
        for symbol in SYMBOLS
        for desk in draw(st.sets(st.sampled_from(("fork", "genome"))))
    )
    equity = draw(st.decimals("1", "150000", places=2))
    taken = snapshot(
        *(view(symbol, close=price) for symbol, price in prices.items()),
        portfolio={
            "positions": positions,
            "equity": equity,
            "equity_day_start": None,
            "cash": draw(st.decimals("-1000", "150000", places=2)),
            "pending_buy_amount": draw(st.sampled_from((Decimal(0), Decimal(5000)))),
        },
        instruments={symbol: instrument(symbol, lot_step=Decimal("0.00001")) for symbol in SYMBOLS},
    )
    wanted = draw(
        st.lists(
            st.builds(
                lambda symbol, desk, strategy, amount: decision(
                    symbol,
                    desk=desk,
                    strategy_id=strategy,
                    quote_amount=amount,
                    reference_price=prices[symbol],
                ),
                st.sampled_from(SYMBOLS),
                st.sampled_from(("fork", "genome")),
                st.sampled_from("abcd"),
                amounts,
            ),
            max_size=8,
        )
    )
    return taken, wanted


@given(books(), st.sampled_from((0.0, 0.005, 0.3)))
@settings(max_examples=150, deadline=None)
def test_no_sequence_of_entries_breaks_a_limit(book: tuple[Snapshot, list[Decision]], buffer: float) -> None:
    taken, wanted = book
    limits = replace(LIMITS, max_open_positions=5, cost_buffer_fraction=buffer)
    verdicts = judge(wanted, taken, limits, NOW_MS)
    assert judge(wanted, taken, limits, NOW_MS) == verdicts
    equity, cash = taken.portfolio.equity, taken.portfolio.cash - taken.portfolio.pending_buy_amount
    by_id = {item.decision_id: item for item in reversed(wanted)}  # of repeats, the first is judged
    held = {symbol: Decimal(0) for symbol in SYMBOLS}
    for item in taken.portfolio.positions:
        held[item.symbol] += item.quantity * Decimal(repr(taken.symbols[item.symbol].close))
    keys = {(item.desk, item.strategy_id, item.symbol) for item in taken.portfolio.positions if item.quantity}
    for verdict in verdicts:
        if verdict.kind is REFUSED:
            assert verdict.quote_amount == 0
            continue
        own = by_id[verdict.decision_id]
        assert 0 < verdict.quote_amount <= own.quote_amount
        held[own.symbol] += verdict.quote_amount
        cash -= verdict.quote_amount * (1 + Decimal(repr(buffer)))
        keys.add((own.desk, own.strategy_id, own.symbol))
        assert held[own.symbol] <= equity * Decimal("0.2")
        assert sum(held.values()) + taken.portfolio.pending_buy_amount <= equity * Decimal("0.8")
        assert cash >= equity * Decimal("0.1")
        assert len(keys) <= 5


def test_no_entry_is_added_to_an_exposure_that_is_unknown() -> None:
    held = (position("BBBUSDT"),)
    exposure = exposure_of(snapshot(view(), portfolio={"positions": held}))
    for symbol in ("AAAUSDT", "BBBUSDT"):
        with pytest.raises(ValueError, match="unknown exposure"):
            exposure.with_entry(decision(symbol), Decimal(1), Decimal(1))


def test_floats_become_the_decimals_that_they_print_as() -> None:
    taken = snapshot(view(close=0.1), portfolio={"positions": (position(quantity=Decimal(3)),)})
    assert price_of(taken, "AAAUSDT") == Decimal("0.1")
    assert exposure_of(taken).total == Decimal("0.3")
