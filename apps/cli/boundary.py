"""Where errors end: those raised on purpose become one line and an exit code, the others keep their traceback."""

from __future__ import annotations

import json
import sys
from typing import Any

from typer import Exit
from typer.core import TyperGroup

from resources.redaction import redacted
from trading.errors import TradingError

#: Exit codes; a usage error is Typer's own 2.
OK, FAILED = 0, 1


class ErrorBoundary(TyperGroup):
    """The root group: reports a `TradingError` of any command and exits with `FAILED`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command inside the boundary."""
        as_json = "--json" in [*ctx._protected_args, *ctx.args]
        try:
            return super().invoke(ctx)
        except TradingError as error:
            _report(error, as_json=as_json)
            raise Exit(FAILED) from error
        except BrokenPipeError:
            # `tidemill … | head`: nobody is listening any more, and the flush at exit must not complain.
            sys.stdout = None
            raise Exit(OK) from None


def _report(error: TradingError, *, as_json: bool) -> None:
    message = redacted(str(error))
    if as_json:
        content = {"error": {"kind": type(error).__name__, "message": message}}
        print(json.dumps(content, ensure_ascii=False))
    print(f"error: {message}", file=sys.stderr)
