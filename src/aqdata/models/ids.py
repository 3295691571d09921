"""Ids of DataFiles: UUIDs of version 7 (RFC 9562), made by the client."""

from __future__ import annotations

import os
import time
import uuid

from aqdata.errors import Invalid


def new_id() -> str:
    """A new id: text that sorts by time, to a quarter of a microsecond."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    # RFC 9562, 6.2, method 3: the 12 bits after the milliseconds hold a fraction of them
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & (2**62 - 1)
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random
    return str(uuid.UUID(int=value))


def check_id(text: object, field: str = "id") -> str:
    """The id in lower case.

    Raises:
        Invalid: it is not the text of a UUID.
    """
    if isinstance(text, str) and len(text) == 36:
        try:
            plain = str(uuid.UUID(text))
        except ValueError:
            plain = ""
        if plain == text.lower():
            return plain
    raise Invalid(f"{text!r} is no id: a UUID such as 0193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3a", field=field)
