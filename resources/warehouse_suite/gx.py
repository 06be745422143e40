"""Great Expectations, imported once and quietly.

It takes seconds and hundreds of mebibytes: import what stands on this module inside the function that needs it.
"""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    # It imports modules that Python has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.checkpoint import Checkpoint
    from great_expectations.core import ValidationDefinition
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.expectations.expectation import Expectation

__all__ = [
    "Checkpoint",
    "DataContextConfig",
    "ExpectQuantilesToBeBetween",
    "Expectation",
    "ExpectationValidationResult",
    "InMemoryStoreBackendDefaults",
    "ProgressBarsConfig",
    "ValidationDefinition",
    "gx",
    "gxe",
]


class ExpectQuantilesToBeBetween(gxe.ExpectColumnQuantileValuesToBeBetween):
    """The quantile expectation, with an answer that the result stores can hold.

    Version 1.24 answers with a NumPy boolean, which is no JSON.
    """

    def _validate(self, *arguments: Any, **named: Any) -> Any:
        answer = super()._validate(*arguments, **named)
        return {**answer, "success": bool(answer["success"])}
