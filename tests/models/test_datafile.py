"""DataFiles and DataSets: what they take, what they refuse, and which field they name."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqdata.errors import Invalid, TooLarge
from aqdata.models.attachment import BytesFile
from aqdata.models.canonical import decode, encode
from aqdata.models.datafile import DataFile, DataSet, DataSetSpec, LazyArray, check_data_sets
from aqdata.models.ids import check_id, new_id
from aqdata.models.metadata import MetaData


class Lazy:
    """A lazy array that notes what was read of it."""

    def __init__(self, array: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, index: Any) -> np.ndarray:
        self.read.append(index)
        return self.values[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.read.append(...)
        return self.values


FREQUENCY = np.linspace(4e9, 5e9, 5)
S21 = np.arange(15.0).reshape(3, 5) * 1j


def spectroscopy(**more: Any) -> DataFile:
    data = {
        "frequency": DataSet(FREQUENCY, ("frequency",), "Hz", "drive frequency"),
        "s21": DataSet(S21, ("flux", "frequency"), "V", attributes={"gain": 3, "noise": float("nan")}),
    }
    return DataFile({"name": "qubit spectroscopy", "user": "ana", "tags": ["q1"]}, data | more)


def test_a_dataset_keeps_its_array_and_describes_it() -> None:
    dataset = spectroscopy()["s21"]
    assert dataset.array is S21
    assert (dataset.shape, dataset.ndim, dataset.size, dataset.nbytes, len(dataset)) == ((3, 5), 2, 15, 240, 3)
    assert (dataset.dims, dataset.units, dataset.long_name) == (("flux", "frequency"), "V", None)
    assert dataset.attributes["gain"] == 3
    np.testing.assert_array_equal(dataset[1, ::2], S21[1, ::2])
    np.testing.assert_array_equal(np.asarray(dataset), S21)
    assert repr(dataset) == "<DataSet (flux: 3, frequency: 5) complex128, units='V'>"


def test_dims_are_named_after_the_dataset_unless_given() -> None:
    array = np.zeros((2, 3))
    datafile = DataFile({"name": "x"}, {"a": array, "b": DataSet(array), "c": DataSet(array, ("p", "q")), "d": 1.5})
    assert [dataset.dims for dataset in datafile.data.values()] == [("a_0", "a_1"), ("b_0", "b_1"), ("p", "q"), ()]
    assert DataSet(array).spec("z").dims == ("z_0", "z_1")


def test_texts_become_a_stringdtype() -> None:
    dataset = DataSet(np.array(["q1", "µ"], dtype=object))
    assert dataset.spec().dtype == "str"
    assert list(dataset[:]) == ["q1", "µ"]


def test_a_lazy_array_is_read_when_it_is_indexed_and_not_before() -> None:
    lazy = Lazy(S21)
    assert isinstance(lazy, LazyArray)
    datafile = spectroscopy(s21=DataSet(lazy, ("flux", "frequency")))
    repr(datafile), repr(datafile["s21"]), datafile.to_document()
    assert lazy.read == []
    np.testing.assert_array_equal(datafile["s21"][0, 1:3], S21[0, 1:3])
    assert lazy.read == [(0, slice(1, 3))]
    np.testing.assert_array_equal(np.asarray(datafile["s21"]), S21)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"array": [object()]}, "dtype"),
        ({"array": [None, "a"]}, "dtype"),
        ({"array": [2**64]}, "dtype"),
        ({"array": [[1], [2, 3]]}, "array"),
        ({"array": {"a": 1}}, "dtype"),
        ({"array": np.zeros(2, "i4,f8")}, "dtype"),
        ({"array": np.zeros(2, np.longdouble)}, "dtype"),
        ({"array": np.zeros(2, np.clongdouble)}, "dtype"),
        ({"array": np.ma.array([1, 2], mask=[True, False])}, "array"),
        ({"array": np.array(["\ud800"], dtype=object)}, "array"),
        ({"array": DataSet([1])}, "array"),
        ({"array": [1], "dims": "x"}, "dims"),
        ({"array": [1], "dims": ()}, "dims"),
        ({"array": [1], "dims": ("",)}, "dims.0"),
        ({"array": [[1]], "dims": ("a", "b/c")}, "dims.1"),
        ({"array": [1], "dims": ("a\n",)}, "dims.0"),
        ({"array": [1], "dims": ("a" * 129,)}, "dims.0"),
        ({"array": [1], "dims": (3,)}, "dims.0"),
        ({"array": [[1]], "dims": ("a", "a")}, "dims"),
        ({"array": [1], "units": 3}, "units"),
        ({"array": [1], "units": "V", "attributes": {"units": "A"}}, "attributes.units"),
        ({"array": [1], "attributes": {"a": {1}}}, "attributes.a"),
        ({"array": [1], "coordinates": "x"}, "coordinates"),
    ],
)
def test_what_cannot_be_stored_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        DataSet(**arguments)
    assert caught.value.field == field
    with pytest.raises(Invalid) as caught:
        DataFile({"name": "x"}, {"s21": DataSet(**arguments)} if field != "array" else {"s21": 1, "../x": 2})


def test_a_mask_without_masked_values_is_no_obstacle() -> None:
    assert DataSet(np.ma.array([1, 2], mask=False)).array.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"../x": [1]}, "datasets"),
        ({"": [1]}, "datasets"),
        ({"x" * 300: [1]}, "datasets"),
        ({"S21": [1], "s21": [1]}, "datasets"),
        ({"a": DataSet([1, 2], ("t",)), "b": DataSet([1, 2, 3], ("t",))}, "datasets.b.dims"),
        ({"a": DataSet([1, 2], ("t",)), "t": 1}, "datasets.t.dims"),
        ({"a": DataSet([1], coordinates=("b",))}, "datasets.a.coordinates"),
        ({"a": [object()]}, "datasets.a.dtype"),
        ([1, 2], "data"),
    ],
)
def test_datasets_that_do_not_go_together_are_refused(data: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        DataFile({"name": "x"}, data)
    assert caught.value.field == field


def test_a_shared_dim_of_two_lengths_names_both_datasets() -> None:
    with pytest.raises(Invalid, match=r"datasets\.b\.dims: dim 't' has length 3 here and 2 in 'a'"):
        DataFile({"name": "x"}, {"a": DataSet([1, 2], ("t",)), "b": DataSet([1, 2, 3], ("t",))})


specs = st.builds(
    DataSetSpec,
    dtype=st.sampled_from(["float64", "str", "U3", "datetime64[ns]", "complex64"]),
    shape=st.just((2, 3)),
    dims=st.lists(st.text("abcµ. %", min_size=1), min_size=2, max_size=2, unique=True).map(tuple),
    units=st.none() | st.text(),
    long_name=st.none() | st.text(),
    coordinates=st.lists(st.text(), max_size=2).map(tuple),
    attributes=st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False)),
)


@given(specs)
def test_a_spec_comes_back_as_it_went_in(spec: DataSetSpec) -> None:
    assert DataSetSpec.from_document(decode(encode(spec.to_document()))) == spec


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"dtype": "object"}, "d.dtype"),
        ({"dtype": None}, "d.dtype"),
        ({"shape": [2, -1]}, "d.shape.1"),
        ({"shape": [2, True]}, "d.shape.1"),
        ({"shape": 2}, "d.shape"),
        ({"shape": [2.0, 3]}, "d.shape.0"),
        ({"dims": "ab"}, "d.dims"),
        ({"dims": ["a"]}, "d.dims"),
        ({"units": 1}, "d.units"),
        ({"attributes": []}, "d.attributes"),
        ({"coordinates": [1]}, "d.coordinates.0"),
        ({"unit": "V"}, "d.unit"),
    ],
)
def test_a_wrong_spec_is_refused_with_its_path(wrong: dict[str, Any], field: str) -> None:
    document = {"dtype": "float64", "shape": [2, 3], "dims": ["a", "b"], **wrong}
    with pytest.raises(Invalid) as caught:
        DataSetSpec.from_document(document, "d")
    assert caught.value.field == field


def test_a_spec_needs_dtype_shape_and_dims() -> None:
    for document in ({}, [], {"dtype": "int8", "shape": []}):
        with pytest.raises(Invalid):
            DataSetSpec.from_document(document)
    check_data_sets({"a": DataSetSpec("int8", (), ())})


def test_files_are_paths_or_bytes(tmp_path: Path) -> None:
    path = tmp_path / "fit.png"
    path.write_bytes(b"picture")
    for files in (
        [path],
        [str(path)],
        {"fit.png": path},
        {"fit.png": b"picture"},
        {"fit.png": BytesFile(b"picture", "image/png")},
    ):
        (source,) = DataFile({"name": "x"}, files=files).files.values()
        assert (source.size, source.media_type, source.read()) == (7, "image/png", b"picture")
        with source.open() as stream:
            assert stream.read(3) == b"pic"


@pytest.mark.parametrize(
    ("files", "field"),
    [
        (["/nowhere/fit.png"], "files.fit.png"),
        (["/"], "files"),
        (["/tmp"], "files.tmp"),
        ("fit.png", "files"),
        ([b"bytes"], "files.0"),
        ({"../x": b""}, "files"),
        ({"a": b"", "A": b""}, "files"),
        (["/a/fit.png", "/b/fit.png"], "files"),
        ({"a": 3}, "files.a"),
    ],
)
def test_files_that_cannot_be_attached_are_refused(files: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        DataFile({"name": "x"}, files=files)
    assert caught.value.field == field


def test_a_file_over_64_mib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(TooLarge, match="DataSet"):
        DataFile({"name": "x"}, files=[path])


def test_a_datafile_is_a_collection_of_its_datasets() -> None:
    datafile = spectroscopy()
    assert list(datafile) == ["frequency", "s21"]
    assert len(datafile) == 2
    assert "s21" in datafile
    assert datafile["s21"] is datafile.data["s21"]
    with pytest.raises(KeyError, match="no DataSet 's22'; there are frequency, s21"):
        datafile["s22"]
    assert (datafile.state, datafile.revision, datafile.saved_at) == (None, None, None)


def test_a_datafile_prints_what_it_holds() -> None:
    lines = str(spectroscopy()).splitlines()
    assert "qubit spectroscopy" in lines[0]
    assert "ana" in lines[1]
    assert lines[3].split() == ["s21", "(flux:", "3,", "frequency:", "5)", "complex128", "V"]
    assert str(DataFile({"name": "nothing"}))


def test_a_document_and_its_arrays_make_the_datafile_again() -> None:
    datafile = DataFile(MetaData(name="x"), {"a": DataSet(S21, units="V")}, {"f": b"1"})
    document = decode(
        encode(datafile.to_document() | {"state": "complete", "revision": 2, "saved_at": "2026-11-22T10:07:00.123456Z"})
    )
    lazy = Lazy(S21)
    back = DataFile.from_document(document, {"a": lazy}, datafile.files)
    assert back.to_document() == document
    assert (back.id, back.state, back.revision) == (datafile.id, "complete", 2)
    assert back.saved_at is not None
    assert back.saved_at.microsecond == 123456
    assert back["a"].dims == ("a_0", "a_1")
    assert lazy.read == []
    with pytest.raises(Invalid, match="described as"):
        DataFile.from_document(document, {"a": S21.real})
    with pytest.raises(Invalid, match="describes"):
        DataFile.from_document(document, {})


def test_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = []
    for _ in range(50):
        ids.append(new_id())
        time.sleep(0.00001)
    after = time.time_ns() // 1_000_000
    assert ids == sorted(ids)
    assert len(set(ids)) == 50
    for text in ids:
        value = uuid.UUID(text)
        assert (value.version, value.variant) == (7, uuid.RFC_4122)
        assert before <= value.int >> 80 <= after


def test_an_id_is_the_text_of_a_uuid() -> None:
    assert check_id("0193479B-7E5C-7C2E-8F3A-5B2D9C1E9F3A") == "0193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3a"
    assert DataFile({"name": "x"}, id="0193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3a").id[-4:] == "9f3a"
    for wrong in (
        "9f3a",
        "",
        "0193479b7e5c7c2e8f3a5b2d9c1e9f3a",
        "{193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3}",
        3,
        None,
        "x" * 36,
    ):
        with pytest.raises(Invalid) as caught:
            check_id(wrong)
        assert caught.value.field == "id"
