"""Attached files over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from live_server import API, LiveServer, assert_refused
from packs import make_pack

from aqdata.models.ids import new_id
from aqdata.wire.pack import read_pack

KINDS = ("server", "directory_server")


@pytest.fixture(params=KINDS)
def either(request: pytest.FixtureRequest) -> LiveServer:
    server: LiveServer = request.getfixturevalue(request.param)
    return server


def make(server: LiveServer, **document: Any) -> tuple[str, bytes]:
    pack = make_pack({"x": np.arange(5.0)}, {"a.txt": b"hello"}, date="2026-11-22T10:07:00.000000Z", **document)
    answer = server.post_pack(pack)
    assert answer.status == 201
    return answer.json["id"], pack


def test_files(either: LiveServer) -> None:
    file_id, _ = make(either)
    path = f"{API}/{file_id}/files"
    got = either.get(f"{path}/a.txt")
    assert (got.status, got.content, got.media_type) == (200, b"hello", "text/plain")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"].startswith("attachment")
    for number, (name, content) in enumerate([("a.txt", b"hallo"), ("b 50%.PNG", b""), ("ü😀.html", b"<script>")]):
        answer = either.request("PUT", f"{path}/{quote(name)}", content)
        assert (answer.status, answer.json["revision"], answer.headers["ETag"]) == (200, 2 + number, f'"{2 + number}"')
        got = either.get(f"{path}/{quote(name)}")
        assert got.content == content
    assert got.headers["Content-Security-Policy"] == "sandbox"
    document = either.get(f"{API}/{file_id}").json
    assert {name: file["size"] for name, file in document["files"].items()} == {
        "a%2Etxt": 5,
        "b 50%25%2EPNG": 0,
        "ü😀%2Ehtml": 8,
    }
    whole = read_pack(either.get(f"{API}/{file_id}.zarr.zip").content)
    assert {name: bytes(data) for name, data in whole.files.items()} == {
        "a.txt": b"hallo",
        "b 50%.PNG": b"",
        "ü😀.html": b"<script>",
    }
    assert len([blob for blob in either.stored()[0] if file_id in blob and ".files/" in blob]) == 3


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("__x", "reserved"),
        ("x" * 129, "129 characters"),
        ("..%5Cx", "path"),
        ("a%0Ab", "control"),
        ("zarr.json", "reserved"),
        ("A.TXT", "case"),
    ],
)
def test_bad_names_of_files_are_refused(server: LiveServer, name: str, detail: str) -> None:
    file_id, _ = make(server)
    with server.unchanged():
        answer = server.request("PUT", f"{API}/{file_id}/files/{name}", b"x")
        assert answer.status == 422, answer.content
        assert answer.json["field"] in ("name", "files")
        assert detail in answer.json["detail"]


def test_file_limits(tmp_path: Path) -> None:
    with LiveServer(tmp_path, max_file=1000) as server:
        file_id, _ = make(server)
        path = f"{API}/{file_id}/files"
        assert server.request("PUT", f"{path}/b", b"x" * 1000).status == 200
        with server.unchanged():
            assert_refused(server.request("PUT", f"{path}/c", b"x" * 1001), 413, "body", "1000")
            assert_refused(server.request("PUT", f"{path}/c", iter([b"x" * 1001])), 413, "body", "1000")
            assert_refused(server.post_pack(make_pack(files={"d": b"x" * 1001})), 413, "__files__/d", "1000")


def test_a_file_of_a_datafile_that_is_not_there(server: LiveServer) -> None:
    with server.unchanged():
        assert_refused(server.request("PUT", f"{API}/{new_id()}/files/b", b"x"), 404, "id", "")
    file_id, _ = make(server)
    assert_refused(server.get(f"{API}/{file_id}/files/none"), 404, "name", "'none'")


def test_an_upload_of_a_file_that_breaks_off_changes_nothing(server: LiveServer) -> None:
    file_id, _ = make(server)
    with server.unchanged():
        connection = server.connection()
        connection.putrequest("PUT", f"{API}/{file_id}/files/b")
        connection.putheader("Content-Length", "100000")
        connection.endheaders()
        connection.send(b"x" * 50_000)
        connection.close()
    assert server.get(f"{API}/{file_id}").json["revision"] == 1
