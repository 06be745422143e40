"""The archive as a web folder: files once they are published, their checksums, and parts of them."""

from __future__ import annotations

from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox.answers import file_answer
from apps.sandbox.archive.content import ArchiveContent, checksum
from apps.sandbox.archive.faults import ArchiveFaults
from apps.sandbox.archive.names import ArchiveFile, parse
from apps.sandbox.clock import SandboxClock
from apps.sandbox.gate import FaultPlan
from trading.model.series import Series

_FILES_KEPT = 16
_SUFFIX = ".CHECKSUM"


class ArchiveApi:
    """Everything under /archive/data.

    Parameters
    ----------
    delay_ms
        How long after its end a span is published.
    marks
        Headers of the spot files.
    """

    def __init__(
        self,
        content: ArchiveContent,
        clock: SandboxClock,
        faults: ArchiveFaults,
        plan: FaultPlan,
        *,
        delay_ms: int,
        marks: dict[str, str],
    ) -> None:
        self._content = content
        self._clock = clock
        self._faults = faults
        self._plan = plan
        self._delay_ms = delay_ms
        self._marks = marks
        self._kept: OrderedDict[object, bytes | None] = OrderedDict()

    def routes(self) -> list[Route]:
        """Routes of the archive."""
        return [Route("/archive/{path:path}", self._file)]

    async def _file(self, request: Request) -> Response:
        asked: str = request.path_params["path"]
        file = parse(asked.removesuffix(_SUFFIX))
        content = None if file is None else self._published(file)
        if file is None or content is None:
            return Response(
                "<Error><Code>NoSuchKey</Code></Error>", status_code=404, media_type="application/xml"
            )
        if asked.endswith(_SUFFIX):
            bad = self._faults.serving("bad_checksum", file.path)
            text = checksum(file.name, b"another file" if bad else content)
            return Response(text, media_type="binary/octet-stream")
        content = self._plan.damage(content)
        if self._faults.serving("truncated", file.path):
            content = content[: len(content) // 2]
        answer = file_answer(content, "application/zip", request.headers)
        if file.series is Series.SPOT:
            answer.headers.update(self._marks)
        return answer

    def _published(self, file: ArchiveFile) -> bytes | None:
        now_ms = self._clock.now_ms()
        if now_ms < file.end_ms + self._delay_ms:
            return None
        key = (file.path, self._faults.state(now_ms))
        if key not in self._kept:
            self._kept[key] = self._content.zip(file, now_ms)
            while len(self._kept) > _FILES_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]
