"""New ratings of the latest closed day ask for one decision; history never does."""

from collections.abc import Iterator

import dagster as dg
import pytest

from resources.clock import FixedClock
from sensors.decision import RATINGS_ASSET, decide_on_new_ratings
from tests.instance import LAST_DAY, OPEN_DAY, at


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr("sensors.decision.SystemClock", lambda: FixedClock(at("00:25")))
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def look(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    result = decide_on_new_ratings(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def rate(
    instance: dg.DagsterInstance,
    day: object,
    *,
    tags: dict[str, str] | None = None,
    fails: bool = False,
    during: list[dg.SensorResult] | None = None,
    cursor: str = "0",
) -> None:
    """A run that rates a day; it may fail afterwards, and may let the sensor look while it runs."""

    @dg.op
    def rating(context: dg.OpExecutionContext) -> None:
        context.log_event(dg.AssetMaterialization(RATINGS_ASSET, partition=str(day)))
        if during is not None:
            during.append(look(instance, cursor))
        if fails:
            raise ValueError("after the ratings")

    @dg.job
    def rating_job() -> None:
        rating()

    rating_job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_the_first_look_only_sets_the_cursor(instance: dg.DagsterInstance) -> None:
    assert look(instance, None).cursor == "0"
    rate(instance, LAST_DAY)
    first = look(instance, None)
    assert first.run_requests == []
    assert first.cursor != "0"
    assert look(instance, first.cursor).run_requests == []


def test_the_latest_closed_day_asks_for_one_decision(instance: dg.DagsterInstance) -> None:
    rate(instance, LAST_DAY)
    result = look(instance, "0")
    (request,) = result.run_requests or []
    assert request.run_config == {"ops": {"take_snapshot": {"config": {"bar_close_ms": at("00:00")}}}}
    assert request.tags["tidemill/day"] == str(LAST_DAY)
    assert look(instance, result.cursor).run_requests == [], "once"


@pytest.mark.parametrize(
    ("day", "tags"),
    [
        ("2025-03-08", {}),
        (OPEN_DAY, {}),
        (LAST_DAY, {"dagster/backfill": "abc"}),
        (LAST_DAY, {"dagster/asset_partition_range_start": "2025-03-01"}),
    ],
)
def test_other_days_and_history_ask_for_nothing(
    instance: dg.DagsterInstance, day: object, tags: dict[str, str]
) -> None:
    rate(instance, day, tags=tags)
    result = look(instance, "0")
    assert result.run_requests == []
    assert result.cursor != "0", "passed over for good"


def test_a_failed_run_asks_for_nothing(instance: dg.DagsterInstance) -> None:
    rate(instance, LAST_DAY, fails=True)
    result = look(instance, "0")
    assert result.run_requests == []
    assert result.cursor != "0"


def test_while_the_rating_run_goes_on_the_cursor_stays(instance: dg.DagsterInstance) -> None:
    rate(instance, "2025-03-08")
    cursor = look(instance, "0").cursor
    during: list[dg.SensorResult] = []
    rate(instance, LAST_DAY, during=during, cursor=str(cursor))
    (meanwhile,) = during
    assert meanwhile.run_requests == []
    assert meanwhile.cursor == cursor
    assert len(look(instance, meanwhile.cursor).run_requests or []) == 1
