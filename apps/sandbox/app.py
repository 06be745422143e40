"""The exchange as a web application: the APIs of its markets, the archive, and its clock."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox.answers import json_answer
from apps.sandbox.archive.api import ArchiveApi
from apps.sandbox.archive.content import ArchiveContent
from apps.sandbox.archive.faults import ArchiveFaults
from apps.sandbox.backing import Backings
from apps.sandbox.clock import SandboxClock
from apps.sandbox.coinbase.api import CoinbaseApi
from apps.sandbox.errors import illegal, not_served
from apps.sandbox.gate import FaultPlan, WeightGate
from apps.sandbox.guard import Guard
from apps.sandbox.provisional import ProvisionalMinutes
from apps.sandbox.settings import SandboxSettings
from apps.sandbox.spot import SpotApi, marks
from apps.sandbox.trading.api import TradingApi
from apps.sandbox.trading.exchange import PaperExchange
from apps.sandbox.trading.faults import SkewedClock, StaleClock
from apps.sandbox.trading.stream.api import StreamApi
from apps.sandbox.usdm.api import FuturesApi
from trading.model.interval import MINUTE_MS
from trading.model.series import Market
from trading.ports import Clock


def create_app(backings: Backings, clock: SandboxClock, settings: SandboxSettings) -> Starlette:
    """Build the exchange; its trading side is ``state.exchange``.

    Parameters
    ----------
    backings
        Where prices come from.
    clock
        The exchange's time; ``POST /sandbox/clock`` with ``{"now_ms": …}`` sets it.
    settings
        Limits, delays and faults; the backings and the clock are made already.
    """
    venue_clock = SkewedClock(clock, settings.trading.faults)
    shown_clock = StaleClock(venue_clock, settings.trading.faults)
    plan, faults = FaultPlan(settings.faults), ArchiveFaults(settings.faults)
    delay_ms = settings.archive_delay_minutes * MINUTE_MS
    bars = ProvisionalMinutes(backings.spot, faults, clock, delay_ms)
    content = ArchiveContent(backings.spot, backings.futures, faults)
    archive = ArchiveApi(content, clock, faults, plan, delay_ms=delay_ms, marks=marks(backings.spot))
    spot_guard = Guard(
        WeightGate(settings.weight_limit), plan, clock, ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M")
    )
    futures_guard = Guard(WeightGate(settings.futures_weight_limit), plan, clock, ("X-MBX-USED-WEIGHT-1M",))
    clock_api = _ClockApi(clock)
    spot = SpotApi(backings.spot, bars, venue_clock, settings.weight_limit, shown_clock)
    exchange = PaperExchange(backings, venue_clock, settings)
    trading = TradingApi(exchange, venue_clock, settings.trading)
    stream = StreamApi(exchange, venue_clock, settings.trading.faults)
    guards = {Market.SPOT: spot_guard, Market.USDM: futures_guard}
    app = Starlette(
        routes=[
            *trading.routes(guards),
            *stream.routes(guards),
            *spot.routes(spot_guard),
            *_futures_routes(
                backings, (venue_clock, shown_clock), settings.futures_weight_limit, futures_guard
            ),
            *CoinbaseApi(backings.second_venue, clock).routes(),
            *archive.routes(),
            Route("/sandbox/clock", clock_api.show),
            Route("/sandbox/clock", clock_api.set, methods=["POST"]),
        ]
    )
    app.state.exchange = exchange
    return app


def _futures_routes(
    backings: Backings, clocks: tuple[Clock, Clock], weight_limit: int, guard: Guard
) -> list[Route]:
    if backings.futures is not None:
        clock, shown = clocks
        return FuturesApi(backings.futures, clock, weight_limit, shown).routes(guard)

    async def refuse(request: Request) -> Response:
        raise not_served("Futures")

    return [Route(path, guard(refuse, 1)) for path in ("/fapi/{path:path}", "/futures/{path:path}")]


class _ClockApi:
    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock

    async def show(self, request: Request) -> Response:
        return json_answer({"now_ms": self._clock.now_ms()})

    async def set(self, request: Request) -> Response:
        try:
            now_ms = orjson.loads(await request.body())["now_ms"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            now_ms = None
        if not isinstance(now_ms, int) or now_ms < 0:
            error = illegal("now_ms")
            return json_answer({"code": error.code, "msg": error.message}, error.status)
        self._clock.set(now_ms)
        return json_answer({"now_ms": now_ms})
