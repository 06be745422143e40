"""Desks from the configuration: built-in by name, or a class in one file of the user's."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trading.desks.catalogue import BUILT_IN, DeskSpec
from trading.desks.desk import Desk
from trading.errors import FixConfiguration
from trading.model.canonical import digest
from trading.reconciliation.state import FOREIGN_DESKS

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def load_desks(specs: Sequence[DeskSpec], root: Path | None = None) -> list[Desk]:
    """Build the configured desks, in the order in which the risk gate serves them.

    Parameters
    ----------
    root
        Folder that relative file paths start from; the working directory by default.

    Raises
    ------
    FixConfiguration
        If a file, module, class or setting does not exist or does not fit, or two desks share a name.
    """
    desks: list[Desk] = []
    for spec in specs:
        desk = _load(spec, root or Path.cwd())
        if desk.name in FOREIGN_DESKS:
            raise FixConfiguration(
                f"desks: {spec.use!r} is called {desk.name!r}, which is kept for fills that are not ours; rename it"
            )
        if any(other.name == desk.name for other in desks):
            raise FixConfiguration(
                f"desks: two desks are called {desk.name!r} (the second is {spec.use!r}); "
                "decision ids derive from the name, so give one of them another"
            )
        desks.append(desk)
    return desks


def _load(spec: DeskSpec, root: Path) -> Desk:
    if spec.use in BUILT_IN:
        built_in = BUILT_IN[spec.use]
        return built_in.desk(_settings(spec, built_in.settings))
    where, colon, class_name = spec.use.rpartition(":")
    if not colon:
        near = difflib.get_close_matches(spec.use, BUILT_IN, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise FixConfiguration(
            f"desk {spec.use!r}: no built-in desk has that name; {hint}Built in are {sorted(BUILT_IN)}; "
            "your own desk is written 'path/to/file.py:ClassName' or 'package.module:ClassName'"
        )
    module = _module(spec.use, where, root)
    found = getattr(module, class_name, None)
    if not inspect.isclass(found):
        own = [
            name for name, item in vars(module).items() if inspect.isclass(item) and hasattr(item, "decide")
        ]
        raise FixConfiguration(
            f"desk {spec.use!r}: {where} has no class {class_name!r}; its classes with a decide method are {own}"
        )
    return _checked(spec, _build(spec, found))


def _module(use: str, where: str, root: Path) -> ModuleType:
    if not where.endswith(".py"):
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise FixConfiguration(
                f"desk {use!r}: module {error.name!r} cannot be found; install it, or name a file ending in .py"
            ) from error
    path = (root / where).resolve()
    if not path.is_file():
        raise FixConfiguration(f"desk {use!r}: there is no file {path}; correct the path or create it")
    # Two files of one name in two folders are two modules.
    name = f"_tidemill_desk_{path.stem}_{digest(str(path))[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FixConfiguration(f"desk {use!r}: {path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise FixConfiguration(
            f"desk {use!r}: {path} fails on import with {type(error).__name__}: {error}; correct the file"
        ) from error
    return module


def _settings(spec: DeskSpec, kind: type) -> Any:
    """An instance of a dataclass from the spec's settings, with names, types and bounds checked."""
    if isinstance(spec.settings, kind):
        return spec.settings
    if not isinstance(spec.settings, Mapping):
        raise FixConfiguration(
            f"desk {spec.use!r}: settings must be a mapping of names to values, found {spec.settings!r}"
        )
    names = [item.name for item in dataclasses.fields(kind) if item.init]
    for key in spec.settings:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise FixConfiguration(f"desk {spec.use!r}: unknown setting {key!r}{hint} It has {names}")
    try:
        return TypeAdapter(kind).validate_python(dict(spec.settings))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise FixConfiguration(
            f"desk {spec.use!r}: setting {field} = {first['input']!r}: {first['msg']}"
        ) from error


def _build(spec: DeskSpec, kind: type) -> Any:
    if dataclasses.is_dataclass(kind):
        return _settings(spec, kind)
    try:
        arguments = inspect.signature(kind).bind(**spec.settings)
    except TypeError as error:
        raise FixConfiguration(
            f"desk {spec.use!r}: the settings {spec.settings!r} do not fit its constructor: {error}"
        ) from error
    return kind(*arguments.args, **arguments.kwargs)


def _checked(spec: DeskSpec, desk: Any) -> Desk:
    name = getattr(desk, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FixConfiguration(
            f"desk {spec.use!r}: its name is {name!r}; give it a 'name' of lower-case letters, digits, - and _"
        )
    if name in BUILT_IN:
        raise FixConfiguration(
            f"desk {spec.use!r}: the name {name!r} belongs to a built-in desk; choose another"
        )
    if not isinstance(getattr(desk, "configuration_hash", None), str):
        raise FixConfiguration(
            f"desk {spec.use!r}: it lacks a text 'configuration_hash'; return settings_hash(self.name, self)"
        )
    decide = getattr(desk, "decide", None)
    try:
        inspect.signature(decide).bind(None)  # type: ignore[arg-type]
    except TypeError as error:
        raise FixConfiguration(
            f"desk {spec.use!r}: it needs a method decide(self, snapshot) with that one argument; found {decide!r}"
        ) from error
    desk_checked: Desk = desk
    return desk_checked
