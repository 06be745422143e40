"""The UI on a finished daily run, and a real browser to look at it with."""

import re

import pytest

from tests.ui.browser import browser, chromium
from tests.ui.daily_home import SMALL, make_home, ui_service

ERROR_BANNERS = re.compile(
    "error occurred|unexpected error|failed to load|GraphQL error|PythonError", re.IGNORECASE
)


@pytest.fixture(scope="session")
def executable():
    path = chromium()
    if path is None:
        pytest.skip("no chromium on this machine: apt install chromium, then run the tests marked ui")
    return path


@pytest.fixture(scope="module")
def service(executable, tmp_path_factory):
    home = tmp_path_factory.mktemp("ui") / "home"
    make_home(home, SMALL)
    with ui_service(home) as running:
        yield running


@pytest.fixture(scope="module")
def context(executable, service, tmp_path_factory):
    """A browser for one module: while it is open, nothing else in the process can run an event loop."""
    with browser(tmp_path_factory.mktemp("profile"), executable) as opened:
        yield opened


@pytest.fixture
def page(context):
    """A tab that fails the test when the UI raises an error of its own."""
    errors = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(error))
    yield tab
    banners = tab.get_by_text(ERROR_BANNERS).all_inner_texts()
    tab.close()
    assert errors == []
    assert banners == []
