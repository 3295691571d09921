"""A URL given for a folder, or a folder for a URL, is refused with the function that takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import aqdata
from aqdata.errors import Invalid


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("open_lab", [aqdata.open, aqdata.aio.open])
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:5000", "HTTPS://cryo2.lab", Path("http://x"), "127.0.0.1:5000", "localhost:5000", "[::1]:5000"],
)
def test_a_server_is_no_folder(open_lab: Any, url: Any, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"aqdata\.connect") as caught:
        open_lab(url)
    assert caught.value.field == "folder"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("connect", [aqdata.connect, aqdata.aio.connect])
@pytest.mark.parametrize(
    "folder", ["~/rabi", "/data/rabi", "./rabi", "../rabi", "C:\\rabi", "file:///rabi", Path("rabi"), "existing"]
)
def test_a_folder_is_no_server(connect: Any, folder: Any, tmp_path: Path) -> None:
    (tmp_path / "existing").mkdir()
    with pytest.raises(Invalid, match=r"aqdata\.open") as caught:
        connect(folder)
    assert caught.value.field == "url"


def test_names_of_servers_and_folders_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "cryo2").mkdir()
    assert "http://cryo2:5000" in repr(aqdata.connect("cryo2:5000"))
    assert "http://cryo3" in repr(aqdata.connect("cryo3"))
    aqdata.open(tmp_path / "run 12:30").close()
    assert (tmp_path / "run 12:30").is_dir()
