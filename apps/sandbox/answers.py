"""Answers: JSON bodies, and files that may be asked for in part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def json_answer(content: Any, status: int = 200) -> Response:
    """A JSON body."""
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


def file_answer(content: bytes, media_type: str, asked: Mapping[str, str]) -> Response:
    """A file, or the part of it that the request's ``Range`` header asks for.

    A part is answered with 206, one beyond the end with 416. ``If-Range`` with another tag than the
    file's gets the whole file: it is not the one that was begun.
    """
    tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    headers = {"Accept-Ranges": "bytes", "ETag": tag}
    match = _RANGE.match(asked.get("range", ""))
    if match is None or match.groups() == ("", "") or asked.get("if-range", tag) != tag:
        return Response(content, media_type=media_type, headers=headers)
    first, last = match.groups()
    begin = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if begin > end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}", **headers})
    headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
    return Response(content[begin : end + 1], status_code=206, media_type=media_type, headers=headers)
