"""Requests that fit the OpenAPI, or almost, never make the server fail; what it answers fits it too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import schemathesis
from forms import FORM, form_of, metadata, npy, post_form
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from live_server import API, PACK, Answer, LiveServer
from packs import changed, entries_of, group_of, json_values, make_pack, nodes, with_group
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from aqdata.api.app import create_app
from aqdata.config import Config
from aqdata.models.keys import unescape_key
from aqdata.wire.pack import read_pack


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own: what is made up here may fill it."""
    with LiveServer(tmp_path_factory.mktemp("fuzz")) as server:
        yield server


@pytest.fixture(scope="module")
def saved(target: LiveServer) -> list[dict[str, str]]:
    """Paths that lead somewhere, most of the time."""
    arrays = {"x": np.arange(6.0).reshape(2, 3), "s21": np.ones(3, "c16")}
    parts = [(name, npy(array)) for name, array in arrays.items()]
    ids = [post_form(target, metadata(files=["a.txt"]), *parts, ("a.txt", b"hello")).json["id"] for _ in range(3)]
    target.request("DELETE", f"{API}/{ids[2]}")
    return [
        {"file_id": file_id, "name": name, "key": key}
        for file_id in ids
        for name, key in (("x", "zarr.json"), ("s21", "x/zarr.json"), ("a.txt", "x/c.0.0"))
    ]


SCHEMA = schemathesis.openapi.from_dict(create_app(Config()).openapi())
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations()}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_makes_it_fail(
    label: str, mode: GenerationMode, target: LiveServer, saved: list[dict[str, str]]
) -> None:
    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(OPERATIONS[label].as_strategy(generation_mode=mode), st.sampled_from([None, *saved]))
    def check(case: Any, found: dict[str, str] | None) -> None:
        if found is not None:
            # about something that exists
            case.path_parameters = {key: found[key] for key in case.path_parameters or {}}
        response = case.call(base_url=target.url)
        case.validate_response(response, checks=CHECKS)

    try:
        check()
    except Unsatisfiable:
        # nothing about this operation can be wrong
        assert mode is GenerationMode.NEGATIVE


WHOLE = make_pack(
    {"x": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "t": np.array(["a", "ü"], np.dtypes.StringDType())},
    {"a.txt": b"hello"},
    custom={"a": {"__float__": "NaN"}},
    instruments={"vna": {"settings": {"p": {"value": 1.0, "unit": "dBm", "dtype": "float"}}}},
    device={"chip": "x"},
    program={"source": "x"},
    tags=["q1"],
)
ENTRIES = entries_of(WHOLE)
FIELDS = {
    "id": "019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42",
    "name": "rabi",
    "date": "2026-11-22T10:07:00Z",
    "custom": {"a": {"__complex__": {"re": 1.0, "im": {"__float__": "NaN"}}}},
    "instruments": {"vna": {"settings": {"p": {"value": [1, 2], "options": None}}}},
    "datasets": {"x": {"dims": ["a", "b"], "units": "V", "attributes": {"a": 1}, "coordinates": []}},
    "files": ["a.txt"],
}
many = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def assert_no_failure(server: LiveServer, answer: Answer) -> None:
    """A save, which can be read then, or a problem that says what is wrong."""
    if answer.status in (200, 201):
        file_id = answer.json["id"]
        read_pack(server.get(f"{API}/{file_id}.zarr.zip").content)
        for name in server.get(f"{API}/{file_id}").json.get("datasets", {}):
            assert server.get(f"{API}/{file_id}/data/{quote(unescape_key(name))}").status == 200
        # the next one may have the same id
        server.request("DELETE", f"{API}/{file_id}")
        assert server.request("DELETE", f"{API}/{file_id}?purge=true").status == 204
        return
    assert answer.status in (409, 413, 422), answer.content
    assert answer.json["detail"]


@many
@given(st.data())
def test_no_change_of_a_packs_metadata_makes_it_fail(target: LiveServer, data: st.DataObject) -> None:
    group = group_of(ENTRIES)
    path = data.draw(st.sampled_from(nodes(group)))
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    assert_no_failure(target, target.post_pack(with_group(ENTRIES, changed(group, path, how, data.draw(json_values)))))


@many
@given(st.data())
def test_no_change_of_a_forms_metadata_makes_it_fail(target: LiveServer, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(nodes(FIELDS)))
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    fields = changed(FIELDS, path, how, data.draw(json_values))
    parts = [("metadata", json.dumps(fields).encode()), ("x", npy(np.ones((2, 3)))), ("a.txt", b"hello")]
    assert_no_failure(target, post_form(target, *data.draw(st.permutations(parts))))


@many
@given(st.data())
def test_no_change_of_a_bodys_bytes_makes_it_fail(target: LiveServer, data: st.DataObject) -> None:
    parts = (("x", npy(np.ones((2, 3)))), ("metadata", json.dumps(FIELDS).encode()), ("a.txt", b"hello"))
    body, kind = data.draw(st.sampled_from([(WHOLE, PACK), (form_of(*parts), FORM)]))
    start = data.draw(st.integers(0, len(body)))
    stop = start + data.draw(st.integers(0, 8))
    changed_body = body[:start] + data.draw(st.binary(max_size=8)) + body[stop:]
    assert_no_failure(target, target.request("POST", API, changed_body, {"Content-Type": kind}))
