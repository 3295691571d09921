"""Saving arrays on a running server, and reading its octet-streams; for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from live_server import Answer, LiveServer
from packs import make_pack

from aqdata.wire.strings import decode_strings

RAW, NPY, JSON, CSV = "application/octet-stream", "application/x-npy", "application/json", "text/csv"
KINDS = ("server", "directory_server")


def save(server: LiveServer, arrays: dict[str, Any], **options: Any) -> str:
    answer = server.post_pack(make_pack(arrays, **options))
    assert answer.status == 201, answer.content
    file_id: str = answer.json["id"]
    return file_id


def from_raw(answer: Answer) -> np.ndarray[Any, Any]:
    """The array that an octet-stream and its headers say."""
    assert answer.status == 200, answer.content
    assert answer.media_type == RAW
    name, order = answer.headers["X-Aqdata-Dtype"], answer.headers["X-Aqdata-Order"]
    shape = tuple(map(int, filter(None, answer.headers["X-Aqdata-Shape"].split(","))))
    if name == "str":
        return decode_strings(answer.content).reshape(shape)
    assert answer.headers["Content-Length"] == str(len(answer.content))
    dtype = np.dtype(name).newbyteorder("<")
    return np.frombuffer(answer.content, dtype).reshape(shape, order=order)
