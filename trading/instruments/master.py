"""The instrument master of a day: what the venue says, with dated corrections on top."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from trading.errors import BadData
from trading.instruments.corrections import Correction
from trading.model.days import end_ms, start_ms
from trading.model.instrument import Instrument
from trading.model.series import Market

#: Day of the venue's first kline: an instrument whose listing is not known counts from here.
FIRST_MS = int(datetime(2017, 8, 17, tzinfo=UTC).timestamp()) * 1000
TRADING = "TRADING"
#: Status of an instrument on a day about which today's status of the venue says nothing.
UNKNOWN = "UNKNOWN"

Origin = Literal["venue", "correction"]
_Key = tuple[Market, str]
_EVER = -(1 << 62)


@dataclass(frozen=True, slots=True)
class DatedInstrument:
    """An instrument's facts and the time that they hold for.

    Attributes
    ----------
    valid_from_ms, valid_to_ms
        First moment and exclusive end, UTC; no end within the day is None. Equal bounds hold for no
        moment: such a row only keeps what the venue says of an instrument that corrections hide.
    origin
        Whether a correction takes part in the facts.
    """

    instrument: Instrument
    valid_from_ms: int
    valid_to_ms: int | None
    origin: Origin


def build(
    day: date,
    venue: Iterable[Instrument],
    corrections: Iterable[Correction],
    *,
    stated_at_ms: int,
    stored: Iterable[Instrument] = (),
) -> list[DatedInstrument]:
    """Every instrument's facts on a UTC day, sorted by market, symbol and validity.

    At any moment of the day an instrument has the facts of the venue, changed by every correction
    that holds then, in their order. It has a row where that moment lies in ``[listed_at_ms,
    delisted_at_ms)`` of those facts. What comes after the day leaves no trace: an end or a delisting
    from the day's end on is None.

    Parameters
    ----------
    venue
        What the venue says now.
    corrections
        Dated corrections; later ones win.
    stated_at_ms
        When the venue said it, UTC. A status other than TRADING that was stated after the day is
        no evidence of that day and becomes UNKNOWN.
    stored
        What the venue said when the day was built before (`trading.instruments.rows.venue_facts` of
        the stored partition). A market that it covers keeps these facts, so that a rebuild cannot
        change them; ``venue`` then only serves instruments that corrections bring into the day.

    Raises
    ------
    BadData
        If the venue names an instrument twice.
    """
    begin, end = start_ms(day), end_ms(day)
    by_key: dict[_Key, list[Correction]] = defaultdict(list)
    for correction in corrections:
        by_key[correction.market, correction.symbol].append(correction)
    facts = _facts(venue, stored, by_key.keys(), stated_at_ms, end)
    rows: list[DatedInstrument] = []
    for key in sorted(facts.keys() | by_key.keys()):
        rows += _rows(facts.get(key), by_key.get(key, ()), begin, end)
    return rows


def _facts(
    venue: Iterable[Instrument],
    stored: Iterable[Instrument],
    corrected: Iterable[_Key],
    stated_at_ms: int,
    end: int,
) -> dict[_Key, Instrument]:
    """What the venue said of the day, by instrument."""
    facts = {(item.market, item.symbol): item for item in stored}
    kept_markets = {market for market, _ in facts}
    kept, corrected = set(facts), set(corrected)
    for item in venue:
        key = (item.market, item.symbol)
        if key in kept or (item.market in kept_markets and key not in corrected):
            continue
        if key in facts:
            raise BadData(f"instruments: {item.symbol} ({item.market}) comes twice; ask the source again")
        stale = item.status != TRADING and stated_at_ms >= end
        facts[key] = _known_by(replace(item, status=UNKNOWN) if stale else item, end)
    return facts


def _rows(
    fact: Instrument | None, corrections: Sequence[Correction], begin: int, end: int
) -> list[DatedInstrument]:
    """One instrument's rows that overlap the day, and the venue's facts even where they are hidden."""
    pieces = [
        piece
        for piece in _pieces(fact, corrections, end)
        if piece.valid_to_ms is None or piece.valid_to_ms > begin
    ]
    if fact is None or any(piece.origin == "venue" for piece in pieces):
        return pieces
    alive = _life(fact, _EVER, None)
    if pieces or (alive[0] < end and (alive[1] is None or alive[1] > begin)):
        pieces.append(DatedInstrument(fact, end, end, "venue"))
    return pieces


def _pieces(fact: Instrument | None, corrections: Sequence[Correction], end: int) -> list[DatedInstrument]:
    """One instrument's facts over all time before ``end``, in spans as long as they stay the same."""
    bounds = {bound for item in corrections for bound in (item.from_ms, item.to_ms) if bound is not None}
    cuts = [_EVER, *sorted(bound for bound in bounds if bound < end)]
    pieces: list[DatedInstrument] = []
    for first, last in zip(cuts, [*cuts[1:], None], strict=True):
        found, origin = _corrected(fact, corrections, first)
        if found is None:
            continue
        found = _known_by(found, end)
        begins, ends = _life(found, first, last)
        if begins >= end or (ends is not None and ends <= begins):
            continue
        before = pieces[-1] if pieces else None
        if before and (before.instrument, before.origin, before.valid_to_ms) == (found, origin, begins):
            pieces[-1] = replace(before, valid_to_ms=ends)
        else:
            pieces.append(DatedInstrument(found, begins, ends, origin))
    return pieces


def _corrected(
    fact: Instrument | None, corrections: Sequence[Correction], moment_ms: int
) -> tuple[Instrument | None, Origin]:
    """The facts with every correction that holds at a moment; later corrections win."""
    holding = [item for item in corrections if item.holds_at(moment_ms)]
    for correction in holding:
        fact = correction.apply(fact)
    return fact, "correction" if holding else "venue"


def _life(instrument: Instrument, first: int, last: int | None) -> tuple[int, int | None]:
    """The part of a span in which the instrument was listed; it may be empty."""
    listed = FIRST_MS if instrument.listed_at_ms is None else instrument.listed_at_ms
    ends = [bound for bound in (last, instrument.delisted_at_ms) if bound is not None]
    return max(first, listed), min(ends, default=None)


def _known_by(instrument: Instrument, end: int) -> Instrument:
    """The instrument without a delisting that lies after the day, and with its underlying named."""
    later = instrument.delisted_at_ms is not None and instrument.delisted_at_ms >= end
    if instrument.underlying and not later:
        return instrument
    return replace(
        instrument,
        delisted_at_ms=None if later else instrument.delisted_at_ms,
        underlying=instrument.underlying or instrument.base,
    )
