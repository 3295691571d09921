"""Packs that are none: a 4xx that names the field and says what to do, and nothing stored."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from live_server import API, PACK, LiveServer, assert_refused
from packs import Entries, entries_of, group_of, make_pack, with_group, zip_of

from aqdata.models.ids import new_id
from aqdata.wire.zip import ZipWriter


def parts() -> dict[str, Any]:
    return {"f": np.linspace(4e9, 5e9, 5), "s21": np.ones((2, 5), "c16"), "on": np.array([True, False])}


def entries() -> Entries:
    return entries_of(make_pack(parts(), {"fit.png": b"\x89PNG"}))


def array_changed(name: str = "f", **fields: Any) -> bytes:
    given = entries()
    group = group_of(given)
    group["consolidated_metadata"]["metadata"][name] |= fields
    return with_group(given, group)


def metadata_changed(**fields: Any) -> bytes:
    given = entries()
    group = group_of(given)
    group["attributes"]["metadata"] |= fields
    group["attributes"] |= {key: fields[key] for key in ("id", "name", "kind") if key in fields}
    return with_group(given, group)


def renamed(old: str, new: str) -> bytes:
    given = entries()
    group = group_of(given)
    arrays = group["consolidated_metadata"]["metadata"]
    group["consolidated_metadata"]["metadata"] = {(new if name == old else name): arrays[name] for name in arrays}
    moved = {(new + key.removeprefix(old) if key.startswith(f"{old}/") else key): data for key, data in given.items()}
    return with_group(moved, group)


def replaced(key: str, data: bytes) -> bytes:
    return zip_of(entries() | {key: data})


def without(*keys: str) -> bytes:
    return zip_of({key: data for key, data in entries().items() if key not in keys})


def added(*more: tuple[str, bytes]) -> bytes:
    return zip_of([*entries().items(), *more])


def deflated() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries().items():
            archive.writestr(name, data)
    return stream.getvalue()


def bomb() -> bytes:
    """A deflated entry of 100 MB of zeros."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", b"\0" * 100_000_000)
    return stream.getvalue()


def lying(size: int, stored: int | None = None) -> bytes:
    """A pack whose first entry claims to be of another size than it is."""
    writer = ZipWriter()
    data = entries()["zarr.json"]
    head = bytearray(writer.header("zarr.json", data))
    struct.pack_into("<II", head, 18, size if stored is None else stored, size)
    return bytes(head) + data + writer.end()


def with_flags(flags: int) -> bytes:
    pack = bytearray(make_pack(parts()))
    struct.pack_into("<H", pack, 6, flags)
    return bytes(pack)


def wrong_crc() -> bytes:
    pack = make_pack({"f": np.arange(5.0)})
    at = pack.index(np.arange(5.0).tobytes())
    return pack[:at] + b"\xff" + pack[at + 1 :]


def wrong_texts(count: int, length: int) -> bytes:
    given = entries_of(make_pack({"t": np.array(["ab", "c"], np.dtypes.StringDType())}))
    data = struct.pack("<I", count) + struct.pack("<I", length) + b"ab" + struct.pack("<I", 1) + b"c"
    return zip_of(given | {"t/c.0": data})


def no_utf8() -> bytes:
    given = entries_of(make_pack({"t": np.array(["ab"], np.dtypes.StringDType())}))
    return zip_of(given | {"t/c.0": struct.pack("<II", 1, 2) + b"\xff\xff"})


def large_document() -> bytes:
    return make_pack(custom={"log": "x" * (16 << 20)}, comment="c" * 1000)


PACKS: dict[str, tuple[Callable[[], bytes], int, str | None, str]] = {
    "nothing": (lambda: b"", 422, "body", "ends early"),
    "no zip": (lambda: b"hello" * 100, 422, "body", "broken ZIP"),
    "a pickle": (lambda: b"\x80\x04\x95" + b"x" * 100, 422, "body", "broken ZIP"),
    "an empty zip": (lambda: b"PK\x05\x06" + b"\0" * 18, 422, "body", "ends early"),
    "cut short": (lambda: make_pack(parts())[:-30], 422, "body", "ends early"),
    "cut in a chunk": (lambda: make_pack({"x": np.zeros(1000)})[:-2000], 422, "body", "ends early"),
    "something follows": (lambda: make_pack(parts()) + b"x", 422, "body", "follow the end"),
    "two packs": (lambda: make_pack(parts()) * 2, 422, "body", "follow the end"),
    "deflated": (deflated, 422, "zarr.json", "stored, not compressed"),
    "a bomb": (bomb, 422, "zarr.json", "stored, not compressed"),
    "a lie about the size": (lambda: lying(50), 422, "zarr.json", "CRC"),
    "a lie of gigabytes": (lambda: lying(3 << 30), 413, "zarr.json", "at most"),
    "two sizes": (lambda: lying(3 << 30, 10), 422, "zarr.json", "stored, not compressed"),
    "size behind the data": (lambda: with_flags(8 | 2048), 422, "zarr.json", "local header"),
    "encrypted": (lambda: with_flags(1 | 2048), 422, "zarr.json", "stored"),
    "a wrong CRC": (wrong_crc, 422, "f/c.0", "CRC"),
    "zarr.json that is no JSON": (lambda: replaced("zarr.json", b"{"), 422, "zarr.json", "not JSON"),
    "zarr.json that is no UTF-8": (lambda: replaced("zarr.json", b'"\xff"'), 422, "zarr.json", "not JSON"),
    "zarr.json with NaN": (lambda: replaced("zarr.json", b"NaN"), 422, "zarr.json", "not JSON"),
    "deep JSON": (lambda: replaced("zarr.json", b"[" * 100_000), 422, "zarr.json", "not JSON"),
    "a group that is a list": (lambda: replaced("zarr.json", b"[]"), 422, "zarr.json", "consolidated_metadata"),
    "a group of nothing": (lambda: replaced("zarr.json", b"{}"), 422, "zarr.json", "consolidated_metadata"),
    "no metadata": (
        lambda: make_changed_group(lambda group: group["attributes"].pop("metadata")),
        422,
        "zarr.json",
        "attribute metadata",
    ),
    "another id": (
        lambda: make_changed_group(lambda group: group["attributes"].update(id=new_id())),
        422,
        "zarr.json",
        "'id'",
    ),
    "no such zarr": (
        lambda: make_changed_group(lambda group: group.update(zarr_format=2)),
        422,
        "zarr.json",
        "zarr_format",
    ),
    "an array's own metadata differ": (lambda: replaced("f/zarr.json", b"{}"), 422, "f/zarr.json", "consolidated"),
    "an array's metadata are missing": (
        lambda: without("f/zarr.json"),
        422,
        "body",
        "expected the entry 'f/zarr.json'",
    ),
    "a chunk is missing": (lambda: without("s21/c.0.0"), 422, "body", "expected the entry 's21/c.0.0'"),
    "chunks out of order": (lambda: zip_of(dict(reversed(entries().items()))), 422, "body", "expected the entry"),
    "a chunk too many": (lambda: added(("f/c.1", b"x")), 422, "f/c.1", "not an entry"),
    "a foreign file": (lambda: added(("README.md", b"x")), 422, "README.md", "not an entry"),
    "a bad path": (lambda: added(("../../etc/passwd", b"x")), 422, "../../etc/passwd", "not an entry"),
    "a file with a bad path": (lambda: added(("__files__/../x", b"x")), 422, "file", "path"),
    "a file without name": (lambda: added(("__files__/", b"x")), 422, "file", "empty"),
    "a file twice": (lambda: added(("__files__/fit.png", b"x")), 422, "files.fit.png", "two files"),
    "files that differ by case": (lambda: added(("__files__/FIT.png", b"x")), 422, "files", "case"),
    "too few bytes": (
        lambda: replaced("f/c.0", b"\0" * 39),
        422,
        "f/c.0",
        "39 bytes; dtype float64 and its shape make 40",
    ),
    "too many bytes": (lambda: replaced("f/c.0", b"\0" * 48), 422, "f/c.0", "48 bytes"),
    "a bool that is 2": (lambda: replaced("on/c.0", b"\x02\x00"), 422, "datasets.on", "neither 0 nor 1"),
    "texts: too many": (lambda: wrong_texts(3, 2), 422, "datasets.t", "3 texts instead of 2"),
    "texts: a wild count": (lambda: wrong_texts(2**32 - 1, 2), 422, "datasets.t", "instead of 2"),
    "texts: a wild length": (lambda: wrong_texts(2, 2**32 - 1), 422, "datasets.t", "cut short"),
    "texts: no UTF-8": (no_utf8, 422, "datasets.t", "damaged"),
    "unknown data type": (lambda: array_changed(data_type="r16"), 422, "f/zarr.json", "unknown data_type 'r16'"),
    "unknown dtype of ours": (
        lambda: array_changed(attributes={"aqdata": {"dtype": "object"}}),
        422,
        "datasets.f.dtype",
        "unknown dtype 'object'; one of bool",
    ),
    "unknown codec": (
        lambda: array_changed(codecs=[{"name": "gzip", "configuration": {"level": 1}}]),
        422,
        "f/zarr.json",
        "codecs",
    ),
    "a shape of its own": (lambda: array_changed(shape=[6]), 422, "f/zarr.json", "chunks of"),
    "a shape that is larger": (lambda: array_changed(shape=[1 << 40]), 422, "f/zarr.json", "chunks of 40 bytes"),
    "chunks that are too small": (
        lambda: array_changed(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2]}}),
        422,
        "f/zarr.json",
        "1048576",
    ),
    "dims that share a name but no length": (
        lambda: make_pack({"a": np.zeros(3), "b": np.zeros(4)}, dims={"a": ("t",), "b": ("t",)}),
        422,
        "datasets.b.dims",
        "length 4 here and 3 in 'a'",
    ),
    "a dim twice": (lambda: array_changed("s21", dimension_names=["f", "f"]), 422, "datasets.s21.dims", "not unique"),
    "a coordinate that is not there": (
        lambda: array_changed(attributes={"coordinates": "nowhere"}),
        422,
        "datasets.f.coordinates",
        "nowhere",
    ),
    "name: a path": (lambda: renamed("f", "../x"), 422, "datasets.../x", "path"),
    "name: absolute": (lambda: renamed("f", "/etc"), 422, "datasets./etc", "path"),
    "name: empty": (lambda: renamed("f", ""), 422, "datasets.", "empty"),
    "name: long": (lambda: renamed("f", "x" * 300), 422, f"datasets.{'x' * 191}", "300 characters; at most 128"),
    "name: dots": (lambda: renamed("f", ".."), 422, "datasets...", "path"),
    "name: reserved": (lambda: renamed("f", "__files__"), 422, "datasets.__files__", "reserved"),
    "name: zarr.json": (lambda: renamed("f", "zarr.json"), 422, "datasets.zarr.json", "reserved"),
    "name: control characters": (lambda: renamed("f", "a\nb"), 422, "datasets.a\nb", "control"),
    "names that differ by case": (lambda: renamed("f", "S21"), 422, "datasets", "differ in nothing but case"),
    "id: none": (lambda: metadata_changed(id="x"), 422, "id", "UUID"),
    "id: a number": (lambda: metadata_changed(id=5), 422, "id", "UUID"),
    "metadata: unknown field": (lambda: metadata_changed(nam="x"), 422, "nam", "custom"),
    "metadata: no name": (lambda: metadata_changed(name=" "), 422, "name", "empty"),
    "metadata: wrong type": (lambda: metadata_changed(tags=[1]), 422, "tags.0", "string"),
    "metadata: wrong unit": (
        lambda: metadata_changed(instruments={"vna": {"settings": {"p": {"value": 1, "unit": 3}}}}),
        422,
        "instruments.vna.settings.p.unit",
        "string",
    ),
    "metadata: a wrong tag": (
        lambda: metadata_changed(custom={"a": {"__float__": "1"}}),
        422,
        "custom.a",
        "__float__ takes",
    ),
    "metadata: a newer schema": (lambda: metadata_changed(schema_version=2), 422, "schema_version", "newer aqdata"),
    "metadata: a date that is none": (lambda: metadata_changed(date="yesterday"), 422, "date", "ISO 8601"),
    "a large document": (large_document, 413, "custom", "largest: custom: 16777"),
}


def make_changed_group(change: Callable[[dict[str, Any]], Any]) -> bytes:
    given = entries()
    group = copy.deepcopy(group_of(given))
    change(group)
    return with_group(given, group)


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize("kind", ["server", "directory_server"])
def test_a_bad_pack_is_refused(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    server: LiveServer = request.getfixturevalue(kind)
    make, status, field, detail = PACKS[name]
    body = make()
    with server.unchanged():
        assert_refused(server.post_pack(body), status, field, detail)


def test_the_unchanged_pack_is_taken(server: LiveServer) -> None:
    answer = server.post_pack(zip_of(entries()))
    assert answer.status == 201
    assert server.post_pack(metadata_changed(comment="x")).status == 201


def test_a_document_far_over_the_limit_is_refused(server: LiveServer) -> None:
    with server.unchanged():
        assert_refused(server.post_pack(make_pack(custom={"log": "x" * (40 << 20)})), 413, "zarr.json", "at most")


def test_a_large_file_is_refused(server: LiveServer) -> None:
    pack = make_pack(files={"movie.mp4": b"\0" * ((64 << 20) + 1)})
    with server.unchanged():
        assert_refused(server.post_pack(pack), 413, "__files__/movie.mp4", "67108864 bytes each")


def test_too_many_data_sets_are_refused(server: LiveServer) -> None:
    pack = make_pack({f"x{number}": np.zeros(()) for number in range(1001)})
    with server.unchanged():
        assert_refused(server.post_pack(pack), 413, "datasets", "1001 DataSets; at most 1000")


def test_many_empty_texts_don_t_fill_the_memory(server: LiveServer) -> None:
    given = entries_of(make_pack({"t": np.array(["ab", "c"], np.dtypes.StringDType())}))
    count = 8 << 20
    body = zip_of(given | {"t/c.0": struct.pack("<I", count) + b"\0" * (4 * count)})
    with server.unchanged():
        assert_refused(server.post_pack(body), 422, "datasets.t", f"{count} texts instead of 2")


@pytest.mark.parametrize("cut", [10, 1000, -1])
def test_a_body_that_breaks_off_stores_nothing(directory_server: LiveServer, cut: int) -> None:
    pack = make_pack({"x": np.random.default_rng(0).normal(size=600_000)}, {"a": b"b"})
    with directory_server.unchanged():
        connection = directory_server.connection()
        connection.putrequest("POST", API)
        connection.putheader("Content-Type", PACK)
        connection.putheader("Content-Length", str(len(pack)))
        connection.endheaders()
        connection.send(pack[:cut])
        connection.close()


def test_a_content_length_that_is_too_small_stores_nothing(server: LiveServer) -> None:
    pack = make_pack(parts())
    with server.unchanged():
        answer = server.request("POST", API, pack[:-5], {"Content-Type": PACK})
        assert_refused(answer, 422, "body", "ends early")


def test_a_chunked_body_that_breaks_off_stores_nothing(server: LiveServer) -> None:
    pack = make_pack({"x": np.zeros(300_000)})
    with server.unchanged():
        connection = server.connection()
        connection.putrequest("POST", API)
        connection.putheader("Content-Type", PACK)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        connection.send(b"%x\r\n" % 1_000_000 + pack[:1_000_000] + b"\r\n")
        connection.close()


def test_a_chunked_body_is_taken(server: LiveServer) -> None:
    pack = make_pack({"x": np.arange(300_000.0)})
    pieces = (pack[at : at + 100_001] for at in range(0, len(pack), 100_001))
    assert server.request("POST", API, pieces, {"Content-Type": PACK}).status == 201


@pytest.mark.parametrize(
    ("content_type", "detail"),
    [
        ("", "send application/zip"),
        ("application/json", "send application/zip"),
        ("text/plain; charset=utf-8", "not 'text/plain'"),
        ("multipart/form-data", "boundary"),
        ("multipart/form-data; boundary=" + "x" * 71, "boundary"),
        ("application/x-www-form-urlencoded", "send application/zip"),
    ],
)
def test_a_wrong_content_type_is_refused(server: LiveServer, content_type: str, detail: str) -> None:
    with server.unchanged():
        answer = server.request("POST", API, make_pack(parts()), {"Content-Type": content_type})
        assert_refused(answer, 422, "Content-Type", detail)


def test_a_body_over_the_limit_is_refused(tmp_path: Any) -> None:
    with LiveServer(tmp_path, max_body=100_000) as server, server.unchanged():
        answer = server.post_pack(make_pack({"x": np.zeros(20_000)}))
        assert_refused(answer, 413, "body", "at most 100000")
        pieces = iter([make_pack({"x": np.zeros(20_000)})])
        answer = server.request("POST", API, pieces, {"Content-Type": PACK})
        assert_refused(answer, 413, "body", "more than 100000 bytes")


def test_zarr_json_is_compared_by_value_not_by_text(server: LiveServer) -> None:
    given = entries()
    spaced = {
        key: json.dumps(json.loads(data), indent=1, ensure_ascii=True).encode() if key.endswith("zarr.json") else data
        for key, data in given.items()
    }
    assert zlib.crc32(spaced["zarr.json"]) != zlib.crc32(given["zarr.json"])
    assert server.post_pack(zip_of(spaced)).status == 201
