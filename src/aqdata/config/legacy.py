"""The keys `cls`, `args` and `access` of older configuration files, and what they mean today."""

from __future__ import annotations

from typing import Any

from aqdata.errors import ConfigError

_CLASSES = {"gcs": "gcs", "memory": "memory", "local": "file", "s3": "s3"}
_ARGUMENTS = ("path", "project", "token", "endpoint_url", "timeout")


def modernise(block: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The `data_backend` of a file without older keys, and a line on each that was there.

    Raises:
        ConfigError: a key asks for what there is not; its field is the key.
    """
    block = dict(block)
    notes = []
    if "cls" in block:
        notes.append(_class(block, block.pop("cls")))
    if "args" in block:
        notes += _arguments(block, block.pop("args"))
    if "access" in block:
        notes.append(_access(block.pop("access")))
    return block, notes


def _class(block: dict[str, Any], name: object) -> str:
    if "protocol" in block:
        return f"data_backend.cls: not used, protocol {block['protocol']} says it"
    plain = str(name).rpartition(".")[2].casefold()
    for word, protocol in _CLASSES.items():
        if word in plain:
            block["protocol"] = protocol
            return f"data_backend.cls: {name} is now protocol {protocol}"
    raise ConfigError(f"{name} is not known; write protocol: file, memory, gcs or s3 instead", field="data_backend.cls")


def _arguments(block: dict[str, Any], arguments: object) -> list[str]:
    if not arguments:
        return ["data_backend.args: not used"]
    if not isinstance(arguments, dict):
        raise ConfigError(
            f"values without names can't be understood; use the keys {', '.join(_ARGUMENTS)}", field="data_backend.args"
        )
    notes = []
    for key, value in arguments.items():
        if key in _ARGUMENTS:
            block.setdefault(key, value)
            notes.append(f"data_backend.args.{key}: is now data_backend.{key}")
        else:
            notes.append(f"data_backend.args.{key}: not used")
    return notes


def _access(access: object) -> str:
    if access in (None, "read_write", "full_control"):
        return "data_backend.access: not used, the server reads and writes"
    raise ConfigError(f"{access!r}: the server always reads and writes; remove the key", field="data_backend.access")
