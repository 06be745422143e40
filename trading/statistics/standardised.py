"""Trials as unit vectors, whose products are their correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import BadData
from trading.statistics.sample import Floats, constant_columns


@dataclass(frozen=True, slots=True)
class Standardised:
    """Trials that vary, centred and of length 1.

    Attributes
    ----------
    columns
        Shape (periods, varying trials): a product of two columns is their correlation.
    positions
        Column of the original matrix behind each, shape (varying trials,).
    """

    columns: Floats
    positions: npt.NDArray[np.intp]


def standardised(returns: Floats) -> Standardised:
    """Centre and scale every trial that varies, from returns of shape (periods, trials).

    Raises
    ------
    BadData
        If the matrix has no two dimensions or fewer than two periods, or a return is missing or infinite.
    """
    require_matrix(returns)
    positions = np.flatnonzero(~constant_columns(returns))
    chosen = returns[:, positions]
    chosen = chosen / np.abs(chosen).max(axis=0)
    centred = chosen - chosen.mean(axis=0)
    return Standardised(centred / np.linalg.norm(centred, axis=0), positions)


def require_matrix(returns: Floats) -> None:
    """Refuse what is no whole matrix of returns, shape (periods, trials) with at least two periods.

    Raises
    ------
    BadData
        Naming the shape, or the first column and row that is missing or infinite.
    """
    if returns.ndim != 2 or returns.shape[0] < 2 or returns.shape[1] < 1:
        raise BadData(
            f"returns have shape {returns.shape}; a matrix of at least two periods by one trial is needed"
        )
    finite = np.isfinite(returns)
    if not finite.all():
        row, column = np.unravel_index(int(np.argmin(finite)), returns.shape)
        raise BadData(
            f"returns: period {row} of trial {column} is {returns[row, column]}, counting from 0; "
            "fill the hole from its source or leave the trial out, a missing return is not zero"
        )
