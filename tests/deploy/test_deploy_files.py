"""The deployment's files agree with the project and with each other."""

import importlib.util
import re
import shlex
import tomllib

import pytest
import yaml
from typer.testing import CliRunner

from apps.cli.main import app
from resources.redacted_storage import RedactedEvents, RedactedRuns, RedactedTicks
from tests.dagster_service import ROOT

DEPLOY = ROOT / "deploy"
INSTALLED = "/opt/tidemill/"
STORAGES = {"run_storage", "event_log_storage", "schedule_storage"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def on_postgres():
    return yaml.safe_load((DEPLOY / "dagster.yaml").read_text())


def test_the_two_instances_differ_in_storage_only(on_postgres):
    embedded = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    differing = {name for name in embedded | on_postgres if embedded.get(name) != on_postgres.get(name)}
    assert differing == STORAGES
    assert len({str(on_postgres[name]["config"]) for name in STORAGES}) == 1, "one database holds all three"


@pytest.mark.parametrize("path", [ROOT / "dagster.yaml", DEPLOY / "dagster.yaml"])
def test_every_storage_takes_secrets_out(path):
    parts = {
        "run_storage": RedactedRuns,
        "event_log_storage": RedactedEvents,
        "schedule_storage": RedactedTicks,
    }
    described = yaml.safe_load(path.read_text())
    for name, part in parts.items():
        storage = getattr(importlib.import_module(described[name]["module"]), described[name]["class"])
        assert issubclass(storage, part), name


def test_the_settings_are_written_alike():
    """Comments too: below storage the files are the same text."""
    embedded, postgres = ((folder / "dagster.yaml").read_text() for folder in (ROOT, DEPLOY))
    assert (
        embedded.partition("local_artifact_storage:")[2] == postgres.partition("local_artifact_storage:")[2]
    )


def environment_names(value):
    if isinstance(value, dict):
        found = {value["env"]} if set(value) == {"env"} else set()
        return found.union(*(environment_names(part) for part in value.values()))
    return set()


def test_every_service_gets_the_environment_that_the_instance_reads(compose, on_postgres):
    image = re.search(r"^ENV (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    from_image = {pair.partition("=")[0] for pair in image[1].split()}
    needed = environment_names(on_postgres)
    assert {"DAGSTER_PG_PORT", "DAGSTER_STATE"} <= needed
    for name in ("webserver", "daemon"):
        assert needed <= from_image | set(compose["services"][name]["environment"]), name


def test_what_compose_and_the_image_name_exists(compose):
    for name in ("webserver", "daemon"):
        service = compose["services"][name]
        assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        for word in shlex.split(service["command"]):
            if word.startswith(INSTALLED):
                assert (ROOT / word.removeprefix(INSTALLED)).is_file(), word
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert all((DEPLOY / source).exists() for source in sources if source.startswith("."))
        assert {source for source in sources if not source.startswith(".")} <= set(compose["volumes"])
        assert set(service["depends_on"]) <= set(compose["services"])
    for source in re.findall(r"^COPY (.+) \./$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        assert all((ROOT / name).is_file() for name in source.split()), source


def test_no_password_is_written_and_only_the_loopback_is_open(compose):
    text = (DEPLOY / "compose.yaml").read_text()
    assert re.findall(r"PASSWORD: (?!\$\{POSTGRES_PASSWORD:\?)", text) == []
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_guard_stands_alone(compose):
    """Its own keys and none of the others', nobody to wait for, and the folder in which the others beat."""
    guard, others = compose["services"]["guard"], ("webserver", "daemon")
    assert "depends_on" not in guard
    assert guard["restart"] == "always"
    assert {"TIDEMILL_GUARD_KEY", "TIDEMILL_GUARD_SECRET"} <= set(guard["environment"])
    secrets = {
        name
        for other in others
        for name in compose["services"][other]["environment"]
        if re.search("KEY|SECRET|PASSWORD|TOKEN", name)
    }
    assert secrets.isdisjoint(guard["environment"])
    for other in others:
        assert set(guard["volumes"]) <= set(compose["services"][other]["volumes"])
        assert not any("GUARD" in name for name in compose["services"][other]["environment"])
    image = {service["image"] for name, service in compose["services"].items() if name != "postgres"}
    assert image == {"tidemill"}


def test_the_guards_commands_are_the_projects(compose):
    guard = compose["services"]["guard"]
    interpreter, flag, module = shlex.split(guard["command"])
    assert (interpreter, flag) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    _, program, *words = guard["healthcheck"]["test"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    asked = CliRunner().invoke(app, [*words, "--help"])
    assert asked.exit_code == 0, asked.output
