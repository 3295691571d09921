"""Tells URLs of servers from paths of folders, so that one is not taken for the other; opens neither."""

from __future__ import annotations

import re
from os import PathLike, fspath
from pathlib import Path

from aqdata.errors import Invalid

# pathlib makes one slash of two
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-f:]+\]):\d{1,5}/?", re.IGNORECASE)
_PATH = re.compile(r"[~/.\\]|[a-z]:[/\\]|file:", re.IGNORECASE)


def check_folder(folder: str | PathLike[str]) -> None:
    """Raise `Invalid` if this is the URL of a server."""
    text = fspath(folder)
    if _URL.match(text) or _HOST_AND_PORT.fullmatch(text):
        raise Invalid(
            f"{text!r} is the address of a server, not a folder: use aqdata.connect, or --url in commands",
            field="folder",
        )


def check_url(url: str | PathLike[str]) -> None:
    """Raise `Invalid` if this is the path of a folder."""
    text = fspath(url)
    is_path = not isinstance(url, str) or _PATH.match(text) is not None
    if is_path or (text and ":" not in text and Path(text).is_dir()):
        raise Invalid(
            f"{text!r} is a folder, not the URL of a server such as http://127.0.0.1:5000: use aqdata.open, "
            "or --folder in commands",
            field="url",
        )
