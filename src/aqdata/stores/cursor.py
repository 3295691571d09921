"""The cursor of a listing by date and id, the same for every metadata store; no queries."""

from __future__ import annotations

import base64
import binascii
import re

from aqdata.errors import Invalid

_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII)


def write_cursor(date: str, file_id: str) -> str:
    """A text for URLs that says after which record the next page begins."""
    return base64.urlsafe_b64encode(f"{date} {file_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """The date and id in a cursor.

    Raises:
        Invalid: it was not written by `write_cursor`.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    place = _PLACE.fullmatch(text)
    if place is None:
        raise Invalid(
            "this cursor is not one that a listing returned: leave it out to begin at the front", field="cursor"
        )
    return place[1], place[2]
