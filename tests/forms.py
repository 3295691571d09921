"""Bodies of multipart/form-data, as curl writes them."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from live_server import API, Answer, LiveServer

BOUNDARY = "------------------------d74496d66958873e"
FORM = f"multipart/form-data; boundary={BOUNDARY}"

Part = tuple[str, bytes]


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), **options)
    return stream.getvalue()


def metadata(**fields: Any) -> Part:
    return "metadata", json.dumps({"name": "rabi", **fields}).encode()


def form_of(*parts: Part) -> bytes:
    body = b""
    for name, content in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n'
        body += head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def post_form(server: LiveServer, *parts: Part) -> Answer:
    return server.request("POST", API, form_of(*parts), {"Content-Type": FORM})
