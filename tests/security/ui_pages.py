"""Everything that the UI serves of runs, logs, configuration, resources, sensors and assets, as bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import httpx

from tests.dagster_service import DagsterService

_ERROR = "message className stack"
_CAUSES = (
    f"error {{ {_ERROR} cause {{ {_ERROR} cause {{ {_ERROR} }} }} errorChain {{ error {{ {_ERROR} }} }} }}"
)
_METADATA = """metadataEntries { __typename label description ... on TextMetadataEntry { text }
    ... on JsonMetadataEntry { jsonString } ... on MarkdownMetadataEntry { mdStr } ... on UrlMetadataEntry { url }
    ... on PathMetadataEntry { path } ... on PythonArtifactMetadataEntry { module name }
    ... on TableMetadataEntry { table { records } } }"""
_REPOSITORY = """repositoryOrError(repositorySelector: {repositoryLocationName: "live",
    repositoryName: "__repository__"}) { __typename ... on Repository"""

RUNS = """{ runsOrError { ... on Runs { results { runId jobName status runConfigYaml runConfig tags { key value }
    executionPlan { artifactsPersisted steps { key inputs { name } } } stats { __typename } } } } }"""
EVENTS = f"""query($id: ID!) {{ logsForRun(runId: $id) {{ __typename ... on EventConnection {{ events {{ __typename
    ... on MessageEvent {{ message level stepKey eventType }} ... on ErrorEvent {{ {_CAUSES} }}
    ... on DisplayableEvent {{ label description {_METADATA} }} }} }} }} }}"""
LOG_KEYS = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
    ... on LogsCapturedEvent { fileKey } } } } }"""
CAPTURED = """query($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr }
    capturedLogsMetadata(logKey: $key) { stdoutLocation stderrLocation } }"""
#: The rest, each asked once.
QUERIES = {
    "instance": f"""{{ instance {{ info runQueueConfig {{ tagConcurrencyLimitsYaml }} daemonHealth {{
        allDaemonStatuses {{ daemonType lastHeartbeatErrors {{ {_ERROR} }} }} }}
        concurrencyLimits {{ concurrencyKey }} }} }}""",
    "workspace": f"""{{ workspaceOrError {{ ... on Workspace {{ locationEntries {{ name
        displayMetadata {{ key value }} locationOrLoadError {{ ... on PythonError {{ {_ERROR} }}
        ... on RepositoryLocation {{ name environmentPath dagsterLibraryVersions {{ name version }} }} }} }} }} }} }}""",
    "resources": f"""{{ {_REPOSITORY} {{ allTopLevelResourceDetails {{ name description resourceType isTopLevel
        configFields {{ name description defaultValueAsJson }} configuredValues {{ key value type }} }} }} }} }}""",
    "jobs": f"""{{ {_REPOSITORY} {{ jobs {{ name description tags {{ key value }} {_METADATA} modes {{ name
        resources {{ name description configField {{ defaultValueAsJson }} }} }} presets {{ runConfigYaml }}
        runs {{ runId }} }} }} }} }}""",
    "instigators": f"""{{ {_REPOSITORY} {{ sensors {{ name description sensorState {{ runningCount ticks(limit: 50)
        {{ status skipReason cursor logKey {_CAUSES} }} }} }} schedules {{ name scheduleState
        {{ ticks(limit: 50) {{ status {_CAUSES} }} }} }} }} }} }}""",
    "assets": f"""{{ assetNodes {{ assetKey {{ path }} description {_METADATA} configField {{ defaultValueAsJson }}
        assetMaterializations(limit: 20) {{ message description {_METADATA} }}
        assetChecksOrError {{ ... on AssetChecks {{ checks {{ name executionForLatestMaterialization {{ evaluation {{
        description {_METADATA} }} }} }} }} }} }} }}""",
}
PAGES = ("/", "/overview", "/runs", "/config", "/dagit_info", "/server_info", "/deployment/health")


def served(service: DagsterService) -> Iterator[tuple[str, bytes]]:
    """What the webserver answers, by what was asked for."""
    runs = service.query(RUNS)
    yield "runs", json.dumps(runs).encode()
    for name, query in QUERIES.items():
        yield name, json.dumps(service.query(query)).encode()
    with httpx.Client(base_url=service.url, timeout=120, trust_env=False, follow_redirects=True) as http:
        for path in PAGES:
            yield path, _body(http, path)
        for run in runs["runsOrError"]["results"]:
            run_id = run["runId"]
            what = f"{run['jobName']} {run_id}"
            yield f"events of {what}", json.dumps(service.query(EVENTS, id=run_id)).encode()
            yield f"download of {what}", _body(http, f"/download_debug/{run_id}")
            events = service.query(LOG_KEYS, id=run_id)["logsForRun"]["events"]
            for key in {event["fileKey"] for event in events if event.get("fileKey")}:
                log_key = [run_id, "compute_logs", key]
                answer = service.query(CAPTURED, key=log_key)
                yield f"captured logs of {what}", json.dumps(answer).encode()
                for stream in ("out", "err"):
                    yield f"{stream} of {what}", _body(http, f"/logs/{'/'.join(log_key)}/{stream}")


def _body(http: httpx.Client, path: str) -> bytes:
    content = http.get(path).content
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
