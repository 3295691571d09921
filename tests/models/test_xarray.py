"""DataFiles to and from xarray: names, dims, coordinates, attributes; lazy arrays stay lazy."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from aqdata.errors import Invalid
from aqdata.models.datafile import DataFile, DataSet

xr = pytest.importorskip("xarray")


class Lazy:
    def __init__(self, array: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, index: Any) -> np.ndarray:
        result = self.values[index]
        self.read.append(result.size)
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.read.append(self.values.size)
        return self.values


S21 = np.arange(60.0).reshape(3, 4, 5) * 1j


def test_datasets_become_variables_and_coordinates() -> None:
    datafile = DataFile(
        {"name": "x", "custom": {"lab": "west"}},
        {
            "s21": DataSet(S21, ("a", "b", "c"), "V", "transmission", {"gain": 3}, coordinates=("temperature",)),
            "c": DataSet(np.arange(5.0), ("c",), "Hz"),
            "temperature": DataSet([1.0, 2.0, 3.0], ("a",), "mK"),
            "extra": DataSet([1, 2], ("d",)),
        },
    )
    dataset = datafile.to_xarray()
    assert set(dataset.coords) == {"c", "temperature"}
    assert set(dataset.data_vars) == {"s21", "extra"}
    assert dataset["s21"].attrs == {"units": "V", "long_name": "transmission", "gain": 3}
    assert dataset["s21"].dims == ("a", "b", "c")
    assert np.shares_memory(dataset["s21"].values, S21)
    assert dataset.attrs["lab"] == "west"
    assert dataset.attrs["aqdata_id"] == datafile.id
    back = DataFile.from_xarray(dataset, {"name": "y"})
    assert {name: back[name].spec() for name in back} == {name: datafile[name].spec() for name in datafile}
    assert back.metadata.custom == {"lab": "west"}


def test_a_lazy_array_is_read_in_pieces() -> None:
    lazy = Lazy(S21)
    variable = DataFile({"name": "x"}, {"s21": DataSet(lazy, ("a", "b", "c"))}).to_xarray()["s21"]
    repr(variable)
    assert lazy.read == []
    reference = xr.DataArray(S21, dims=("a", "b", "c"))
    for index in (
        {"a": 1},
        {"a": 1, "c": [4, 0]},
        {"a": 0, "b": slice(None, None, -1), "c": [1, 2]},
        {"a": [2, 0], "c": [1, 1, 3]},
        {"b": -1, "c": slice(1, 3)},
        {"a": np.array([True, False, True])},
        {"a": xr.DataArray([0, 2], dims="p"), "b": xr.DataArray([1, 3], dims="p")},
        {"a": 0, "b": 0, "c": 0},
    ):
        lazy.read.clear()
        xr.testing.assert_equal(variable.isel(index).load(), reference.isel(index))
        assert sum(lazy.read) < S21.size


def test_a_lazy_array_of_texts() -> None:
    texts = np.array(["a", "bc"], dtype=np.dtypes.StringDType())
    variable = DataFile({"name": "x"}, {"t": DataSet(Lazy(texts), ("i",))}).to_xarray()["t"]
    assert list(variable[1:].values) == ["bc"]


def test_datasets_of_xarray_come_back() -> None:
    dataset = xr.Dataset(
        {
            "y0": (("dim_0",), [1.0, np.nan], {"units": "V", "long_name": "I", "standard_name": "i"}),
            "y1": (("dim_0",), [1, 2]),
        },
        coords={
            "x0": ("dim_0", [0.1, 0.2], {"units": "Hz"}),
            "dim_0": [5, 6],
            "run": 7,
            "name": ("other", ["a", "bc"]),
        },
        attrs={"tuid": "20230523", "grid_2d": np.True_, "user": "both"},
    )
    datafile = DataFile.from_xarray(dataset, {"name": "x", "custom": {"user": "ana"}})
    assert datafile["y0"].units == "V"
    assert datafile["y0"].attributes == {"standard_name": "i"}
    assert set(datafile["y1"].coordinates) == {"x0", "run"}
    assert set(datafile["y0"].coordinates) == {"x0", "run", "name"}
    assert datafile.metadata.custom == {"tuid": "20230523", "grid_2d": True, "user": "ana"}
    back = datafile.to_xarray()
    back.attrs = dataset.attrs
    xr.testing.assert_identical(back, dataset)


def test_the_metadata_given_are_not_changed() -> None:
    first = DataFile({"name": "x"})
    DataFile.from_xarray(xr.Dataset(attrs={"a": 1}), first.metadata)
    assert first.metadata.custom == {}


def test_what_cannot_be_stored_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        DataFile.from_xarray(xr.Dataset({"y": ("t", np.array([None], dtype=object))}), {"name": "x"})
    assert caught.value.field == "datasets.y.dtype"
    with pytest.raises(Invalid) as caught:
        DataFile.from_xarray(xr.Dataset({"y": ("t", [1], {"units": 3})}), {"name": "x"})
    assert caught.value.field == "datasets.y.units"
    with pytest.raises(Invalid, match="path"):
        DataFile.from_xarray(xr.Dataset({"a/b": ("t", [1])}), {"name": "x"})


def test_without_xarray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"aqdata\[xarray\]"):
        DataFile({"name": "x"}).to_xarray()
