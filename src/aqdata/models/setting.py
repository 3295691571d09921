"""A Setting: one configured value with its unit and dtype; which instrument it belongs to is in instrument.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
from pydantic import model_validator

from aqdata.errors import Invalid
from aqdata.models.canonical import to_json_value
from aqdata.models.part import Part, Text, short

_NAMES: dict[type, str] = {float: "float", int: "int", bool: "bool", str: "str", complex: "complex", type(None): "none"}
_DTYPE = re.compile(r"list|(float|int|bool|str|complex|enum|none)|list\[(float|int|bool|str|complex|enum|none)\]")
_KNOWN = "float, int, bool, str, complex, enum, none, list, or list[…] of one of these"
_WIDTH = ("int", "float", "complex")


class Setting(Part):
    """A value that was configured: a number, bool, text, complex number, None, or (nested) lists of these.

    The dtype is inferred when it is not given: float, int, bool, str, complex, enum, none; `list[float]` and so on for
    lists, `list` for mixed ones. An enum is stored as the name of its member, and `options` lists all names.
    A value of None fits every dtype: the setting has no value.
    """

    value: Any
    unit: Text | None = None
    dtype: Text | None = None
    options: list[Text] | None = None

    def __init__(self, value: Any, unit: str | None = None, dtype: str | None = None, options: Any = None) -> None:
        self._fill({"value": value, "unit": unit, "dtype": dtype, "options": options})

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; a new value has to fit the dtype, unless that is none or the value brings options of its own."""
        fields = {**self.__dict__, name: value}
        if name == "value" and (self.dtype == "none" or isinstance(value, Enum)):
            fields |= {"dtype": None, "options": None}
        fresh = type(self).from_document(fields)
        self.__dict__.update(fresh.__dict__)

    def to_document(self, field: str = "") -> dict[str, Any]:
        document = {"value": self.value}
        if self.unit is not None:
            document["unit"] = self.unit
        document["dtype"] = self.dtype
        if self.options is not None:
            document["options"] = self.options
        return document

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        if type(data) is dict:
            if "value" not in data:
                keys = ", ".join(map(repr, list(data)[:5])) or "nothing"
                raise Invalid(f'a setting is a value or {{"value": …, "unit": …}}; this dict holds {keys}')
            dtype = data.get("dtype")
            # what comes from a store: the hot loop
            if dtype is not None and _NAMES.get(type(data["value"])) == dtype and data.get("options") is None:
                return data
            return _completed(data)
        return data if isinstance(data, Setting) else _completed({"value": data})


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    dtype, options = data.get("dtype"), data.get("options")
    if dtype is not None and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        raise Invalid(f"unknown dtype {dtype!r}; one of {_KNOWN}", field="dtype")
    members: set[type[Enum]] = set()
    value = _python(data["value"], members)
    if members:
        options, dtype = _options_of(members, options), dtype or _enum_dtype(value)
    elif options is not None:
        options = _texts(options)
        dtype = dtype or _enum_dtype(value)
    if dtype is None:
        value, dtype = _inferred(value)
    else:
        value = _fitted(value, dtype)
    if options is not None:
        _check_options(value, dtype, options)
    return {**data, "value": value, "dtype": dtype, "options": options}


def _python(value: Any, members: set[type[Enum]]) -> Any:
    """The value in Python's own types; the Enum classes met are collected."""
    if type(value) in _NAMES:
        return value
    if isinstance(value, Enum):
        members.add(type(value))
        return value.name
    if isinstance(value, list | tuple):
        return [_python(item, members) for item in value]
    if isinstance(value, str | int | float | complex | np.generic | np.ndarray):
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return _python(value.tolist(), members)
        try:
            to_json_value(value)
        except Invalid as error:
            raise Invalid(error.detail, field="value") from None
        return _plain(value)
    message = f"a setting's value is a number, bool, text, complex, None or a list of these, not {type(value).__name__}"
    raise Invalid(f"{message}{': write it as one setting each' if isinstance(value, dict) else ''}", field="value")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    # a subclass, such as numpy's float64
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return complex(value)


def _inferred(value: Any) -> tuple[Any, str]:
    if not isinstance(value, list):
        return value, _NAMES[type(value)]
    names = {_NAMES[kind] for kind in _kinds(value)}
    if len(names) == 1:
        return value, f"list[{names.pop()}]"
    if names and names <= set(_WIDTH):
        widest = max(names, key=_WIDTH.index)
        wide = _convert(value, widest)
        if wide is not None:
            return wide, f"list[{widest}]"
    return value, "list"


def _kinds(values: list[Any]) -> set[type]:
    kinds = set(map(type, values))
    if list in kinds:
        kinds.discard(list)
        kinds.update(*(_kinds(item) for item in values if type(item) is list))
    return kinds


def _convert(value: Any, name: str) -> Any:
    """The value, or each of a list, as this wider type; None if one changes by it."""
    if isinstance(value, list):
        items = [_convert(item, name) for item in value]
        return None if any(item is None for item in items) else items
    kind = complex if name == "complex" else float
    if type(value) is kind:
        return value
    try:
        wide = kind(value)
    except OverflowError:
        return None
    return wide if wide == value or value != value else None


def _fitted(value: Any, dtype: str) -> Any:
    if value is None or dtype == "list":
        if value is None or isinstance(value, list):
            return value
        raise Invalid(f"dtype list needs a list, not {short(value)}", field="value")
    leaf = dtype.removeprefix("list[").removesuffix("]")
    if isinstance(value, list) != dtype.startswith("list["):
        raise Invalid(f"{short(value)} does not fit dtype {dtype}", field="value")
    names = {_NAMES[kind] for kind in _kinds(value if isinstance(value, list) else [value])}
    if names <= {"str" if leaf == "enum" else leaf}:
        return value
    if leaf in _WIDTH and names <= set(_WIDTH[: _WIDTH.index(leaf) + 1]):
        wide = _convert(value, leaf)
        if wide is not None:
            return wide
    raise Invalid(f"{short(value)} does not fit dtype {dtype}", field="value")


def _enum_dtype(value: Any) -> str:
    return "list[enum]" if isinstance(value, list) else "enum"


def _options_of(members: set[type[Enum]], options: Any) -> list[str]:
    names = list(dict.fromkeys(member.name for kind in members for member in kind))
    if len(members) > 1 or (options is not None and _texts(options) != names):
        raise Invalid("the options are the names of the one Enum that the value is of", field="options")
    return names


def _texts(options: Any) -> list[str]:
    if isinstance(options, type) and issubclass(options, Enum):
        return [member.name for member in options]
    if isinstance(options, Iterable) and not isinstance(options, str):
        texts = list(options)
        if texts and all(isinstance(text, str) for text in texts) and len(set(texts)) == len(texts):
            return [str(text) for text in texts]
    raise Invalid("options is a list of different texts, one for each choice", field="options")


def _check_options(value: Any, dtype: str, options: list[str]) -> None:
    if dtype not in ("enum", "list[enum]"):
        raise Invalid(f"only an enum has options; this has dtype {dtype}", field="options")
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            _check_options(item, dtype, options)
        elif item is not None and item not in options:
            raise Invalid(f"{item!r} is none of the options {', '.join(options)}", field="value")
