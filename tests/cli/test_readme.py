"""What the README shows works as it stands, against a server."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
HERE = "http://127.0.0.1:5000"

Run = Callable[..., Any]


def test_the_python_in_it_runs(server: Any, tmp_path: Path) -> None:
    (tmp_path / "fit.png").write_bytes(b"\x89PNG")
    code = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(code.replace(HERE, server.url), "README.md", "exec"), names)
    assert names["got"].metadata.instruments["vna"].settings["power"].value == -30.0
    assert names["got"]["s21"][0, 100:200].shape == (100,)
    assert names["got"].to_xarray()["s21"].attrs["units"] == "V"
    assert names["file_id"] in {hit.id for hit in names["lab"].find(limit=None)}
    names["lab"].close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_commands_in_it_work(server: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "s21.npy", np.arange(100.0))
    commands = re.findall(r"^    (curl (?:.*\\\n)*.*)", README, re.MULTILINE)
    assert len(commands) == 3
    file_id = ""
    answers = []
    for command in commands:
        words = shlex.split(command.replace("\\\n", " ").replace(HERE, server.url).replace("/ID/", f"/{file_id}/"))
        done = subprocess.run([*words, "--silent", "--fail-with-body"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        answers.append(done.stdout)
        file_id = file_id or json.loads(done.stdout)["id"]
    assert file_id in answers[1] or len(json.loads(answers[1])["datafiles"]) == 5
    assert answers[2].splitlines()[:2] == ["s21", "0.0"]
    assert len(answers[2].splitlines()) == 11


def test_xarray_opens_what_it_says(aqdata: Run, server: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "s21.npy", np.arange(12.0).reshape(3, 4))
    file_id = aqdata("put", "s21.npy", "--url", server.url).out.strip()
    assert aqdata("get", file_id, "-o", "rabi.zarr.zip", "--url", server.url).code == 0
    for address in ("zip::file://rabi.zarr.zip", f"{server.url}/zarr/{file_id}"):
        with xr.open_zarr(address) as dataset:
            assert dataset["s21"].dims == ("s21_0", "s21_1")
            assert np.array_equal(dataset["s21"].values, np.arange(12.0).reshape(3, 4))
