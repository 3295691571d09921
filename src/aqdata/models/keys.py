"""How the keys of a document are written, so that a dotted path can address each; values are in canonical.py."""

from __future__ import annotations

import re

from aqdata.errors import Invalid
from aqdata.models import tags

_SPECIAL_IN_KEY = re.compile(r'[.$%"\\\x00-\x1f]')
_ESCAPE = re.compile(r"%([0-7][0-9A-F])")


def escape_key(key: str) -> str:
    """The key as it is written, so that a dotted path can address it."""
    if not key:
        return "%"
    if key in tags.READERS:
        return "%5F" + key[1:]
    return _SPECIAL_IN_KEY.sub(lambda match: f"%{ord(match[0]):02X}", key)


def unescape_key(key: str, field: str = "") -> str:
    """The key that `escape_key` was given.

    Raises:
        Invalid: it never writes this.
    """
    if "%" not in key:
        return key
    plain = "" if key == "%" else _ESCAPE.sub(lambda match: chr(int(match[1], 16)), key)
    # an escape that escape_key doesn't write would let two texts stand for one key
    if escape_key(plain) != key:
        message = f"the key {key!r} is not escaped as keys are: if that is the key itself, write {escape_key(key)!r}"
        raise Invalid(message, field=join(field, key))
    return plain


def join(field: str, key: object) -> str:
    """The dotted path of a key below a field."""
    return f"{field}.{key}" if field else str(key)


def check_text(text: str, field: str) -> str:
    """The text, if UTF-8 can hold it.

    Raises:
        Invalid: it has a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"the text has a lone surrogate at {error.start}, which is no character"
        raise Invalid(message, field=field or None) from None
    return text
