"""The tagged objects of canonical JSON, for values that JSON lacks; the walk over a document is in canonical.py."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aqdata.errors import Invalid

FLOAT = "__float__"
COMPLEX = "__complex__"
INT = "__int__"
DATE = "__date__"

_NAN_BITS = 0x7FF8000000000000
_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NAN_TEXT = re.compile(r"0x[7f]ff[0-9a-f]{13}")
_INT_TEXT = re.compile(r"-?[1-9][0-9]{18,}")
_DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def float_tag(value: float) -> dict[str, str]:
    """The tag of NaN (with its payload, if it is not the usual one) or an infinity."""
    if math.isinf(value):
        return {FLOAT: "Infinity" if value > 0 else "-Infinity"}
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    return {FLOAT: "NaN" if bits == _NAN_BITS else f"0x{bits:016x}"}


def complex_tag(value: complex) -> dict[str, Any]:
    """The tag of a complex number, its parts as floats."""
    parts = {"re": value.real, "im": value.imag}
    return {COMPLEX: {key: part if math.isfinite(part) else float_tag(part) for key, part in parts.items()}}


def int_tag(value: int, field: str) -> dict[str, str]:
    """The tag of an integer beyond int64."""
    try:
        return {INT: str(value)}
    except ValueError:
        raise Invalid("the integer has more digits than Python writes: store it as an array", field=field) from None


def _read_float(text: Any, field: str) -> float:
    if isinstance(text, str):
        if text in _NAMED:
            return _NAMED[text]
        if _NAN_TEXT.fullmatch(text):
            (value,) = struct.unpack(">d", struct.pack(">Q", int(text, 16)))
            if math.isnan(value) and float_tag(value)[FLOAT] == text:
                return float(value)
    raise _malformed(FLOAT, '"NaN", "Infinity", "-Infinity" or other NaN bits such as "0x7ff8000000000001"', field)


def _read_complex(parts: Any, field: str) -> complex:
    if isinstance(parts, dict) and parts.keys() == {"re", "im"}:
        real, imaginary = parts["re"], parts["im"]
        if type(real) in (float, int) and type(imaginary) in (float, int):
            return complex(real, imaginary)
    raise _malformed(COMPLEX, '{"re": number, "im": number}', field)


def _read_int(text: Any, field: str) -> int:
    if isinstance(text, str) and _INT_TEXT.fullmatch(text):
        try:
            value = int(text)
        except ValueError:
            raise Invalid("the integer has more digits than Python reads", field=field or None) from None
        if not -(2**63) <= value < 2**63:
            return value
    raise _malformed(INT, "a text of digits, beyond int64 (others are plain numbers)", field)


def _read_date(text: Any, field: str) -> datetime:
    if isinstance(text, str) and _DATE_TEXT.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
    raise _malformed(DATE, "a date in UTC such as 2026-11-22T10:07:00.123456Z", field)


def _malformed(tag: str, form: str, field: str) -> Invalid:
    return Invalid(f"{tag} takes {form}", field=field or None)


READERS: dict[str, Callable[[Any, str], Any]] = {
    FLOAT: _read_float,
    COMPLEX: _read_complex,
    INT: _read_int,
    DATE: _read_date,
}
"""What reads the value of each reserved key, by key."""
