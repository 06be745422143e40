"""What a person sees and clicks in Dagster's UI, in a real browser on a finished daily run."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.ui.browser import GROUPS, lineage_path

SWITCHES = """{ repositoryOrError(repositorySelector:
    {repositoryName: "__repository__", repositoryLocationName: "live"}) { ... on Repository {
    sensors { name sensorState { status } } schedules { name scheduleState { status } } } } }"""

pytestmark = [pytest.mark.ui, pytest.mark.slow, pytest.mark.timeout(420)]


def test_the_lineage_shows_every_group_and_its_assets(service, page):
    page.goto(f"{service.url}/asset-groups")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    page.goto(f"{service.url}{lineage_path()}")
    for asset in ("instruments", "klines", "bars_15m", "indicators_1h", "fork_scores", "ml_confidence"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    expect(page.get_by_text("Empty graph")).to_have_count(0)


def test_an_assets_page_tells_what_it_is(service, page):
    page.goto(f"{service.url}/assets/klines?view=overview")
    expect(page.get_by_text("Closed one-minute spot klines of the whole universe")).to_be_visible()
    expect(page.get_by_text("Row count", exact=True)).to_be_visible()
    expect(page.get_by_text("one row per (symbol, open_t")).to_be_visible()
    for text in ("Highest traded price [quote]", "Datetime(UTC)", "universe", "bars_15m", "daily"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()


def test_a_partition_shows_a_preview_of_its_rows(service, page):
    yesterday = next(
        tag["value"]
        for run in service.runs()
        if run["jobName"] == "daily"
        for tag in run["tags"]
        if tag["key"] == "dagster/partition"
    )
    page.goto(f"{service.url}/assets/klines?view=partitions&partition={yesterday}")
    for text in ("sha256", "size_bytes", "first_time", "last_time", f"{3 * 1440}", "sandbox"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    page.get_by_text("[Show Markdown]").click()
    table = page.get_by_role("dialog").get_by_role("table")
    expect(table.get_by_role("columnheader").first).to_have_text("symbol")
    expect(table.get_by_text(f"{yesterday} 23:59:00Z").first).to_be_visible()


def test_the_checks_of_the_klines_are_explained(service, page):
    page.goto(f"{service.url}/assets/klines?view=checks")
    for name in ("duplicates", "jumps", "ohlc_order", "range", "row_count", "continuity"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.get_by_text("ohlc_order", exact=True).first.click()
    expect(page.get_by_text("Low is the lowest and high the highest of the four prices.")).to_be_visible()
    expect(page.get_by_text("Passed").first).to_be_visible()
    expect(page.get_by_text("blocking", exact=True)).to_be_visible()


def test_the_runs_of_the_day_are_listed(service, page):
    page.goto(f"{service.url}/runs")
    for job in ("decision", "intraday", "strategy_search", "daily", "backfill"):
        expect(page.get_by_role("link", name=job, exact=True).first).to_be_visible()
    expect(page.get_by_text("Failure")).to_have_count(0)
    run = next(run["runId"] for run in service.runs() if run["jobName"] == "decision")
    page.goto(f"{service.url}/runs/{run}")
    for op in ("take_snapshot", "commit_intents", "close_tick"):
        expect(page.get_by_text(op, exact=True).first).to_be_visible()


def test_what_trades_is_off_until_it_is_switched_on(service, page):
    found = service.query(SWITCHES)["repositoryOrError"]
    switches = {sensor["name"]: sensor["sensorState"]["status"] for sensor in found["sensors"]}
    switches |= {schedule["name"]: schedule["scheduleState"]["status"] for schedule in found["schedules"]}
    assert {name for name, status in switches.items() if status == "RUNNING"} == {
        "alert_on_revised_klines",
        "alert_on_run_failure",
        "alert_on_stale_data",
        "cancel_on_halt",
    }
    page.goto(f"{service.url}/automation")
    for name in switches:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()


def test_a_partition_is_materialised_by_clicking(service, page):
    before = {run["runId"] for run in service.runs()}
    page.goto(f"{service.url}/assets/klines?view=overview")
    page.get_by_text("Materialize", exact=False).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Latest", exact=True).click()
    dialog.get_by_role("button", name=re.compile("^Launch")).click()

    def launched():
        return next((run for run in service.runs() if run["runId"] not in before), None)

    run = service.wait_until("the run appears", launched, 60)
    service.succeed(run["runId"], 150)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert [asset["path"] for asset in run["assetSelection"]] == [["klines"]]
    assert tags["dagster/partition"] == datetime.now(UTC).date().isoformat()
    page.goto(f"{service.url}/runs/{run['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
