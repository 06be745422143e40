"""What every API request passes first: weights, planned faults, and errors in Binance's form."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from apps.sandbox.answers import json_answer
from apps.sandbox.clock import SandboxClock
from apps.sandbox.errors import ApiError
from apps.sandbox.gate import FaultPlan, WeightGate

Handler = Callable[[Request], Awaitable[Response]]
Weight = Callable[[Request], int]


class Guard:
    """Wraps the handlers of one API.

    Parameters
    ----------
    headers
        Names of the headers that report the weight used.
    """

    def __init__(
        self, gate: WeightGate, faults: FaultPlan, clock: SandboxClock, headers: tuple[str, ...]
    ) -> None:
        self._gate = gate
        self._faults = faults
        self._clock = clock
        self._headers = headers

    def __call__(self, handler: Handler, weight: Weight | int) -> Handler:
        """The handler behind the guard; ``weight`` is what a request costs."""

        async def guarded(request: Request) -> Response:
            try:
                cost = weight if isinstance(weight, int) else weight(request)
                self._gate.admit(cost, self._clock.now_ms())
                hang_seconds = self._faults.next_request()
                if hang_seconds:
                    await asyncio.sleep(hang_seconds)
                response = await handler(request)
            except ApiError as error:
                response = json_answer({"code": error.code, "msg": error.message}, error.status)
                response.headers.update(error.headers)
            for header in self._headers:
                response.headers[header] = str(self._gate.used)
            return response

        return guarded


def by_symbol(one: int, many: int) -> Weight:
    """A weight for one symbol, and another for all."""
    return lambda request: one if "symbol" in request.query_params else many
