"""Finds the values of the configuration, in a file, the environment and the command line, and says where from."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from aqdata.config.legacy import modernise
from aqdata.config.model import Config, DataBackend, MetadataBackend, Server, hide
from aqdata.errors import ConfigError

CONFIG_FILE = "~/.aq_config/data_server.json"
DEFAULT = "default"
COMMAND_LINE = "command line"

BLOCKS: dict[str, type[BaseModel]] = {
    "data_backend": DataBackend,
    "metadata_backend": MetadataBackend,
    "server": Server,
}
KEYS = {f"{name}.{key}": field for name, block in BLOCKS.items() for key, field in block.model_fields.items()}
VARIABLES = {f"AQDATA_{key.replace('.', '_').upper()}": key for key in KEYS}
OTHER_VARIABLES = ("AQDATA_CONFIG", "AQDATA_URL")
_SECRET = ("data_backend.token", "metadata_backend.url", "data_backend.endpoint_url")


@dataclass(frozen=True)
class Loaded:
    """A configuration, the source of every value by dotted key, and what the reader should know about it."""

    config: Config
    sources: Mapping[str, str]
    notes: tuple[str, ...]
    file: Path | None

    def client_url(self, *, named: bool) -> tuple[str, str]:
        """The server that commands talk to, without a password, and what says so; `named`: --config chose the file."""
        url = None if named else os.environ.get("AQDATA_URL")
        return (str(hide(url)), "AQDATA_URL") if url else (self.config.server.url, "server.host and server.port")

    def check(self) -> None:
        """Raise `ConfigError` if a server can't start so, with the source of the value at fault."""
        try:
            self.config.check_available()
            self.config.check_binding()
        except ConfigError as error:
            raise ConfigError(f"{error.detail} (from {self.sources[str(error.field)]})", field=error.field) from error


def load(path: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """The configuration in force: overrides (by dotted key), then the environment, then the file, then defaults.

    The file is `path`, or the one AQDATA_CONFIG names, or `~/.aq_config/data_server.json` if there is one.

    Raises:
        ConfigError: a value or the file is wrong, in one line with the key and what to do.
    """
    file = _find(path)
    found, notes = _from_file(file) if file else ({}, [])
    values = {key: (value, str(file)) for key, value in found.items()}
    values |= {key: (value, variable) for variable, key, value in _from_environment()}
    values |= {key: (value, COMMAND_LINE) for key, value in (overrides or {}).items()}
    config = _validate(values, file)
    sources = {key: values[key][1] if key in values else DEFAULT for key in KEYS}
    return Loaded(config, sources, tuple(notes), file)


def server_url() -> str:
    """The server to talk to when nobody names one: AQDATA_URL, or where the configuration puts it."""
    return os.environ.get("AQDATA_URL") or load().config.server.url


def _find(path: str | Path | None) -> Path | None:
    named = path or os.environ.get("AQDATA_CONFIG")
    try:
        file = Path(named or CONFIG_FILE).expanduser().absolute()
        return file if named or file.exists() else None
    except RuntimeError as error:
        if named:
            raise ConfigError(f"{named}: there is no such home directory: write the whole path") from error
        return None


def _from_file(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The values of a file by dotted key, and notes on older ones."""
    try:
        # with -sig, for Windows editors write a byte order mark
        content = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: must hold one object, {{…}}")
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, block in content.items():
        if name not in BLOCKS:
            raise ConfigError(f"unknown key in {file}{_nearest(name, BLOCKS)}", field=name)
        if not isinstance(block, dict):
            raise ConfigError(f"must hold an object, {{…}} (in {file})", field=name)
        if name == "data_backend":
            try:
                block, notes = modernise(block)
            except ConfigError as error:
                raise ConfigError(f"{error.detail} (in {file})", field=error.field) from error
        for key, value in block.items():
            dotted = f"{name}.{key}"
            if dotted not in KEYS:
                near = _nearest(key, BLOCKS[name].model_fields)
                raise ConfigError(f"unknown key in {file}{near}", field=dotted)
            values[dotted] = value
    return values, [f"{note} (in {file})" for note in notes]


def _from_environment() -> list[tuple[str, str, Any]]:
    """Variable, key and value of what the environment sets; an empty variable sets nothing."""
    found: list[tuple[str, str, Any]] = []
    for variable, text in os.environ.items():
        if variable.startswith("AQDATA_") and not variable.startswith("AQDATA_TEST_") and text:
            if variable in VARIABLES:
                key = VARIABLES[variable]
                value = [item.strip() for item in text.split(",")] if key == "server.allowed_hosts" else text
                found.append((variable, key, value))
            elif variable not in OTHER_VARIABLES:
                near = _nearest(variable, (*VARIABLES, *OTHER_VARIABLES))
                raise ConfigError(f"unknown environment variable{near}", field=variable)
    return found


def _validate(values: Mapping[str, tuple[Any, str]], file: Path | None) -> Config:
    nested: dict[str, dict[str, Any]] = {}
    for key, (value, _) in values.items():
        block, _, name = key.partition(".")
        nested.setdefault(block, {})[name] = value
    bases = {key: file.parent for key, (_, source) in values.items() if file and source == str(file)}
    try:
        return Config.model_validate(nested, context=bases)
    except ValidationError as error:
        raise _explain(error, values) from error


def _explain(error: ValidationError, values: Mapping[str, tuple[Any, str]]) -> ConfigError:
    """The first thing that is wrong, in one line."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"][:2])
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if key not in values:
        return ConfigError(message, field=key or None)
    value, source = values[key]
    given = "" if key in _SECRET else f", not {value!r}"
    return ConfigError(f"{message}{given} (from {source})", field=key)


def _nearest(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
