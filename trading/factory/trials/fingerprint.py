"""A trial's daily returns in a byte a day: enough to say which trials move together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np

from trading.errors import BadData
from trading.statistics.sample import Floats

#: Steps from zero to the largest return.
_STEPS = 127


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Daily returns, rounded to 127 steps of the largest one.

    Correlations of two fingerprints differ from those of the returns by less than 0.01.

    Attributes
    ----------
    first_day
        UTC day of the first return; the others follow day by day.
    scale
        Largest absolute return, a fraction; 0 where nothing ever moved.
    steps
        One signed byte per day.
    sha256
        Hash of the exact returns, little-endian float64: who has them can prove that they are these.
    """

    first_day: date
    scale: float
    steps: bytes
    sha256: str

    @property
    def days(self) -> int:
        """Number of returns."""
        return len(self.steps)

    def returns(self) -> Floats:
        """The rounded returns, shape (days,)."""
        return np.frombuffer(self.steps, dtype=np.int8).astype(np.float64) * (self.scale / _STEPS)


def fingerprint(returns: Floats, first_day: date) -> Fingerprint:
    """Fingerprint of daily returns, shape (days,).

    Raises
    ------
    BadData
        If there is no return, or one is missing or infinite.
    """
    if returns.size == 0:
        raise BadData(f"returns from {first_day}: there are none; record the trial as crashed")
    if not np.isfinite(returns).all():
        raise BadData(
            f"returns from {first_day}: day {int(np.argmin(np.isfinite(returns)))} is not a number; "
            "record the trial as crashed"
        )
    scale = float(np.abs(returns).max(initial=0.0))
    steps = np.zeros(returns.size) if scale == 0 else np.rint(returns / scale * _STEPS)
    exact = np.ascontiguousarray(returns, dtype="<f8").tobytes()
    return Fingerprint(first_day, scale, steps.astype(np.int8).tobytes(), sha256(exact).hexdigest())
