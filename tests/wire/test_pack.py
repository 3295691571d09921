"""Packs: what goes in comes out, others can read them, and damage is noticed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
import zarr.storage
from array_strategies import Array, arrays, data_sets, free, names, same_bits, same_spec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aqdata.errors import Corrupt, Invalid
from aqdata.models import canonical
from aqdata.models.attachment import BytesFile
from aqdata.models.dtypes import dtype_name
from aqdata.models.spec import DataSetSpec
from aqdata.wire.pack import Pack, UnpackedPack, read_pack
from aqdata.wire.zip import header_size

ID = "019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42"
DataSets = dict[str, tuple[DataSetSpec, Array]]

often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seldom = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def pack_of(arrays: DataSets, files: dict[str, bytes] | None = None, **document: Any) -> Pack:
    text = canonical.encode({"id": ID, "kind": "measurement", "name": "rabi", **document})
    return Pack(text, arrays, {name: BytesFile(content) for name, content in (files or {}).items()})


def one(array: Array, **fields: Any) -> DataSets:
    dims = tuple(f"d{axis}" for axis in range(array.ndim))
    return {"x": (DataSetSpec(dtype_name(array.dtype), array.shape, dims, **fields), array)}


def assert_same(got: UnpackedPack, arrays: DataSets, files: dict[str, bytes]) -> None:
    assert list(got.arrays) == list(arrays)
    for name, (spec, array) in arrays.items():
        assert same_spec(got.arrays[name][0], spec)
        assert same_bits(got.arrays[name][1], array)
    assert {name: bytes(content) for name, content in got.files.items()} == files


@often
@given(
    data_sets(),
    st.dictionaries(names(), st.binary(max_size=50), max_size=2),
    st.dictionaries(st.text(max_size=5), free(), max_size=3),
)
def test_what_goes_in_comes_out(given_arrays: DataSets, files: dict[str, bytes], custom: dict[str, Any]) -> None:
    if len({name.casefold() for name in files}) < len(files):
        return
    pack = pack_of(given_arrays, files, custom=custom)
    data = b"".join(pack)
    assert len(data) == pack.size
    assert b"".join(pack) == data
    got = read_pack(data)
    assert_same(got, given_arrays, files)
    assert canonical.encode(got.document["custom"]) == canonical.encode(custom)


@often
@given(arrays())
def test_every_array_comes_back(array: Array) -> None:
    got = read_pack(b"".join(pack_of(one(array)))).arrays["x"][1]
    assert same_bits(got, array)
    assert got.flags.writeable
    assert got.size == 0 or not np.shares_memory(got, array)


def test_an_array_of_several_chunks_comes_back() -> None:
    array = np.random.default_rng(0).normal(size=(7, 300, 1100))
    for given_array in (array, np.asfortranarray(array), array[::-1, ::2], array.astype(">f4")):
        pack = pack_of(one(given_array))
        data = b"".join(pack)
        assert len(data) == pack.size
        assert same_bits(read_pack(data).arrays["x"][1], given_array)


def test_long_texts_and_many_of_them_come_back() -> None:
    texts = np.array(["x" * 100_000, "", "ü"] * 40_000, dtype=np.dtypes.StringDType())[:120_000:3000]
    many = np.array([str(number) for number in range(200_000)])
    for array in (texts, many, many.reshape(100, 2000).T):
        assert same_bits(read_pack(b"".join(pack_of(one(array)))).arrays["x"][1], array)


@pytest.mark.filterwarnings("ignore:.*does not have a Zarr V3 specification:FutureWarning")
@seldom
@given(data_sets())
def test_zipfile_zarr_and_xarray_read_it(tmp_path: Path, given_arrays: DataSets) -> None:
    data = b"".join(pack_of(given_arrays, {"fit.png": b"\x89PNG"}))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("__files__/fit.png") == b"\x89PNG"
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    path = tmp_path / "x.zarr.zip"
    path.write_bytes(data)
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        assert group.attrs["id"] == ID
        for name, (spec, array) in given_arrays.items():
            got = group[name]
            assert isinstance(got, zarr.Array)
            assert got.metadata.dimension_names == spec.dims
            values = np.asarray(got[...])
            if array.dtype.kind in "mM":
                values = values.view(array.dtype.newbyteorder("="))
            if array.dtype.kind in "UT":
                assert values.tolist() == array.tolist()
            else:
                assert same_bits(values, array)
    opened = xr.open_zarr(f"zip::file://{path}", decode_times=False, chunks=None)
    assert set(opened.variables) == set(given_arrays)


@pytest.mark.parametrize("units", ["K since cooldown", "sincere", "seconds", "s", "days", "V", ""])
def test_xarray_takes_no_units_for_dates(tmp_path: Path, units: str) -> None:
    path = tmp_path / "x.zarr.zip"
    acting = {"_FillValue": 0.0, "scale_factor": 2.0, "missing_value": 3.0, "dtype": "timedelta64[ns]"}
    array = np.arange(4.0)
    path.write_bytes(b"".join(pack_of(one(array, units=units, attributes=acting))))
    got = xr.open_zarr(f"zip::file://{path}", decode_timedelta=True)["x"]
    assert same_bits(np.asarray(got), array)
    assert "_FillValue" not in got.attrs


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_xarray_reads_times(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "x.zarr.zip"
    dates = np.array(["2026-11-22T10", "NaT"], f"datetime64[{unit}]")
    lasted = np.array([5, -1], f"timedelta64[{unit}]")
    spec = DataSetSpec(dtype_name(lasted.dtype), (2,), ("t",))
    path.write_bytes(b"".join(pack_of(one(dates) | {"t": (spec, lasted)})))
    got = xr.open_zarr(f"zip::file://{path}")
    assert (np.asarray(got["x"]) == dates).tolist() == [True, False]
    assert np.isnat(np.asarray(got["x"])).tolist() == [False, True]
    if unit.endswith("s"):
        assert (np.asarray(got["t"]) == lasted).all()


def small() -> tuple[DataSets, dict[str, bytes], bytes]:
    """A pack with something of everything."""
    texts = np.array(["a", "", "ü"], dtype=np.dtypes.StringDType())
    parts = {
        "z": np.asfortranarray(np.arange(6).reshape(2, 3) * (1 - 1j)),
        "on": np.array([True, False]),
        "t": texts,
        "u": np.array(["ab", "c"]),
        "s": np.array([b"ab", b"c"]),
        "when": np.array([0, 5], "datetime64[25us]"),
        "none": np.zeros((0, 2)),
    }
    described = {
        name: (
            DataSetSpec(dtype_name(array.dtype), array.shape, tuple(f"{name}{axis}" for axis in range(array.ndim))),
            array,
        )
        for name, array in parts.items()
    }
    files = {"a.txt": b"hello", "empty": b""}
    return described, files, b"".join(pack_of(described, files))


def test_damage_of_any_byte_is_noticed_or_harmless() -> None:
    described, files, data = small()
    document = canonical.encode(read_pack(data).document)
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            try:
                got = read_pack(damaged)
            except (Invalid, Corrupt):
                continue
            assert_same(got, described, files)
            assert canonical.encode(got.document) == document


def test_a_missing_or_added_end_is_noticed() -> None:
    data = small()[2]
    for end in range(len(data)):
        with pytest.raises((Invalid, Corrupt)):
            read_pack(data[:end])
    with pytest.raises((Invalid, Corrupt)):
        read_pack(data + b"\0")


@often
@given(st.data())
def test_lost_doubled_or_moved_bytes_are_noticed(data: st.DataObject) -> None:
    described, files, pack = small()
    start, stop, target = sorted(data.draw(st.tuples(*[st.integers(0, len(pack))] * 3)))
    kind = data.draw(st.sampled_from(["lost", "doubled", "moved"]))
    piece = pack[start:stop]
    damaged = {
        "lost": pack[:start] + pack[stop:],
        "doubled": pack[:stop] + piece + pack[stop:],
        "moved": pack[:start] + pack[stop:target] + piece + pack[target:],
    }[kind]
    try:
        got = read_pack(damaged)
    except (Invalid, Corrupt):
        return
    assert_same(got, described, files)


@often
@given(st.binary(max_size=200))
@example(b"PK\x05\x06" + b"\0" * 18)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises((Invalid, Corrupt)):
        read_pack(data)


def test_header_size_is_that_of_the_header() -> None:
    data = b"".join(pack_of({}))
    assert data[header_size("zarr.json")] == ord("{")
