"""Reading a YAML configuration so that every complaint names the file, the line and the fix."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from trading.errors import FixConfiguration

Model = TypeVar("Model", bound=BaseModel)


def read_config(path: Path, model: type[Model]) -> Model:
    """Validate a YAML file against a pydantic model that forbids unknown keys.

    Raises
    ------
    FixConfiguration
        If the file is missing, is not YAML, or does not fit the model. The message has one line
        per fault: ``file:line: field: what is wrong (value) and what would be right``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FixConfiguration(
            f"{path}: cannot be read ({error.strerror}); create it or set TIDEMILL_CONFIG"
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise FixConfiguration(f"{path}{where}: {problem}; fix the YAML there") from error
    if not isinstance(content, dict):
        raise FixConfiguration(f"{path}:1: expected sections such as 'source:', found {content!r}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_describe(path, root, fault, content, model) for fault in error.errors()]
        raise FixConfiguration("\n".join(faults)) from error


def _describe(path: Path, root: Node | None, fault: Any, content: Any, model: type[BaseModel]) -> str:
    location = [part for part in fault["loc"] if not _is_tag(part)]
    line = _line(root, location)
    field = ".".join(str(part) for part in location)
    if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        valid = valid_keys(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), valid, n=1, cutoff=0.0)
        hint = f"; nearest valid key: {near[0]!r}" if near else ""
        return f"{path}:{line}: unknown key {field!r}{hint}"
    value = "" if fault["type"] == "missing" else f" (value {fault['input']!r})"
    return f"{path}:{line}: {field}: {fault['msg']}{value}"


def _is_tag(part: Any) -> bool:
    # pydantic inserts the name of the validator of a union or dataclass into the location
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "bool"})


def _line(node: Node | None, location: list[Any]) -> int:
    line = 1 if node is None else node.start_mark.line + 1
    for part in location:
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                return line
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def valid_keys(model: Any, location: list[Any]) -> list[str]:
    """Keys that the settings accept at a location; empty where it is no section."""
    schema = model.model_json_schema()
    node = schema
    for part in location:
        node = _resolve(schema, node)
        if isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties") or {}
    return sorted(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in (node, *node.get("anyOf", []), *node.get("allOf", [])):
        reference = option.get("$ref")
        if reference:
            return dict(schema["$defs"][reference.rsplit("/", 1)[-1]])
    return node
