"""Tables of settings as frozen dataclasses: fields with limits, read from TOML, environment variables and options."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

Table = TypeVar("Table")


class SettingsError(ValueError):
    """A setting is wrong; the message names the place, the key and the known keys."""


def limited(default: Any, minimum: float, maximum: float) -> Any:
    """A number from `minimum` to `maximum`, both allowed."""
    return field(default=default, metadata={"range": (minimum, maximum)})


def chosen(default: str, *choices: str) -> Any:
    """One of these words."""
    return field(default=default, metadata={"choices": choices})


def read_toml(path: Path) -> dict[str, Any]:
    """The document of a TOML file; SettingsError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the settings file cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML ({error}); see the README for an example") from error


def require_known(found: Iterable[str], known: Iterable[str], where: str) -> None:
    """SettingsError at the first key that is not known, with the nearest one that is."""
    names = list(known)
    for key in found:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            meant = f" did you mean {near[0]!r}?" if near else ""
            raise SettingsError(f"{where}: unknown key {key!r};{meant} known keys: {', '.join(names)}")


def with_values(table: Table, values: Mapping[str, Any], where: str) -> Table:
    """The same table with checked values; SettingsError names `where` and the key."""
    keys = [key.name for key in dataclasses.fields(table)]  # type: ignore[arg-type]
    require_known(values, keys, where)
    checked = {key: _checked(type(table), key, value, f"{where} {key}") for key, value in values.items()}
    return dataclasses.replace(table, **checked)  # type: ignore[type-var]


def with_environment(table: Table, name: str, environment: Mapping[str, str]) -> Table:
    """The same table with the values of its `FOUNDRY_<NAME>_<KEY>` variables."""
    checked = {}
    for key in dataclasses.fields(table):  # type: ignore[arg-type]
        variable = f"FOUNDRY_{name}_{key.name}".upper()
        if variable in environment:
            checked[key.name] = _checked(type(table), key.name, parsed(environment[variable]), variable)
    return dataclasses.replace(table, **checked)  # type: ignore[type-var]


def parsed(text: str) -> Any:
    """A value as in TOML; what is none is a bare word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _checked(table: type, key: str, value: Any, where: str) -> Any:
    kind = get_type_hints(table)[key]
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if str(kind).startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f"{where}: expected a list of texts, found {value!r}")
        return tuple(value)
    if float in kinds and type(value) is int:
        value = float(value)
    if type(value) not in kinds:
        names = " or ".join(one.__name__ for one in kinds)
        raise SettingsError(f"{where}: expected {names}, found {value!r}")
    return _within(table, key, value, where)


def _within(table: type, key: str, value: Any, where: str) -> Any:
    metadata = table.__dataclass_fields__[key].metadata  # type: ignore[attr-defined]
    if "range" in metadata and not metadata["range"][0] <= value <= metadata["range"][1]:
        low, high = metadata["range"]
        raise SettingsError(f"{where}: expected a value from {low} to {high}, found {value!r}")
    if "choices" in metadata and value not in metadata["choices"]:
        raise SettingsError(f"{where}: expected one of {', '.join(metadata['choices'])}, found {value!r}")
    return value
