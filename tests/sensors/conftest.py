"""The small Tidemill that the tests of the graph run on."""

from tests.instance import built, exchange, home  # noqa: F401
