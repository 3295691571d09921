"""Whom the server answers, and what it says to requests that lead nowhere."""

from __future__ import annotations

import json

import pytest
from live_server import API, PACK, LiveServer, assert_refused
from packs import make_pack

from aqdata.models.ids import new_id


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Host": "evil.example"}, "Host"),
        ({"Host": "evil.example:5000"}, "Host"),
        ({"Host": "127.0.0.1.evil.example"}, "Host"),
        ({"Host": ""}, "Host"),
        ({"Host": "[::1"}, "Host"),
        ({"Origin": "http://evil.example"}, "Origin"),
        ({"Origin": "http://127.0.0.1:1"}, "Origin"),
        ({"Origin": "null"}, "Origin"),
        ({"Origin": ""}, "Origin"),
        ({"Origin": "http://["}, "Origin"),
        ({"Origin": "http://[x]/"}, "Origin"),
    ],
)
@pytest.mark.parametrize("path", [API, "/healthz", "/docs", "/zarr/x/zarr.json"])
def test_foreign_hosts_and_origins_are_refused(
    server: LiveServer, headers: dict[str, str], field: str, path: str
) -> None:
    with server.unchanged():
        assert_refused(server.request("GET", path, headers=headers), 403, field, "")
        answer = server.request("POST", API, make_pack(), {"Content-Type": PACK, **headers})
        assert_refused(answer, 403, field, "")


def test_own_hosts_and_origins_are_answered(server: LiveServer) -> None:
    for headers in (
        {"Host": "localhost"},
        {"Host": "LOCALHOST:5000"},
        {"Host": "[::1]:5000"},
        {"Origin": server.url},
        {"Host": "localhost:8888", "Origin": "http://localhost:8888"},
    ):
        assert server.request("GET", "/healthz", headers=headers).status == 200


def test_health(server: LiveServer) -> None:
    assert server.get("/healthz").json["status"] == "ok"
    assert server.get("/readyz").json == {"status": "ready"}


def test_unknown_paths_and_methods(server: LiveServer) -> None:
    assert_refused(server.get("/api/v1/nothing"), 404, None, "Not Found")
    for method, path in (("PATCH", API), ("PUT", API), ("POST", f"{API}/{new_id()}"), ("TRACE", API)):
        answer = server.request(method, path)
        assert (answer.status, answer.media_type) == (405, "application/problem+json")
        assert answer.headers["Allow"]


def test_problems_are_json_even_for_odd_texts(server: LiveServer) -> None:
    answer = server.get(f"{API}/%ED%A0%80%FF")
    assert (answer.status, answer.media_type) == (422, "application/problem+json")
    json.loads(answer.content)
