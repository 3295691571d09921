"""Canonical JSON: the one encoding of a document, everywhere; what a document holds is not decided here.

docs/decisions/001-canonical-json.md says why it is so. Keys keep their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import Any, NoReturn

import numpy as np

from aqdata.errors import Invalid
from aqdata.models import tags
from aqdata.models.keys import check_text, escape_key, join, unescape_key

# MongoDB takes 100 levels; the DataFile and the search need some of them
MAX_DEPTH = 90

_INT64 = range(-(2**63), 2**63)
_CONTAINERS = frozenset({dict, list, tuple})
_QUICK_NESTED = frozenset({dict, list, str})
_SCALARS = frozenset({float, int, bool, type(None)})

# not pydantic_core.to_json: its text of a float changed between releases
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def encode(value: Any, field: str = "") -> bytes:
    """Canonical JSON of a value made of what `decode` gives, tuples, mappings, numpy scalars and numeric arrays.

    Raises:
        Invalid: anything else; its `field` is the path of the wrong value, below the given one.
    """
    tree = to_json_value(value, field)
    try:
        return write_tree(tree)
    except UnicodeEncodeError:
        # only the fast path of to_json_value lets a text with a lone surrogate through
        _Encoder().value(tree, field, 0)
        raise


def decode(data: bytes | bytearray | memoryview | str) -> Any:
    """The value of canonical JSON, or of any JSON whose objects don't use the reserved keys otherwise.

    Raises:
        Invalid: it is no JSON, repeats a key, or has a malformed tag or escape.
    """
    text, tree = _parse(data)
    if is_tagless(text):
        return tree
    try:
        return from_json_value(tree)
    except RecursionError:
        raise Invalid(f"this JSON is nested deeper than {MAX_DEPTH} levels") from None


def is_tagless(text: str) -> bool:
    """Whether `from_json_value` surely changes nothing in the tree of this JSON: a quick look that spares the walk."""
    # a key that is escaped by JSON itself hides from the search, so \\u takes the walk too
    return '"__' not in text and "%" not in text and "\\u" not in text


def read_tree(data: bytes | bytearray | memoryview | str) -> Any:
    """The tree of canonical JSON, its tags and escaped keys as they are: `from_json_value` reads them.

    Raises:
        Invalid: it is no JSON, or repeats a key.
    """
    return _parse(data)[1]


def write_tree(tree: Any) -> bytes:
    """The canonical JSON of a tree that `to_json_value` or `read_tree` gave; it is not checked."""
    return _WRITER.encode(tree).encode()


def to_json_value(value: Any, field: str = "") -> Any:
    """The tree of dicts, lists, texts, numbers and None that `encode` writes; it may share parts with the value.

    Raises:
        Invalid: as `encode`.
    """
    try:
        return _quick(value, 0)
    except _NotQuickError:
        return _Encoder().value(value, field, 0)


def from_json_value(tree: Any, field: str = "") -> Any:
    """What `to_json_value` was given, from its tree.

    Raises:
        Invalid: a malformed tag or escape.
    """
    try:
        return _quick_read(tree)
    except Invalid:
        return _read(tree, field)


def _read(tree: Any, field: str) -> Any:
    """What `_quick_read` gives, with the path of what is wrong."""
    if type(tree) is dict:
        if len(tree) == 1:
            ((key, item),) = tree.items()
            if key in tags.READERS:
                return tags.READERS[key](_read(item, field), field)
        return _read_object(tree, field)
    if type(tree) is list:
        return [item if type(item) in _SCALARS else _read(item, join(field, index)) for index, item in enumerate(tree)]
    if type(tree) is str and not tree.isascii():
        check_text(tree, field)
    return tree


def utc_text(date: datetime) -> str:
    """The date as fixed-width UTC, such as 2026-11-22T10:07:00.123456Z; a naive one is local time.

    Raises:
        Invalid: in UTC it falls out of the years 1 to 9999.
    """
    try:
        return date.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    except (OverflowError, ValueError, OSError):
        # OSError, ValueError: the platform can't tell the local time of that year
        raise Invalid(f"the date {date} can't be written in UTC: give it a time zone and a year in 1 … 9999") from None


def _read_object(tree: dict[str, Any], field: str) -> dict[str, Any]:
    value = {}
    for raw, item in tree.items():
        key = check_text(unescape_key(raw, field), field)
        if raw in tags.READERS:
            raise Invalid(f"{raw} stands alone in its object: write a key of this name as %5F{raw[1:]}", field=field)
        value[key] = item if type(item) in _SCALARS else _read(item, join(field, raw))
    if len(value) < len(tree):
        raise Invalid("a key is there twice in one object, once escaped", field=field or None)
    return value


def _parse(data: bytes | bytearray | memoryview | str) -> tuple[str, Any]:
    try:
        text = data if isinstance(data, str) else str(data, "utf-8")
        return text, _READER.decode(text)
    except json.JSONDecodeError as error:
        raise Invalid(f"this is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"this is no JSON: byte {error.start} is no UTF-8") from None
    except RecursionError:
        raise Invalid(f"this JSON is nested deeper than {MAX_DEPTH} levels") from None
    except Invalid:
        raise
    except ValueError as error:
        # Python limits the digits of an integer
        raise Invalid(f"this JSON can't be read: {error}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise Invalid(f"the key {double!r} is there twice in one object", field=double)
    return tree


def _refuse_constant(name: str) -> NoReturn:
    raise Invalid(f'{name} is no JSON: write {{"__float__": "{name}"}}')


_READER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_constant)


def _is_finite(value: Any) -> bool:
    kind = type(value)
    return kind is bool or (kind is float and isfinite(value)) or (kind is str and value.isascii())


class _NotQuickError(Exception):
    """There is something that `_quick` leaves to `_Encoder`."""


def _quick(value: Any, depth: int) -> Any:
    """The tree of a value that has nothing but the usual types: the common case, and the hot loop."""
    kind = type(value)
    if kind is dict:
        if depth >= MAX_DEPTH:
            raise _NotQuickError
        tree = {}
        for key, item in value.items():
            kind = type(item)
            if not (kind is str or item is None or (kind is float and isfinite(item))):
                item = _quick(item, depth + 1)
            # None for what is no text, so that 1 and True are not looked up as the same key
            tree[_quick_key(key if type(key) is str else None)] = item
        return tree
    if kind is list or kind is tuple:
        if depth >= MAX_DEPTH:
            raise _NotQuickError
        return [
            item if type(item) is str or (type(item) is float and isfinite(item)) else _quick(item, depth + 1)
            for item in value
        ]
    if kind is float:
        return value if isfinite(value) else tags.float_tag(value)
    if kind is str or kind is bool or value is None or (kind is int and value in _INT64):
        return value
    if kind is complex:
        return tags.complex_tag(value)
    raise _NotQuickError


# documents repeat their keys: names of fields, settings, parts
@lru_cache(maxsize=4096)
def _quick_key(key: str | None) -> str:
    if key is None:
        raise _NotQuickError
    return escape_key(key)


def _quick_read(tree: Any) -> Any:
    """The value of a tree; its errors don't say where."""
    kind = type(tree)
    if kind is dict:
        if len(tree) == 1:
            ((key, item),) = tree.items()
            if key in tags.READERS:
                return tags.READERS[key](_quick_read(item), "")
        value = {}
        for key, item in tree.items():
            kind = type(item)
            if kind is dict or kind is list or (kind is str and not item.isascii()):
                item = _quick_read(item)
            value[_quick_unescape(key)] = item
        if len(value) < len(tree):
            raise Invalid("a key is there twice in one object, once escaped")
        return value
    if kind is list:
        return [_quick_read(item) if type(item) in _QUICK_NESTED else item for item in tree]
    return check_text(tree, "") if kind is str else tree


@lru_cache(maxsize=4096)
def _quick_unescape(raw: str) -> str:
    if raw in tags.READERS:
        raise Invalid(f"{raw} stands alone in its object")
    return check_text(unescape_key(raw), "")


def _escaped(key: object, field: str) -> str:
    if not isinstance(key, str) or isinstance(key, Enum):
        raise Invalid(f"the key {key!r} is no text: keys are texts", field=field or None)
    return escape_key(check_text(str(key), field))


class _Encoder:
    """The walk for values that JSON can't hold as they are."""

    def value(self, value: Any, field: str, depth: int) -> Any:
        if type(value) in _CONTAINERS or isinstance(value, Mapping | list | tuple):
            if depth >= MAX_DEPTH:
                raise Invalid(f"nested deeper than {MAX_DEPTH} levels, or holds itself", field=field or None)
            return self.container(value, field, depth + 1)
        if value is None or isinstance(value, bool | np.bool_):
            return None if value is None else bool(value)
        if isinstance(value, Enum):
            raise Invalid(f"{value!r} is an Enum: write its .name or its .value", field=field or None)
        if isinstance(value, str):
            return check_text(str(value), field)
        return self.number(value, field, depth)

    def container(self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], field: str, depth: int) -> Any:
        if isinstance(value, list | tuple):
            return [
                item if _is_finite(item) else self.value(item, join(field, index), depth)
                for index, item in enumerate(value)
            ]
        tree = {}
        for key, item in value.items():
            escaped = key
            if type(key) is not str or not key.isidentifier() or key[:2] == "__":
                escaped = _escaped(key, field)
            tree[escaped] = item if _is_finite(item) else self.value(item, join(field, escaped), depth)
        return tree

    def number(self, value: Any, field: str, depth: int) -> Any:
        if isinstance(value, int) or (isinstance(value, np.generic) and value.dtype.kind in "iu"):
            value = int(value)
            return value if value in _INT64 else tags.int_tag(value, field)
        if isinstance(value, np.longdouble | np.clongdouble):
            message = f"{value!r} is a long double, which differs between machines: use float() or complex()"
            raise Invalid(message, field=field or None)
        if isinstance(value, float | np.floating):
            value = float(value)
            return value if isfinite(value) else tags.float_tag(value)
        if isinstance(value, complex | np.complexfloating):
            return tags.complex_tag(complex(value))
        if isinstance(value, datetime):
            return self.date(value, field)
        if isinstance(value, np.ndarray):
            return self.array(value, field, depth)
        raise Invalid(f"{type(value).__name__} can't be written as JSON: {_hint(value)}", field=field or None)

    def date(self, value: datetime, field: str) -> Any:
        # pandas' NaT is a datetime
        if getattr(value, "nanosecond", 0) or value != value:
            raise Invalid(f"{value!r} is no date of whole microseconds", field=field or None)
        try:
            return {tags.DATE: utc_text(value)}
        except Invalid as error:
            raise Invalid(error.detail, field=field or None) from None

    def array(self, value: np.ndarray, field: str, depth: int) -> Any:
        if value.dtype.kind not in "biufcUT" or value.dtype.char in "gG" or isinstance(value, np.ma.MaskedArray):
            kind = "masked" if isinstance(value, np.ma.MaskedArray) else value.dtype
            raise Invalid(f"a {kind} array can't be written as JSON: make it a DataSet", field=field or None)
        return self.value(value.tolist(), field, depth)


def _hint(value: object) -> str:
    if isinstance(value, set | frozenset):
        return "use sorted(…)"
    if isinstance(value, bytes | bytearray | memoryview):
        return "decode it to a text, or attach it as a file"
    if isinstance(value, np.datetime64 | np.timedelta64):
        return "use a datetime with a time zone, or seconds as a float"
    return "use texts, numbers, bools, None, datetimes, lists and dicts"
