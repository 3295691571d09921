"""What DataSets and attached files may be called; nothing of where they are stored."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from aqdata.errors import Invalid

MAX_CHARACTERS = 128
# a name is a folder of the array store, and file systems count bytes
MAX_BYTES = 240


def check_name(name: object, what: str, field: str | None = None) -> str:
    """The name if it is allowed: 1–128 characters (240 bytes of UTF-8), no slash or backslash, no
    control characters, not `.` or `..`, not `zarr.json`, no `__` or `.aqdata-` in front.

    Raises:
        Invalid: it is not; the message says why.
    """
    field = field or what
    if not isinstance(name, str):
        raise Invalid(f"the name of a {what} is a text, not {type(name).__name__}", field=field)
    if not name:
        raise Invalid(f"the name of a {what} can't be empty", field=field)
    if len(name) > MAX_CHARACTERS:
        raise Invalid(f"the name of a {what} has {len(name)} characters; at most {MAX_CHARACTERS}", field=field)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise Invalid(f"the name {name!r} has control characters", field=field)
    if "\ufffd" in name:
        raise Invalid(f"the name {name!r} was not UTF-8", field=field)
    if len(name.encode()) > MAX_BYTES:
        raise Invalid(f"the name {name!r} has {len(name.encode())} bytes of UTF-8; at most {MAX_BYTES}", field=field)
    if "/" in name or "\\" in name or name in (".", ".."):
        raise Invalid(f"the name {name!r} is a path; a {what} has a plain name", field=field)
    # the second prefix is that of blobs which are being written
    if name.startswith(("__", ".aqdata-")) or name.casefold() == "zarr.json":
        raise Invalid(f"the name {name!r} is reserved", field=field)
    return name


def check_distinct(names: Iterable[str], what: str) -> None:
    """Raise `Invalid` if two names differ in nothing but case or Unicode form: some disks can't tell them apart."""
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise Invalid(f"{seen[key]!r} and {name!r} differ in nothing but case: rename one", field=what)
        seen[key] = name
