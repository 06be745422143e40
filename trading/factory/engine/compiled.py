"""How the kernel is compiled. Import it inside functions only: Numba takes a second to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into every caller: a call would pass each array as seven numbers on the stack."""
    return njit(inline="always", error_model="numpy")(function)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile without the interpreter's lock, keeping the machine code on disk where there is a place for it.

    Kept code is renewed when its own file changes, not when a function or a constant of another file does:
    functions that call each other live in one file, and that file refuses constants that it does not know.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to keep the compiled code in: compile again in every process
        return njit(nogil=True, error_model="numpy")(function)
