"""Ids, the bin, attached files, lists: what a DataFile goes through over HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forms import metadata, npy, post_form
from live_server import API, PACK, LiveServer, assert_refused
from packs import make_pack

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


def test_a_save_is_answered_with_a_receipt(either: LiveServer) -> None:
    file_id, pack = make(either)
    answer = either.post_pack(make_pack({"x": np.arange(5.0)}))
    assert answer.status == 201
    assert answer.json.keys() == {"id", "revision", "state", "saved_at"}
    assert (answer.json["revision"], answer.json["state"]) == (1, "complete")
    assert answer.headers["Location"] == f"{API}/{answer.json['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert file_id == read_pack(pack).document["id"]


def test_the_same_again_is_the_same(either: LiveServer) -> None:
    file_id, pack = make(either)
    with either.unchanged():
        again = either.post_pack(pack)
    assert (again.status, again.json["id"], again.json["revision"]) == (200, file_id, 1)


def test_the_same_again_with_the_id_in_capitals(either: LiveServer) -> None:
    file_id, _ = make(either)
    assert either.get(f"{API}/{file_id.upper()}").json["id"] == file_id
    pack = make_pack({"x": np.arange(5.0)}, id=file_id.upper())
    with either.unchanged():
        assert_refused(either.post_pack(pack), 409, "id", "other content")


@pytest.mark.parametrize("what", ["array", "bits", "dtype", "name", "dims", "file", "metadata"])
def test_other_content_under_the_same_id_is_refused(either: LiveServer, what: str) -> None:
    file_id, pack = make(either)
    arrays: dict[str, Any] = {"x": np.arange(5.0)}
    files, dims = {"a.txt": b"hello"}, {"x": ("x_0",)}
    document: dict[str, Any] = {"id": file_id, "date": "2026-11-22T10:07:00.000000Z"}
    same = make_pack(arrays, files, dims, **document)
    assert either.post_pack(same).status == 200
    match what:
        case "array":
            arrays["x"] = np.arange(1.0, 6.0)
        case "bits":
            arrays["x"] = np.array([-0.0, 1, 2, 3, 4])
        case "dtype":
            arrays["x"] = np.arange(5.0).view("i8")
        case "name":
            arrays = {"y": np.arange(5.0)}
        case "dims":
            dims = {"x": ("t",)}
        case "file":
            files = {"a.txt": b"hallo"}
        case "metadata":
            document["comment"] = "another"
    with either.unchanged():
        assert_refused(either.post_pack(make_pack(arrays, files, dims, **document)), 409, "id", "other content")
        assert read_pack(either.get(f"{API}/{file_id}.zarr.zip").content).arrays["x"][1].tolist() == [0, 1, 2, 3, 4]
    assert pack == same


def test_the_whole_pack_is_what_was_sent(either: LiveServer) -> None:
    file_id, pack = make(either, custom={"a.b": [1, 1.0, {"__float__": "NaN"}]})
    answer = either.get(f"{API}/{file_id}.zarr.zip")
    assert (answer.status, answer.media_type) == (200, PACK)
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert f"{file_id}.zarr.zip" in answer.headers["Content-Disposition"]
    sent, got = read_pack(pack), read_pack(answer.content)
    assert got.arrays["x"][0] == sent.arrays["x"][0]
    assert {name: bytes(data) for name, data in got.files.items()} == {"a.txt": b"hello"}
    assert got.document.items() >= {key: value for key, value in sent.document.items() if key != "custom"}.items()
    # and it can be sent back
    with either.unchanged():
        assert either.post_pack(answer.content).status == 200


def test_a_small_datafile_comes_whole_to_who_takes_packs(either: LiveServer) -> None:
    small = either.post_pack(make_pack({"x": np.arange(5.0)})).json["id"]
    large = either.post_pack(make_pack({"x": np.zeros(200_000)})).json["id"]
    both = "application/zip, application/json"
    answer = either.get(f"{API}/{small}", both)
    assert (answer.media_type, answer.headers["ETag"], answer.headers["Vary"]) == (PACK, '"1"', "Accept")
    assert read_pack(answer.content).document["state"] == "complete"
    assert either.get(f"{API}/{large}", both).media_type == "application/json"
    assert either.get(f"{API}/{small}").media_type == "application/json"


def test_the_document_says_everything(server: LiveServer) -> None:
    answer = post_form(
        server,
        metadata(datasets={"f": {"units": "Hz"}}, files=["a.png"], tags=["q1"], custom={"a.b": None, "": 1}),
        ("f", npy([1.0, 2.0])),
        ("a.png", b"x"),
    )
    got = server.get(f"{API}/{answer.json['id']}")
    assert got.headers["ETag"] == '"1"'
    document = got.json
    assert document.items() >= answer.json.items()
    assert document["datasets"] == {"f": {"dtype": "float64", "shape": [2], "dims": ["f_0"], "units": "Hz"}}
    assert document["files"] == {"a%2Epng": {"size": 1, "media_type": "image/png"}}
    assert document["custom"] == {"a%2Eb": None, "%": 1}
    assert (document["kind"], document["name"], document["tags"]) == ("measurement", "rabi", ["q1"])


def test_the_bin(either: LiveServer) -> None:
    file_id, pack = make(either)
    blobs = either.stored()[0]
    path = f"{API}/{file_id}"
    assert_refused(either.request("DELETE", f"{path}?purge=true"), 409, "purge", "delete it first")
    for _ in range(2):
        answer = either.request("DELETE", path)
        assert (answer.status, answer.content) == (204, b"")
    for way in (".zarr.zip", "/data/x", "/files/a.txt"):
        assert_refused(either.get(f"{path}{way}"), 410, "id", "restore")
    assert_refused(either.get(f"/zarr/{file_id}/zarr.json"), 410, "id", "restore")
    assert_refused(either.get(path, "application/zip"), 410, "id", "restore")
    assert_refused(either.request("POST", f"{path}/data/x/read", b'{"index": []}'), 410, "id", "restore")
    assert_refused(either.request("PUT", f"{path}/files/b", b"x"), 410, "id", "restore")
    assert either.get(path).json["state"] == "deleted"
    listed = [found["id"] for found in either.get(f"{API}?limit=1000").json["datafiles"]]
    binned = [found["id"] for found in either.get(f"{API}?limit=1000&state=deleted").json["datafiles"]]
    assert file_id not in listed
    assert file_id in binned
    for _ in range(2):
        restored = either.request("POST", f"{path}/restore")
        assert (restored.status, restored.json["state"], restored.json["revision"]) == (200, "complete", 3)
        assert restored.headers["ETag"] == '"3"'
    assert "was" not in restored.json
    assert either.get(f"{path}/data/x").status == 200
    assert either.post_pack(pack).status == 200
    assert set(blobs) <= set(either.stored()[0])
    either.request("DELETE", path)
    assert either.request("DELETE", f"{path}?purge=true").status == 204
    assert [blob for blob in either.stored()[0] if file_id in blob] == []
    for method, way in (
        ("GET", ""),
        ("GET", "/data/x"),
        ("DELETE", ""),
        ("DELETE", "?purge=true"),
        ("POST", "/restore"),
    ):
        assert_refused(either.request(method, f"{path}{way}"), 404, "id", "")
    assert either.post_pack(pack).status == 201


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("file_id", ["x", "0", "..", "%2e%2e", "%00", "é", "019aab5e7c4d7f3a9d2e5b8c1f0a6e42", "{}"])
def test_what_is_no_id_is_refused(server: LiveServer, method: str, file_id: str) -> None:
    answer = server.request(method, f"{API}/{file_id.encode().decode('latin-1') if file_id != 'é' else '%C3%A9'}")
    assert (answer.status, answer.json["field"]) == (422, "id")
    assert "a UUID such as" in answer.json["detail"]


def test_what_is_in_the_bin_is_not_saved_again(either: LiveServer) -> None:
    file_id, pack = make(either)
    either.request("DELETE", f"{API}/{file_id}")
    with either.unchanged():
        assert_refused(either.post_pack(pack), 410, "id", "in the bin: restore it")


def test_a_name_that_is_not_utf8_is_refused(either: LiveServer) -> None:
    file_id, _ = make(either)
    for name in ("a%ff", "a%fe"):
        with either.unchanged():
            assert_refused(either.request("PUT", f"{API}/{file_id}/files/{name}", body=b"x"), 422, "name", "not UTF-8")
