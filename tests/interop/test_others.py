"""xarray and zarr-python read what the stores hold, in an environment without aqdata."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_server import API, LiveServer

from aqdata import DataFile, DataSet, Lab, MetaData
from aqdata.models import canonical

WHERE = (
    "stored pack",
    "stored directory",
    "pack over HTTP",
    "directory over HTTP",
    "downloaded pack",
    "downloaded directory",
)
both = pytest.mark.parametrize("kind", ["xarray", "zarr"])
everywhere = pytest.mark.parametrize("where", WHERE)


def measurement() -> DataFile:
    """Every dtype, memory order and kind of coordinate; an array of several chunks in each order."""
    random = np.random.default_rng(0)
    frequency = np.linspace(4e9, 5e9, 501)
    s21 = random.normal(size=(300, 501)) + 1j * random.normal(size=(300, 501))
    texts = np.array(["a", "ü😀", "", "x" * 100] * 5, np.dtypes.StringDType())
    flux = DataSet(np.linspace(-1, 1, 300), ("flux",), "mA", "flux bias", {"source": {"slot": 3}, "limits": [-2, 2]})
    return DataFile(
        MetaData(name="spectroscopy", tags=["q1"], custom={"a.b": float("nan"), "c": 1j}),
        {
            "frequency": DataSet(frequency, ("frequency",), "Hz", "drive frequency"),
            "flux": flux,
            "current": DataSet(np.linspace(0, 5, 300), ("flux",), "A"),
            "s21": DataSet(s21, ("flux", "frequency"), "V", coordinates=("current",)),
            "turned": DataSet(np.asfortranarray(s21), ("flux", "frequency"), "V"),
            "cooled": DataSet(np.arange(300), ("flux",), "K since cooldown", attributes={"scale_factor": 2.0}),
            "lasted": DataSet(np.linspace(0, 1, 300), ("flux",), "seconds", attributes={"_FillValue": 0.0}),
            "when": DataSet(np.arange(300).astype("M8[s]").astype("M8[ns]"), ("flux",)),
            "took": np.array([1, 5, -3], "m8[us]"),
            "text": DataSet(texts, ("text",)),
            "fixed": np.array(["ab", "c"]),
            "bytes": np.array([b"ab", b"c"]),
            "mask": np.array([[True], [False]]),
            "count": np.array(2**64 - 1, "u8"),
            "half": np.array([0.1, np.nan, -np.inf], "f2"),
            "big": np.arange(3, dtype=">i4"),
            "none": np.zeros((0, 3)),
            "mit leerzeichen": np.arange(3.0),
        },
        {"fit.png": b"\x89PNG"},
    )


@pytest.fixture(scope="module")
def saved() -> DataFile:
    return measurement()


@pytest.fixture(scope="module")
def results(
    saved: DataFile,
    server: LiveServer,
    lab: Lab,
    directory_server: LiveServer,
    directory_lab: Lab,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of what the others saw."""
    folder = tmp_path_factory.mktemp("others")
    for one in (lab, directory_lab):
        one.save(saved)
    [pack] = server.data.glob(f"{saved.id}.*.zarr.zip")
    [directory] = directory_server.data.glob(f"{saved.id}.*.zarr")
    assert len(list(directory.glob("s21/c.*"))) > 1
    for name, one in (("pack", server), ("directory", directory_server)):
        (folder / f"{name}.zarr.zip").write_bytes(one.get(f"{API}/{saved.id}.zarr.zip").content)
    locations = [
        f"zip::file://{pack}",
        str(directory),
        f"{server.url}/zarr/{saved.id}",
        f"{directory_server.url}/zarr/{saved.id}",
        f"zip::file://{folder / 'pack.zarr.zip'}",
        f"zip::file://{folder / 'directory.zarr.zip'}",
    ]
    script = Path(__file__).with_name("others.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), *locations], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def seen(results: Path, where: str, kind: str) -> tuple[Any, Any]:
    stem = f"{WHERE.index(where)}.{kind}"
    return json.loads((results / f"{stem}.json").read_text()), np.load(results / f"{stem}.npz")


@everywhere
@both
def test_values(saved: DataFile, results: Path, where: str, kind: str) -> None:
    _, arrays = seen(results, where, kind)
    assert {name for name in arrays if ":" not in name} == set(saved.data)
    for name, dataset in saved.data.items():
        expected, got = np.asarray(dataset), arrays[name]
        if kind == "zarr" and expected.dtype.kind in "mM":
            got = got.view(expected.dtype)
        assert got.shape == expected.shape, name
        if expected.dtype.kind in "UT":
            assert got.tolist() == expected.tolist()
            continue
        # xarray has times in its own units
        assert got.dtype.kind == expected.dtype.kind, name
        if expected.dtype.kind not in "mM":
            assert got.dtype == expected.dtype.newbyteorder("="), name
        assert got.tobytes() == expected.astype(got.dtype).tobytes(), name
        if f"{name}:part" in arrays:
            assert arrays[f"{name}:part"].tobytes() == got[..., ::3].tobytes()


@everywhere
def test_xarray_knows_dims_units_and_coordinates(saved: DataFile, results: Path, where: str) -> None:
    found, _ = seen(results, where, "xarray")
    assert found["coords"] == ["current", "flux", "frequency", "text"]
    assert found["indexes"] == ["flux", "frequency", "text"]
    assert found["sizes"].items() >= {"flux": 300, "frequency": 501, "text": 20}.items()
    variables = found["variables"]
    for name, dataset in saved.data.items():
        assert variables[name]["dims"] == list(dataset.dims), name
    assert variables["frequency"]["attrs"] == {"units": "Hz", "long_name": "drive frequency"}
    assert variables["flux"]["attrs"] == {
        "units": "mA",
        "long_name": "flux bias",
        "source": {"slot": 3},
        "limits": [-2, 2],
    }
    assert variables["when"]["dtype"].startswith("datetime64")
    assert variables["took"]["dtype"].startswith("timedelta64")
    assert variables["cooled"]["attrs"]["aqdata"] == {"units": "K since cooldown", "attributes": {"scale_factor": 2.0}}


@everywhere
@both
def test_the_group_says_what_it_is(saved: DataFile, results: Path, where: str, kind: str) -> None:
    attributes = seen(results, where, kind)[0]["attrs"]
    assert attributes.keys() == {"id", "name", "kind", "metadata"}
    assert (attributes["id"], attributes["name"], attributes["kind"]) == (saved.id, "spectroscopy", "measurement")
    expected = canonical.to_json_value(saved.metadata.to_document())
    assert {key: attributes["metadata"][key] for key in expected} == expected


@everywhere
def test_zarr_reads_consolidated_metadata(saved: DataFile, results: Path, where: str) -> None:
    found, _ = seen(results, where, "zarr")
    assert found["consolidated"] == sorted(saved.data)
    assert found["dims"] == {name: list(dataset.dims) for name, dataset in saved.data.items()}
    assert found["chunks"]["s21"] != [300, 501]
