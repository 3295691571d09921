"""Lists of DataFiles over HTTP: order, pages, endings of ids, wrong questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from live_server import API, LiveServer, assert_refused
from packs import make_pack


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server of 25 DataFiles, one a day, the last one in the bin."""
    with LiveServer(tmp_path_factory.mktemp("filled")) as server:
        for day in range(1, 26):
            pack = make_pack({"a.b": np.zeros((2, 3))}, name=f"{day}", tags=["x"], date=f"2026-11-{day:02}T00:00:00Z")
            file_id = server.post_pack(pack).json["id"]
        server.request("DELETE", f"{API}/{file_id}")
        yield server


def test_lists_are_newest_first_and_paged(filled: LiveServer) -> None:
    whole = filled.get(API).json
    assert [found["name"] for found in whole["datafiles"]] == [str(day) for day in range(24, 0, -1)]
    assert whole["cursor"] is None
    first = whole["datafiles"][0]
    assert first["shapes"] == {"a%2Eb": [2, 3]}
    assert first["tags"] == ["x"]
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = filled.get(API, limit="7", **cursor).json
        paged += page["datafiles"]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert paged == whole["datafiles"]
    assert [found["name"] for found in filled.get(API, state="deleted").json["datafiles"]] == ["25"]
    assert filled.get(API, state="open").json == {"datafiles": [], "cursor": None}


def test_ids_by_their_ending(filled: LiveServer) -> None:
    ids = [found["id"] for found in filled.get(API).json["datafiles"]]
    for ending in (ids[0], ids[0][-8:], ids[0][-8:].upper()):
        assert [found["id"] for found in filled.get(API, ending=ending).json["datafiles"]] == [ids[0]]
    assert filled.get(API, ending="ffffffffffff").json["datafiles"] == []
    assert len(filled.get(API, ending="-").json.get("datafiles", [])) <= 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "9" * 100}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "x" * 1001}, "cursor"),
        ({"cursor": "\0"}, "cursor"),
        ({"state": "x"}, "state"),
        ({"ending": "xyz"}, "ending"),
        ({"ending": ""}, "ending"),
        ({"ending": "%"}, "ending"),
        ({"ending": "a" * 37}, "ending"),
    ],
)
def test_wrong_questions_are_refused(filled: LiveServer, query: dict[str, str], field: str) -> None:
    assert_refused(filled.get(API, **query), 422, field, "")
