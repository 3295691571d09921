"""Every measurement of real labs comes back equal bit for bit: whole, and in random slices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from array_strategies import same_bits, same_spec
from live_server import API, LiveServer
from realdata.reader import Measurement, read_labcore, read_quantify
from scipy.io import netcdf_file

import aqdata
from aqdata import DataFile, Lab
from aqdata.models.selection import Selection

ROOT = Path(os.environ.get("AQDATA_TEST_REALDATA") or Path(__file__).parents[3] / "shared" / "realdata")
FOLDERS = [
    *((read_quantify, folder) for folder in sorted(ROOT.glob("quantify/*/*/"))),
    *((read_labcore, folder) for folder in sorted(ROOT.glob("labcore/*/"))),
]
needs_data = pytest.mark.skipif(not ROOT.is_dir(), reason="the real measurements are not here")
each = pytest.mark.parametrize(("read", "folder"), FOLDERS, ids=[folder.name for _, folder in FOLDERS])
SLICES = 20


@pytest.fixture(scope="module", params=["server", "directory_server"])
def either(request: pytest.FixtureRequest) -> LiveServer:
    """A server that keeps small DataFiles as packs, and one of directories."""
    server: LiveServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def lab_of(either: LiveServer) -> Iterator[Lab]:
    with aqdata.connect(either.url) as lab:
        yield lab


@needs_data
def test_every_file_is_read() -> None:
    read = [source for reader, folder in FOLDERS for source in reader(folder).sources]
    there = [path for kind in ("quantify", "labcore") for path in (ROOT / kind).rglob("*") if path.is_file()]
    assert len(read) > 80
    assert sorted(read) == sorted(there)


@needs_data
@each
def test_it_comes_back(read: Any, folder: Path, lab_of: Lab) -> None:
    measurement: Measurement = read(folder)
    arrays = {id(df): raw_arrays(measurement, df) for df in measurement.datafiles}
    for df in measurement.datafiles:
        assert df.data or df.files or df.metadata.instruments
        lab_of.save(df, environment=False)
        got = lab_of.load(df.id)
        assert got.metadata == df.metadata
        assert list(got.data) == list(df.data)
        for name, dataset in df.data.items():
            assert same_spec(got[name].spec(), dataset.spec())
            # the source is read again, by other means
            assert same_bits(np.asarray(got[name]), arrays[id(df)][name])
        assert {name: file.read() for name, file in got.files.items()} == {
            name: file.read() for name, file in df.files.items()
        }
        if df.metadata.kind == "analysis":
            assert got.metadata.parents == [measurement.datafiles[0].id]


@needs_data
@each
def test_slices_of_it_are_numpys(read: Any, folder: Path, either: LiveServer, lab_of: Lab) -> None:
    random = Random(folder.name)
    connection = either.connection()
    for df in read(folder).datafiles:
        lab_of.save(df, environment=False)
        for name, dataset in df.data.items():
            array = np.asarray(dataset)
            for _ in range(SLICES):
                index = tuple(random_part(random, length) for length in array.shape)
                text = Selection.of(index, array.shape).to_text()
                connection.request("GET", f"{API}/{df.id}/data/{name}?slice={text}")
                answer = connection.getresponse()
                expected = np.asarray(array[index])
                assert answer.headers["X-Aqdata-Shape"] == ",".join(map(str, expected.shape))
                got = np.frombuffer(answer.read(), expected.dtype.newbyteorder("<")).reshape(expected.shape)
                assert same_bits(got.astype(expected.dtype.newbyteorder("=")), expected)
    connection.close()


def random_part(random: Random, length: int) -> int | slice:
    if random.random() < 0.3:
        return random.randrange(-length, length)
    ends = sorted(random.choices(range(length + 1), k=2))
    step = random.choice([1, 1, 2, 3, 7, -1, -3])
    return slice(*ends, step) if step > 0 else slice(ends[1] - 1 if ends[1] else 0, ends[0] or None, step)


def raw_arrays(measurement: Measurement, df: DataFile) -> dict[str, Any]:
    """The arrays of a DataFile's source, straight from the file."""
    is_analysis = df.metadata.kind == "analysis"
    root = min(source.parent for source in measurement.sources)
    found: dict[str, Any] = {}
    for path in measurement.sources:
        if path.suffix not in (".hdf5", ".ddh5") or (path.parent != root) != is_analysis:
            continue
        if path.read_bytes()[:3] == b"CDF":
            with netcdf_file(path, mmap=False) as file:
                found |= {name: np.array(variable.data) for name, variable in file.variables.items()}
            continue
        with h5py.File(path) as file:
            group = file["data"] if path.suffix == ".ddh5" else file
            found |= {name: group[name][()] for name in df.data}
    return found
