"""The OpenAPI is complete, `/docs` needs no other server, and nothing that fits it makes the server fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from live_server import API, LiveServer

METHODS = ("get", "put", "post", "delete", "patch", "head")


@pytest.fixture(scope="module")
def schema(server: LiveServer) -> Any:
    return server.get("/openapi.json").json


def operations(schema: Any) -> Iterator[tuple[str, Any]]:
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_docs_need_no_other_server(server: LiveServer) -> None:
    page = server.get("/docs")
    assert (page.status, page.media_type) == (200, "text/html")
    text = page.content.decode()
    assert re.findall(r"(?:https?:)?//[\w.-]+", text.replace(server.url, "")) == []
    assets = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert len(assets) >= 3
    for asset in assets:
        got = server.get(asset)
        assert got.status == 200, asset
        assert len(got.content) > 100
    assert "/openapi.json" in text
    assert server.get("/").status == 307


def test_every_route_is_there(schema: Any) -> None:
    assert {name for name, _ in operations(schema)} >= {
        "POST /api/v1/datafiles",
        "GET /api/v1/datafiles",
        "GET /api/v1/datafiles/{file_id}",
        "DELETE /api/v1/datafiles/{file_id}",
        "POST /api/v1/datafiles/{file_id}/restore",
        "GET /api/v1/datafiles/{file_id}.zarr.zip",
        "GET /api/v1/datafiles/{file_id}/data/{name}",
        "POST /api/v1/datafiles/{file_id}/data/{name}/read",
        "GET /api/v1/datafiles/{file_id}/files/{name}",
        "PUT /api/v1/datafiles/{file_id}/files/{name}",
        "GET /zarr/{file_id}/{key}",
        "GET /healthz",
        "GET /readyz",
    }


def test_every_route_has_words_and_examples(schema: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(schema)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(schema):
        assert operation.get("description"), name
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                assert parameter["schema"].get("examples") or "example" in parameter, (name, parameter)
            assert parameter.get("description"), (name, parameter)
        good = [status for status in operation["responses"] if status.startswith("2")]
        assert good, name
        if "requestBody" in operation:
            kinds = operation["requestBody"]["content"]
            assert all("schema" in kind for kind in kinds.values()), name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            for media_type, content in response.get("content", {}).items():
                assert content.get("schema"), (name, status, media_type)
                is_binary = content["schema"].get("format") == "binary"
                assert is_binary or "example" in content or "examples" in content, (name, status, media_type)
        if name not in ("GET /healthz",):
            assert "503" in operation["responses"], name


ERRORS = {
    "POST /api/v1/datafiles": "403 409 410 413 422 503 507",
    "GET /api/v1/datafiles": "403 422 503",
    "GET /api/v1/datafiles/{file_id}": "403 404 410 422 503",
    "DELETE /api/v1/datafiles/{file_id}": "403 404 409 413 422 503 507",
    "POST /api/v1/datafiles/{file_id}/restore": "403 404 409 413 422 503 507",
    "GET /api/v1/datafiles/{file_id}.zarr.zip": "403 404 410 422 503",
    "GET /api/v1/datafiles/{file_id}/data/{name}": "403 404 410 413 422 503",
    "POST /api/v1/datafiles/{file_id}/data/{name}/read": "403 404 410 413 422 503",
    "GET /api/v1/datafiles/{file_id}/files/{name}": "403 404 410 422 503",
    "PUT /api/v1/datafiles/{file_id}/files/{name}": "403 404 409 410 413 422 503 507",
    "GET /zarr/{file_id}/{key}": "403 404 410 416 422 503",
    "GET /healthz": "403",
    "GET /readyz": "403 503 507",
}


def test_every_error_that_a_route_can_give_is_documented_and_no_other(schema: Any) -> None:
    found = {}
    for name, operation in operations(schema):
        errors = sorted(status for status in operation["responses"] if status[0] in "45")
        found[name] = " ".join(errors)
        for status in errors:
            problem = operation["responses"][status]["content"]["application/problem+json"]
            assert problem["example"]["status"] == int(status), (name, status)
            assert {"type", "title", "status", "detail", "field"} == problem["example"].keys()
    assert found == ERRORS


def test_titles_are_for_people(server: LiveServer, schema: Any) -> None:
    assert schema["info"]["title"] == "aqdata – Atlantic Quantum Data"
    assert "<title>aqdata – Atlantic Quantum Data" in server.get("/docs").content.decode()
    summaries = [operation["summary"] for _, operation in operations(schema)]
    assert {"Save a DataFile", "Read part of a DataSet by index arrays"} <= set(summaries)
    assert len(set(summaries)) == len(summaries)
    assert min(len(summary.split()) for summary in summaries) > 1


def test_the_examples_are_true(server: LiveServer, schema: Any) -> None:
    """The form of the example is one that the server takes, and what it answers has the documented fields."""
    import numpy as np
    from forms import npy, post_form

    save = schema["paths"][API]["post"]
    form = save["requestBody"]["content"]["multipart/form-data"]["example"]["metadata"]
    arrays = {"frequency": np.linspace(4e9, 5e9, 501), "s21": np.ones((41, 501), "c16")}
    answer = post_form(
        server,
        ("metadata", json.dumps(form).encode()),
        *((name, npy(array)) for name, array in arrays.items()),
        *((name, b"x") for name in form["files"]),
    )
    assert answer.status == 201, answer.content
    receipt = save["responses"]["201"]["content"]["application/json"]["example"]
    assert answer.json.keys() == receipt.keys()
    document = schema["paths"][f"{API}/{{file_id}}"]["get"]["responses"]["200"]["content"]["application/json"][
        "example"
    ]
    got = server.get(f"{API}/{answer.json['id']}").json
    assert document.keys() <= got.keys()
    for name in document["datasets"]:
        assert got["datasets"][name] == document["datasets"][name]
    assert got["files"].keys() == document["files"].keys()
    assert got["instruments"] == document["instruments"]
    page = schema["paths"][API]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    hit = server.get(API, limit="1").json["datafiles"][0]
    assert page["datafiles"][0].keys() <= hit.keys()
    read = schema["paths"][f"{API}/{{file_id}}/data/{{name}}/read"]["post"]
    body = read["requestBody"]["content"]["application/json"]["example"]
    path = f"{API}/{answer.json['id']}/data/s21/read"
    got_read = server.request("POST", path, json.dumps(body), {"Accept": "application/json"})
    assert got_read.json["shape"] == [3, 251]
    assert got_read.json.keys() >= read["responses"]["200"]["content"]["application/json"]["example"].keys()
