"""Reading the venue's JSON into its documented shape, and lists that come in pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from trading.errors import BadData

_T = TypeVar("_T")

#: Windows of time that are searched for the first row; more would spend the request weight of minutes.
_MOST_WINDOWS = 30


def parsed(adapter: TypeAdapter[_T], content: bytes, where: str) -> _T:
    """The answer in its shape.

    Raises
    ------
    BadData
        Naming the place and the value that is not as documented.
    """
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise BadData(_unreadable(error, where)) from error


def shaped(adapter: TypeAdapter[_T], value: Any, where: str) -> _T:
    """A part of an answer, parsed already, in its shape. Raises `BadData` as `parsed` does."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise BadData(_unreadable(error, where)) from error


@dataclass(frozen=True, slots=True)
class Span:
    """Times to ask for, and what one request may cover.

    Attributes
    ----------
    since_ms, until_ms
        First and last moment (milliseconds since the epoch).
    window_ms
        Longest time that one request may span.
    page_rows
        Most rows of one answer.
    """

    since_ms: int
    until_ms: int
    window_ms: int
    page_rows: int


def every(
    page: Callable[[dict[str, str | int]], list[_T]],
    identity: Callable[[_T], int],
    moment: Callable[[_T], int],
    span: Span,
) -> list[_T]:
    """Everything from a moment on, of a list that is asked by time or from an id on, never by both.

    The time of one request is limited, the ids are not: windows of time are asked until one has
    something, and from its first row on the ids lead to the end. Where that would take too many windows,
    the ids lead there from the very first.

    Parameters
    ----------
    page
        Asks for one page, oldest first, by ``startTime`` and ``endTime`` or by ``fromId``.
    identity, moment
        A row's id, which rises with time, and its time in milliseconds.
    """
    first = _first_id(page, identity, span)
    if first is None:
        return []
    rows: dict[int, _T] = {}
    while True:
        found = page({"fromId": first, "limit": span.page_rows})
        rows.update((identity(row), row) for row in found)
        if len(found) < span.page_rows:
            return [rows[number] for number in sorted(rows) if moment(rows[number]) >= span.since_ms]
        first = max(rows) + 1


def _first_id(
    page: Callable[[dict[str, str | int]], list[_T]], identity: Callable[[_T], int], span: Span
) -> int | None:
    if span.until_ms - span.since_ms > _MOST_WINDOWS * span.window_ms:
        return 0
    for start_ms in range(span.since_ms, span.until_ms + 1, span.window_ms):
        end_ms = start_ms + span.window_ms - 1
        found = page({"startTime": start_ms, "endTime": end_ms, "limit": span.page_rows})
        if found:
            return min(map(identity, found))
    return None


def _unreadable(error: ValidationError, where: str) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "content"
    return (
        f"{where}: {place} is {str(first['input'])[:80]!r}: {first['msg']}; the answer is not as documented"
    )
