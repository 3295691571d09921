"""What every `Lab` does, over HTTP or embedded, sync or awaited; a subclass gives the fixtures `lab` and `other_lab`.

The Labs need not be empty. `Blocking` makes an `AsyncLab` pass for a `Lab`.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from index_strategies import indices

from aqdata import (
    AqdataError,
    Conflict,
    DataFile,
    DataSet,
    Deleted,
    Invalid,
    InvalidIndex,
    Lab,
    MetaData,
    NotFound,
)
from aqdata.aio import AsyncLab
from aqdata.models.ids import new_id

LARGE = 200_000
"""Elements of float64 that a DataFile does not bring along when it is loaded."""

_EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_days = itertools.count()


class Blocking:
    """An `AsyncLab` without await: each method runs to its end on an event loop in a thread of its own."""

    def __init__(self, lab: AsyncLab) -> None:
        self._lab = lab
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._lab, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(method(*args, **kwargs), self._loop).result()

        return call

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def metadata(**fields: Any) -> MetaData:
    """MetaData with much in it; each is dated a day after the one before, far from now."""
    date = datetime(2200, 1, 1, tzinfo=UTC) + timedelta(days=next(_days))
    settings = {
        "power": {"value": -30.0, "unit": "dBm"},
        "gain": {"value": complex(1, float("nan"))},
        "limit": {"value": float("-inf")},
        "averages": {"value": 2**53 + 1},
    }
    given = {
        "name": "qubit spectroscopy",
        "user": "ana",
        "station": "cryo2",
        "tags": ["q1", "golden"],
        "date": date,
        "instruments": {"vna.1": {"model": "ZNB20", "settings": settings}},
        "program": {"source": "OPENQASM 3;", "compiler": "aq_compiler", "version": "2.1"},
        "custom": {"a.b": [1, 1.0, None, {"$x": "ü😀"}], "zero": -0.0},
    }
    return MetaData(**(given | fields))


def spectroscopy(**fields: Any) -> DataFile:
    """A small DataFile."""
    frequency = np.linspace(4e9, 5e9, 11)
    s21 = np.arange(33.0).reshape(3, 11) * (1 + 1j)
    return DataFile(
        metadata(**fields),
        {
            "frequency": DataSet(frequency, ("frequency",), "Hz", "drive frequency", {"source": {"slot": 1}}),
            "s21": DataSet(s21, ("flux", "frequency"), "V"),
        },
        {"fit.png": b"\x89PNG", "notes 50%.txt": b""},
    )


def large(array: np.ndarray[Any, Any] | None = None, **fields: Any) -> DataFile:
    """A DataFile that stays remote when it is loaded."""
    padding = np.arange(float(LARGE))
    return DataFile(metadata(**fields), {"padding": padding} | ({} if array is None else {"x": array}))


def assert_same_array(got: Any, expected: np.ndarray[Any, Any]) -> None:
    """Equal bit for bit, native byte order aside."""
    got = np.asarray(got)
    is_text = isinstance(expected.dtype, np.dtypes.StringDType)
    if not is_text:
        expected = expected.astype(expected.dtype.newbyteorder("="), copy=False)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tolist() == expected.tolist() if is_text else got.tobytes() == expected.tobytes()


def assert_same(got: DataFile, expected: DataFile) -> None:
    """The same DataFile, but for what only the store knows."""
    assert got.id == expected.id
    assert got.metadata == expected.metadata
    assert list(got.data) == list(expected.data)
    for name, dataset in expected.data.items():
        assert got.data[name].spec() == dataset.spec()
        assert_same_array(got.data[name], np.asarray(dataset))
    assert {name: file.read() for name, file in got.files.items()} == {
        name: file.read() for name, file in expected.files.items()
    }
    assert {name: file.media_type for name, file in got.files.items()} == {
        name: file.media_type for name, file in expected.files.items()
    }


NAN = np.array([0x7FF8000000000123, 0xFFF0000000000001, 0x8000000000000000], "u8").view("f8")
ARRAYS = {
    "bool": np.array([True, False]),
    "float16": np.array([1.5, -0.0, np.inf], "f2"),
    "nan payloads": NAN,
    "complex": np.array([complex(np.nan, -0.0)]),
    "big endian": np.arange(5, dtype=">i4"),
    "uint64": np.array([2**64 - 1], "u8"),
    "0-d": np.array(3.5),
    "zero size": np.zeros((3, 0, 2), "i2"),
    "6-d": np.arange(64).reshape(2, 2, 2, 2, 2, 2),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(100)[::-7],
    "U": np.array([["a", "ü😀"], ["", "abc"]]),
    "S": np.array([b"a", b"bc\0d", b""]),
    "str": np.array(["a", "", "ü😀\0x", "long " * 1000], np.dtypes.StringDType()),
    "datetime64": np.array(["2026-11-22T10:07:00.123", "NaT", "1677-09-21"], "datetime64[ms]"),
    "timedelta64": np.array([1, -1], "timedelta64[25ns]"),
}


class LabContract:
    """The promises of the interface."""

    # saving and loading

    def test_a_small_datafile_comes_back(self, lab: Lab) -> None:
        df = spectroscopy()
        assert lab.save(df) == df.id
        got = lab.load(df.id)
        assert_same(got, df)
        assert (
            (got.state, got.revision, got.saved_at)
            == (df.state, df.revision, df.saved_at)
            == (
                "complete",
                1,
                df.saved_at,
            )
        )
        assert df.saved_at is not None
        assert abs(df.saved_at - datetime.now(UTC)) < timedelta(minutes=1)

    @pytest.mark.parametrize("name", ARRAYS)
    @pytest.mark.parametrize("small", [True, False], ids=["small", "large"])
    def test_every_kind_of_array_comes_back(self, lab: Lab, name: str, small: bool) -> None:
        array = ARRAYS[name]
        df = DataFile(metadata(), {"x": array}) if small else large(array)
        lab.save(df)
        assert_same_array(lab.load(df.id)["x"], array)

    def test_arrays_of_any_dtype_and_shape(self, lab: Lab) -> None:
        dtypes = st.one_of(
            hnp.boolean_dtypes(),
            hnp.integer_dtypes(endianness="?"),
            hnp.unsigned_integer_dtypes(endianness="?"),
            hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
            hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
            hnp.byte_string_dtypes(max_len=5),
            hnp.datetime64_dtypes(max_period="ms"),
        )

        @_EXAMPLES
        @given(hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4)))
        def check(array: np.ndarray[Any, Any]) -> None:
            df = DataFile({"name": "any"}, {"x": array})
            lab.save(df, environment=False)
            assert_same_array(lab.load(df.id)["x"], array)

        check()

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_a_large_datafile_comes_back(self, lab: Lab, order: Any) -> None:
        array = np.random.default_rng(1).normal(size=(300, 500, 12)).copy(order=order)
        df = large(array)
        lab.save(df)
        got = lab.load(df.id)
        assert "not loaded" in repr(got["x"].array)
        assert_same(got, df)

    def test_no_data_at_all(self, lab: Lab) -> None:
        df = DataFile({"name": "just a note"})
        lab.save(df)
        assert_same(lab.load(df.id), df)

    def test_arrays_in_memory_are_the_callers_own(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        first = lab.load(df.id)["frequency"][:]
        first[:] = 0
        assert_same_array(lab.load(df.id)["frequency"], df["frequency"][:])

    def test_metadata_alone(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        got = lab.metadata(df.id)
        assert got == df.metadata
        assert got.instruments["vna.1"].settings["power"].value == -30.0
        assert np.isnan(got.instruments["vna.1"].settings["gain"].value.imag)

    def test_the_environment_is_filled_in_once(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        seen = df.metadata.environment
        assert seen is not None
        assert seen.python
        lab.save(df)
        assert df.metadata.environment == seen
        assert lab.metadata(df.id).environment == seen

    def test_the_environment_can_be_left_out(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df, environment=False)
        assert df.metadata.environment is None
        assert lab.metadata(df.id).environment is None

    def test_saving_again_is_the_same_save(self, lab: Lab) -> None:
        for df in (spectroscopy(), large()):
            lab.save(df)
            saved_at = df.saved_at
            lab.save(df)
            assert (df.revision, df.saved_at) == (1, saved_at)

    def test_other_content_under_the_same_id_is_refused(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        with pytest.raises(Conflict):
            lab.save(DataFile(df.metadata, {"s21": df["s21"]}, id=df.id))
        assert_same(lab.load(df.id), df)

    def test_threads_save_and_load_at_once(self, lab: Lab) -> None:
        def cycle(number: int) -> None:
            array = np.full((10, 10 + number), number)
            df = DataFile(metadata(), {"x": array}) if number % 4 else large(array)
            lab.save(df, environment=False)
            assert_same_array(lab.load(df.id)["x"], array)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(cycle, range(24)))

    # parts of arrays

    def test_any_index_gives_what_numpy_gives(self, lab: Lab) -> None:
        array = np.random.default_rng(2).normal(size=(7, 6, 5, 800)).astype("c8")
        df = large(array)
        lab.save(df)
        remote = lab.load(df.id)["x"]
        assert "not loaded" in repr(remote.array)

        @_EXAMPLES
        @given(indices(array.shape))
        def check(index: Any) -> None:
            try:
                expected = array[index]
            except IndexError:
                with pytest.raises(InvalidIndex):
                    remote[index]
                return
            got = remote[index]
            assert type(got) is type(expected)
            assert_same_array(got, expected)

        check()

    @pytest.mark.parametrize("name", ["str", "U", "S", "datetime64", "bool", "0-d", "zero size", "fortran", "6-d"])
    def test_parts_of_every_kind_of_array(self, lab: Lab, name: str) -> None:
        array = ARRAYS[name]
        df = large(array)
        lab.save(df)
        remote = lab.load(df.id)["x"]
        for index in ((), ..., None, np.s_[::-1], np.s_[1:], 0, -1, [0, 0], np.ones(array.shape[:1] or 1, bool)):
            try:
                expected = array[index]  # type: ignore[index]
            except IndexError:
                with pytest.raises(IndexError):
                    remote[index]
                continue
            got = remote[index]
            assert np.ndim(got) == np.ndim(expected)
            assert isinstance(got, np.ndarray) is isinstance(expected, np.ndarray)
            assert np.array_equal(got, expected, equal_nan=name == "datetime64")

    def test_an_index_out_of_bounds_is_an_index_error(self, lab: Lab) -> None:
        df = large(np.zeros((10, 5)))
        lab.save(df)
        remote = lab.load(df.id)["x"]
        with pytest.raises(IndexError, match=r"^index 12 is out of bounds for axis 0 of length 10$"):
            remote[12]
        with pytest.raises(IndexError, match="too many indices"):
            remote[0, 0, 0]
        with pytest.raises(IndexError, match="no index"):
            remote["s21"]

    def test_xarray_reads_what_it_needs(self, lab: Lab) -> None:
        pytest.importorskip("xarray")
        array = np.arange(3.0 * LARGE).reshape(3, LARGE)
        df = DataFile(
            metadata(), {"time": DataSet(np.arange(LARGE) * 1e-9, ("time",)), "v": DataSet(array, ("q", "time"))}
        )
        lab.save(df)
        dataset = lab.load(df.id).to_xarray()
        part = dataset["v"].isel(q=1).sel(time=slice(1e-6, 1.1e-6))
        expected = df.to_xarray()["v"].isel(q=1).sel(time=slice(1e-6, 1.1e-6))
        assert_same_array(part.values, expected.values)
        assert 0 < part.size < 200

    # finding

    def test_find_is_newest_first(self, lab: Lab) -> None:
        saved = [spectroscopy(name=f"run {number}") for number in range(5)]
        for df in reversed(saved):
            lab.save(df)
        hits = lab.find(limit=5)
        assert [hit.id for hit in hits] == [df.id for df in reversed(saved)]
        assert [hit.id for hit in lab.find(limit=2)] == [df.id for df in saved[:2:-1]]
        hit = hits[0]
        assert (hit.kind, hit.name, hit.user, hit.station) == ("measurement", "run 4", "ana", "cryo2")
        assert (hit.tags, hit.flag, hit.comment) == (("q1", "golden"), None, None)
        assert hit.date == saved[4].metadata.date
        assert hit.saved_at == saved[4].saved_at
        assert hit.date.utcoffset() == hit.saved_at.utcoffset() == timedelta(0)
        assert (hit.state, hit.revision) == ("complete", 1)
        assert hit.shapes == {"frequency": (11,), "s21": (3, 11)}

    def test_find_goes_through_all_pages(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = [lab.save(DataFile(metadata()), environment=False) for _ in range(7)]
        monkeypatch.setattr("aqdata.lab.lab._PAGE", 3)
        assert [hit.id for hit in lab.find(limit=7)] == ids[::-1]
        found = [hit.id for hit in lab.find(limit=None)]
        assert found[:7] == ids[::-1]
        assert len(found) == len(set(found))

    def test_find_by_state(self, lab: Lab) -> None:
        kept, deleted = lab.save(spectroscopy()), lab.save(spectroscopy())
        lab.delete(deleted)
        assert [hit.id for hit in lab.find(limit=1)] == [kept]
        assert [hit.id for hit in lab.find(limit=1, state="deleted")] == [deleted]
        assert [hit.id for hit in lab.find(limit=1, state="complete")] == [kept]
        assert lab.find(state="open") == []

    @pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": -1}, {"state": "gone"}])
    def test_find_refuses_what_makes_no_sense(self, lab: Lab, wrong: dict[str, Any]) -> None:
        with pytest.raises(Invalid):
            lab.find(**wrong)

    def test_ids_by_any_unique_ending(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        for ending in (df.id, df.id.upper(), df.id[-20:], f" {df.id[-12:]} "):
            assert lab.resolve(ending) == df.id
            assert lab.load(ending).id == df.id
        assert lab.metadata(df.id[-12:]).name == df.metadata.name
        lab.delete(df.id[-12:])
        assert lab.resolve(df.id[-12:]) == df.id

    def test_an_ending_of_several_ids_names_them(self, lab: Lab) -> None:
        tail = new_id()[-9:]
        ids = sorted(f"{new_id()[:-9]}{tail}" for _ in range(2))
        for file_id in ids:
            lab.save(DataFile(metadata(), id=file_id))
        with pytest.raises(Conflict) as caught:
            lab.load(tail)
        assert all(file_id in str(caught.value) for file_id in ids)

    def test_an_ending_of_no_id(self, lab: Lab) -> None:
        with pytest.raises(NotFound, match="ffffffffffff"):
            lab.load("ffffffffffff")
        for wrong in ("", "xyz", "%", "../etc", "0" * 37, None, 5):
            with pytest.raises(Invalid, match="no id"):
                lab.load(wrong)  # type: ignore[arg-type]

    # the bin

    def test_delete_restore_purge(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        with pytest.raises(Conflict):
            lab.purge(df.id)
        lab.delete(df.id)
        lab.delete(df.id)
        for call in (lab.load, lab.download):
            with pytest.raises(Deleted):
                call(df.id)
        lab.restore(df.id)
        lab.restore(df.id)
        assert_same(lab.load(df.id), df)
        lab.delete(df.id)
        lab.purge(df.id)
        for call in (lab.load, lab.metadata, lab.delete, lab.restore, lab.purge):
            with pytest.raises(NotFound):
                call(df.id)

    def test_a_lazy_array_of_what_was_deleted(self, lab: Lab) -> None:
        df = large(np.zeros((10, 5)))
        lab.save(df)
        remote = lab.load(df.id)["x"]
        lab.delete(df.id)
        with pytest.raises(Deleted):
            remote[0]

    @pytest.mark.parametrize("method", ["load", "metadata", "delete", "restore", "purge", "download"])
    def test_an_id_that_is_not_there(self, lab: Lab, method: str) -> None:
        with pytest.raises(NotFound):
            getattr(lab, method)(new_id())

    # attached files and packs

    def test_attached_files(self, lab: Lab) -> None:
        df = large()
        lab.save(df)
        lab.put_file(df.id, "fit.png", b"first")
        lab.put_file(df.id, "fit.png", memoryview(b"second"))
        lab.put_file(df.id, "50% ü?#.txt", b"")
        got = lab.load(df.id)
        assert got.revision is not None
        assert got.revision > 1
        assert {name: file.size for name, file in got.files.items()} == {"fit.png": 6, "50% ü?#.txt": 0}
        assert got.files["fit.png"].media_type == "image/png"
        with got.files["fit.png"].open() as file:
            assert file.read() == b"second"
        assert lab.get_file(df.id, "50% ü?#.txt") == b""
        assert_same_array(got["padding"], df["padding"][:])
        with pytest.raises(NotFound):
            lab.get_file(df.id, "other.png")

    def test_what_was_loaded_with_a_file_put_later_is_the_same_datafile(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        lab.put_file(df.id, "fit.png", b"later")
        # both the DataFile as it was saved and as it is now: a retry that comes late, and a copy that comes back
        assert lab.save(df) == df.id
        assert lab.save(lab.load(df.id)) == df.id
        other = DataFile(df.metadata, df.data, files={"fit.png": b"neither"}, id=df.id)
        with pytest.raises(Conflict):
            lab.save(other)

    @pytest.mark.parametrize("text", ["abc\0", "\0", ""])
    def test_one_text_that_ends_in_nul(self, lab: Lab, text: str) -> None:
        df = DataFile({"name": "x"}, {"t": np.array(text, dtype=np.dtypes.StringDType())})
        lab.save(df)
        assert lab.load(df.id)["t"][()] == text

    def test_long_texts(self, lab: Lab) -> None:
        texts = np.array([f"{at}" * 40_000 for at in range(100, 160)], dtype=np.dtypes.StringDType())
        df = DataFile({"name": "logs"}, {"log": texts})
        lab.save(df)
        got = lab.load(df.id)["log"]
        assert got[7] == texts[7]
        assert (got[::9] == texts[::9]).all()
        assert lab.save(lab.load(df.id)) == df.id

    def test_only_datafiles_are_saved(self, lab: Lab) -> None:
        with pytest.raises(Invalid, match="not ndarray"):
            lab.save(np.ones(3))  # type: ignore[arg-type]

    def test_a_file_from_disk(self, lab: Lab, tmp_path: Path) -> None:
        path = tmp_path / "trace.bin"
        path.write_bytes(bytes(range(256)) * 20_000)
        df = DataFile(metadata(), files=[path])
        lab.save(df)
        lab.put_file(df.id, "again.bin", path)
        assert lab.get_file(df.id, "trace.bin") == lab.get_file(df.id, "again.bin") == path.read_bytes()

    @pytest.mark.parametrize("name", ["", "../x", "a/b", "__x", "x" * 300, "zarr.json"])
    def test_names_of_files_are_checked(self, lab: Lab, name: str) -> None:
        df = spectroscopy()
        lab.save(df)
        with pytest.raises(Invalid):
            lab.put_file(df.id, name, b"x")

    def test_a_file_that_is_too_large(self, lab: Lab) -> None:
        df = spectroscopy()
        lab.save(df)
        with pytest.raises(Invalid, match="at most"):
            lab.put_file(df.id, "x", bytes((64 << 20) + 1))

    def test_a_path_that_is_not_there(self, lab: Lab, tmp_path: Path) -> None:
        df = spectroscopy()
        lab.save(df)
        with pytest.raises(Invalid, match="there is no file"):
            lab.put_file(df.id, "x", tmp_path / "x")
        with pytest.raises(Invalid, match="there is no file"):
            lab.put(tmp_path / "x")
        with pytest.raises(Invalid, match="there is no folder"):
            lab.download(df.id, tmp_path / "x" / "y")

    @pytest.mark.parametrize("make", [spectroscopy, lambda: large(np.asfortranarray(np.ones((300, 1000))))])
    def test_a_pack_goes_down_and_up_again(
        self, lab: Lab, other_lab: Lab, tmp_path: Path, make: Callable[[], DataFile]
    ) -> None:
        df = make()
        lab.save(df)
        path = lab.download(df.id, tmp_path)
        assert path == tmp_path / f"{df.id}.zarr.zip"
        assert list(tmp_path.iterdir()) == [path]
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert "zarr.json" in archive.namelist()
        assert other_lab.put(path) == df.id
        assert_same(other_lab.load(df.id), df)
        lab.put(path)

    def test_a_download_can_be_named(self, lab: Lab, tmp_path: Path) -> None:
        df = spectroscopy()
        lab.save(df)
        target = tmp_path / "rabi.zip"
        target.write_bytes(b"an older one")
        assert lab.download(df.id, target) == target
        assert zipfile.is_zipfile(target)

    def test_what_is_no_pack_is_refused(self, lab: Lab, tmp_path: Path) -> None:
        for content in (b"", b"PK\x03\x04", b"hello", bytes(10_000_000)):
            (tmp_path / "x.zip").write_bytes(content)
            with pytest.raises(Invalid):
                lab.put(tmp_path / "x.zip")

    @pytest.mark.parametrize("make", [spectroscopy, lambda: large(np.arange(600_000).reshape(3, -1).T)])
    def test_a_datafile_can_be_copied_to_another_lab(
        self, lab: Lab, other_lab: Lab, make: Callable[[], DataFile]
    ) -> None:
        df = make()
        lab.save(df, environment=False)
        other_lab.save(lab.load(df.id))
        got = other_lab.load(df.id)
        assert_same(got, df)
        assert got.metadata.environment is None

    # what is wrong

    def test_the_path_of_a_wrong_value_is_told(self, lab: Lab) -> None:
        df = spectroscopy()
        df.metadata.custom["wrong"] = {"deep": object()}
        with pytest.raises(Invalid) as caught:
            lab.save(df)
        assert caught.value.field == "custom.wrong.deep"
        with pytest.raises(NotFound):
            lab.load(df.id)

    def test_an_array_that_fails_while_it_is_sent_saves_nothing(self, lab: Lab) -> None:
        class Broken:
            shape, dtype, ndim = (LARGE * 4,), np.dtype("f8"), 1

            def __getitem__(self, index: Any) -> Any:
                if index[0].start > LARGE:
                    raise OSError("the instrument is gone")
                return np.zeros(index[0].stop - index[0].start)

            def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
                raise OSError("the instrument is gone")

        df = DataFile(metadata(), {"x": Broken()})
        with pytest.raises((OSError, AqdataError), match="the instrument is gone"):
            lab.save(df)
        with pytest.raises(NotFound):
            lab.load(df.id)
        assert lab.save(spectroscopy())
