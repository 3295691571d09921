"""Saving with multipart/form-data, as curl, MATLAB and LabVIEW do."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_strategies import arrays, same_bits
from forms import BOUNDARY, FORM, Part, form_of, metadata, npy, post_form
from hypothesis import HealthCheck, given, settings
from live_server import API, Answer, LiveServer

from aqdata import Lab
from aqdata.models.ids import new_id

F = np.linspace(4e9, 5e9, 5)
S21 = np.asfortranarray(np.arange(10).reshape(2, 5) * (1 + 2j))
DESCRIBED = {
    "f": {"dims": ["f"], "units": "Hz", "long_name": "drive frequency"},
    "s21": {"dims": ["flux", "f"], "units": "V", "attributes": {"gain": 3.5}, "coordinates": []},
}
PARTS: tuple[Part, ...] = (
    metadata(datasets=DESCRIBED, files=["fit.png"], tags=["q1"]),
    ("f", npy(F)),
    ("s21", npy(S21)),
    ("fit.png", b"\x89PNG"),
)


def refused(answer: Answer, status: int, field: str | None) -> str:
    """The detail of a problem document about this field."""
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.content[:500]
    assert answer.json.get("field") == field, answer.json
    detail: str = answer.json["detail"]
    return detail


def test_every_order_of_the_parts_is_the_same(server: LiveServer, lab: Lab) -> None:
    for number, parts in enumerate(itertools.permutations(PARTS)):
        answer = post_form(server, *parts)
        assert answer.status == 201, (number, answer.content)
        receipt = answer.json
        assert receipt.keys() == {"id", "revision", "state", "saved_at"}
        assert answer.headers["Location"] == f"{API}/{receipt['id']}"
        assert answer.headers["ETag"] == '"1"'
        got = lab.load(receipt["id"])
        assert got.metadata.tags == ["q1"]
        assert same_bits(got["f"][:], F)
        assert same_bits(got["s21"][:], S21)
        assert (got["s21"].dims, got["s21"].units, got["s21"].attributes) == (("flux", "f"), "V", {"gain": 3.5})
        assert got["f"].long_name == "drive frequency"
        assert got.files["fit.png"].read() == b"\x89PNG"
        assert got.files["fit.png"].media_type == "image/png"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrays().filter(lambda array: not isinstance(array.dtype, np.dtypes.StringDType)))
def test_any_npy_comes_back(server: LiveServer, lab: Lab, array: Any) -> None:
    answer = post_form(server, metadata(), ("x", npy(array)))
    assert answer.status == 201, answer.content
    assert same_bits(lab.load(answer.json["id"])["x"][...], array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_npy_comes_back(server: LiveServer, lab: Lab, order: Any) -> None:
    array = np.random.default_rng(0).normal(size=(1100, 1200)).astype(">f8").copy(order)
    for parts in ((metadata(), ("x", npy(array))), (("x", npy(array)), metadata())):
        answer = post_form(server, *parts)
        assert answer.status == 201
        assert same_bits(lab.load(answer.json["id"])["x"][:], array)


def test_an_npy_may_be_a_file(server: LiveServer, lab: Lab) -> None:
    content = npy(F)
    answer = post_form(server, metadata(files=["f.npy"]), ("f.npy", content))
    assert answer.status == 201
    assert lab.load(answer.json["id"]).files["f.npy"].read() == content


def test_a_file_may_be_empty_or_have_any_bytes(server: LiveServer, lab: Lab) -> None:
    tricky = f"\r\n--{BOUNDARY[:-1]}\r\n\r\n--\r\n".encode() * 3
    for parts in itertools.permutations((metadata(files=["a", "b"]), ("a", b""), ("b", tricky))):
        answer = post_form(server, *parts)
        assert answer.status == 201, answer.content
        files = lab.load(answer.json["id"]).files
        assert (files["a"].read(), files["b"].read()) == (b"", tricky)


def test_a_name_may_be_long(server: LiveServer, lab: Lab) -> None:
    name = "x" * 128
    answer = post_form(server, metadata(), (name, npy(F)))
    assert answer.status == 201
    assert lab.load(answer.json["id"])[name].dims == ("x" * 125 + "_0",)


def test_the_same_form_again_is_the_same_save(server: LiveServer) -> None:
    parts = (metadata(id=new_id(), date="2026-11-22T10:07:00Z"), ("f", npy(F)))
    first, second = post_form(server, *parts), post_form(server, *parts)
    assert (first.status, second.status) == (201, 200)
    assert first.json == second.json


def test_the_same_form_without_a_date_is_the_same_save(server: LiveServer) -> None:
    parts = (metadata(id=new_id()), ("f", npy(F)))
    first, second = post_form(server, *parts), post_form(server, *parts)
    assert (first.status, second.status) == (201, 200)
    assert first.json == second.json
    with server.unchanged():
        refused(post_form(server, parts[0], ("f", npy(F[1:]))), 409, "id")


def test_without_id_each_form_is_another_datafile(server: LiveServer) -> None:
    first, second = post_form(server, metadata()), post_form(server, metadata())
    assert first.status == second.status == 201
    assert first.json["id"] != second.json["id"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_saves_and_loads(server: LiveServer, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"name": "rabi", "datasets": DESCRIBED, "files": ["fit"]}))
    np.save(tmp_path / "s21.npy", S21)
    np.save(tmp_path / "f.npy", F)
    (tmp_path / "fit.png").write_bytes(b"\x89PNG")

    def curl(*arguments: str) -> bytes:
        done = subprocess.run(["curl", "-sS", "--fail-with-body", *arguments], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    url = f"{server.url}{API}"
    fields = ["-F", "metadata=@m.json", "-F", "s21=@s21.npy", "-F", "f=@f.npy", "-F", "fit=@fit.png"]
    file_id = json.loads(curl(*fields, url))["id"]
    got = lab.load(file_id)
    assert same_bits(got["s21"][:], S21)
    assert got.files["fit"].read() == b"\x89PNG"
    inline = json.loads(curl("-F", 'metadata={"name": "inline"};type=application/json', "-F", "f=@f.npy", url))["id"]
    assert lab.metadata(inline).name == "inline"
    text = curl(f"{url}/{file_id}/data/s21?slice=1,::2", "-H", "Accept: text/csv").decode()
    assert text.splitlines()[1] == "5.0,10.0"
    curl("-T", "fit.png", f"{url}/{file_id}/files/again.png")
    assert curl(f"{url}/{file_id}/files/again.png") == b"\x89PNG"
    curl("-X", "DELETE", f"{url}/{file_id}")


def changed(array: Any = F, **described: Any) -> tuple[Part, ...]:
    return (metadata(datasets={"f": described}), ("f", npy(array)))


def cut(array: bytes, by: int) -> tuple[Part, ...]:
    return (metadata(), ("f", array[:by] if by < 0 else array + b"x" * by))


OBJECTS = npy(np.array([None, {}], object), allow_pickle=True)

BAD: dict[str, tuple[tuple[Part, ...], int, str | None, str]] = {
    "no metadata": ((("f", npy(F)),), 422, "metadata", "needs a part 'metadata'"),
    "no parts": ((), 422, "metadata", "needs a part 'metadata'"),
    "metadata twice": ((metadata(), metadata()), 422, "metadata", "two parts"),
    "an array twice": ((metadata(), ("f", npy(F)), ("f", npy(F))), 422, "f", "two parts"),
    "a file twice": ((metadata(files=["a"]), ("a", b"1"), ("a", b"2")), 422, "a", "two parts"),
    "an array and a file of one name": ((metadata(), ("a", npy(F)), ("a", b"2")), 422, "a", "two parts"),
    "metadata that are no JSON": ((("metadata", b"{"),), 422, "metadata", "no JSON"),
    "metadata that are a list": ((("metadata", b"[]"),), 422, "metadata", "JSON object"),
    "metadata that are nothing": ((("metadata", b""),), 422, "metadata", "no JSON"),
    "metadata in UTF-16": ((("metadata", '{"name":"x"}'.encode("utf-16")),), 422, "metadata", "UTF-8"),
    "a key twice": ((("metadata", b'{"name": "a", "name": "b"}'),), 422, "name", "twice"),
    "NaN in metadata": ((("metadata", b'{"name": "a", "custom": {"x": NaN}}'),), 422, "metadata", "__float__"),
    "deep metadata": ((("metadata", b'{"custom": {"x": ' + b"[" * 10_000),), 422, "metadata", "nested"),
    "an unlisted file": ((metadata(), ("fit.png", b"\x89PNG")), 422, "fit.png", "listed"),
    "a listed file that is missing": ((metadata(files=["fit.png"]),), 422, "files.fit.png", "no part"),
    "a described array that is missing": ((metadata(datasets={"f": {}}),), 422, "datasets.f", "no part"),
    "an .npy listed as a file, after it": ((("f", npy(F)), metadata(files=["f"])), 422, "files.f", "before"),
    "files is an object": ((metadata(files={"a": {}}), ("a", b"1")), 422, "files", "list"),
    "files lists a number": ((metadata(files=[1]),), 422, "files.0", "text"),
    "files lists an object": ((metadata(files=[{}]),), 422, "files.0", "text"),
    "files lists a name twice": ((metadata(files=["a", "a"]), ("a", b"1")), 422, "files", "twice"),
    "datasets is a list": ((metadata(datasets=[]), ("f", npy(F))), 422, "datasets", "object"),
    "a dataset is a list": ((metadata(datasets={"f": []}), ("f", npy(F))), 422, "datasets.f", "object"),
    "an object array": ((metadata(), ("f", OBJECTS)), 422, "datasets.f", "pickle"),
    "a pickle": ((metadata(), ("f", pickle.dumps(F))), 422, "f", "neither an .npy"),
    "a pickle listed as an array": ((metadata(datasets={"f": {}}), ("f", pickle.dumps(F))), 422, "datasets.f", ".npy"),
    "an .npz": ((metadata(), ("f", b"PK\x03\x04")), 422, "f", "neither an .npy"),
    "a record array": (changed(np.zeros(3, "i4,f8")), 422, "datasets.f", "can't be stored"),
    "float128": (changed(np.zeros(3, "g")), 422, "datasets.f", "can't be stored; one of bool"),
    "too few bytes": (cut(npy(F), -3), 422, "datasets.f", "37 bytes; its dtype and shape make 40"),
    "too many bytes": (cut(npy(F), 3), 422, "datasets.f", "3 bytes follow"),
    "cut in the header": (cut(npy(F), -100), 422, "datasets.f", "cut short"),
    "another dtype": (changed(dtype="int64"), 422, "datasets.f.dtype", "'float64' in the .npy"),
    "an unknown dtype": (changed(dtype="quaternion"), 422, "datasets.f.dtype", "quaternion"),
    "another shape": (changed(shape=[6]), 422, "datasets.f.shape", "[5] in the .npy"),
    "too many dims": (changed(dims=["a", "b"]), 422, "datasets.f.dims", "2 dims"),
    "a dim with a slash": (changed(dims=["a/b"]), 422, "datasets.f.dims.0", "slash"),
    "dims are a text": (changed(dims="f"), 422, "datasets.f.dims", "list"),
    "units are a number": (changed(units=5), 422, "datasets.f.units", "text"),
    "an unknown field": (changed(unit="V"), 422, "datasets.f.unit", "no such field"),
    "a coordinate that is not there": (changed(coordinates=["g"]), 422, "datasets.f.coordinates", "'g'"),
    "attributes are a list": (changed(attributes=[1]), 422, "datasets.f.attributes", "dict"),
    "shared dims of other length": (
        (metadata(datasets={"a": {"dims": ["t"]}, "b": {"dims": ["t"]}}), ("a", npy(F)), ("b", npy(F[1:]))),
        422,
        "datasets.b.dims",
        "length 4 here and 5 in 'a'",
    ),
    "name: a path": ((metadata(), ("../x", npy(F))), 422, "../x", "path"),
    "name: a backslash": ((metadata(), ("..\\x", npy(F))), 422, "..\\x", "path"),
    "name: empty": ((metadata(), ("", npy(F))), 422, "part", "empty"),
    "name: long": ((metadata(), ("x" * 300, npy(F))), 422, "x" * 200, "300 characters"),
    "name: reserved": ((metadata(), ("__files__", npy(F))), 422, "__files__", "reserved"),
    "name: of the store": ((metadata(), (".aqdata-part-x", npy(F))), 422, ".aqdata-part-x", "reserved"),
    "names that differ by case": ((metadata(), ("f", npy(F)), ("F", npy(F))), 422, "datasets", "case"),
    "id: none": ((metadata(id="x"), ("f", npy(F))), 422, "id", "UUID"),
    "id: none, at the end": ((("f", npy(F)), metadata(id="x")), 422, "id", "UUID"),
    "id: an object": ((metadata(id={}),), 422, "id", "UUID"),
    "an unknown field of metadata": ((metadata(pi=3), ("f", npy(F))), 422, "pi", "custom"),
    "no name": ((("metadata", b"{}"),), 422, "name", "required"),
    "a large document": ((metadata(comment="x" * (16 << 20)),), 413, "comment", "largest: comment"),
    "a document far too large": ((metadata(comment="x" * (40 << 20)),), 413, "metadata", "more than"),
    "a large file": ((metadata(files=["a"]), ("a", b"x" * ((64 << 20) + 1))), 413, "a", "67108864"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["server", "directory_server"])
def test_a_bad_form_is_refused(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    server: LiveServer = request.getfixturevalue(kind)
    parts, status, field, detail = BAD[name]
    with server.unchanged():
        assert detail in refused(post_form(server, *parts), status, field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"--" + BOUNDARY.encode(),
        form_of(*PARTS)[:-4],
        form_of(*PARTS)[:200],
        form_of(*PARTS).replace(b'name="f"', b"", 1),
        form_of(*PARTS).replace(b"form-data", b"attachment", 1),
        form_of(*PARTS).replace(BOUNDARY.encode(), b"other"),
        form_of(*PARTS).replace(b"\r\n\r\n", b"\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n", 1),
        form_of(*PARTS).replace(b'name="f"', b'name="\xff\xfe"', 1),
    ],
    ids=["nothing", "text", "begun", "not ended", "cut", "no name", "no form-data", "boundary", "header", "no UTF-8"],
)
def test_a_broken_form_is_refused(server: LiveServer, body: bytes) -> None:
    with server.unchanged():
        answer = server.request("POST", API, body, {"Content-Type": FORM})
        assert answer.status == 422, answer.content
        assert answer.json["field"]


def test_too_many_parts_are_refused(server: LiveServer) -> None:
    parts = [(f"x{number}", npy(0.0)) for number in range(1001)]
    with server.unchanged():
        assert "1000" in refused(post_form(server, metadata(), *parts), 413, "datasets")
    names = [f"a{number}" for number in range(1001)]
    with server.unchanged():
        refused(post_form(server, metadata(files=names), *((name, b"x") for name in names)), 413, "files.a1000")


def test_a_form_that_breaks_off_stores_nothing(directory_server: LiveServer) -> None:
    body = form_of(metadata(), ("x", npy(np.random.default_rng(0).normal(size=400_000))), ("y", npy(F)))
    for end in (300, 2_000_000, len(body) - 3):
        with directory_server.unchanged():
            connection = directory_server.connection()
            connection.putrequest("POST", API)
            connection.putheader("Content-Type", FORM)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            connection.send(body[:end])
            connection.close()
