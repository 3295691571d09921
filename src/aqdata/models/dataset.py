"""A DataSet: one array with dims, units and attributes; how it is stored is in wire/ and stores/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from aqdata.errors import Invalid
from aqdata.models.dtypes import dtype_name
from aqdata.models.part import normal
from aqdata.models.spec import MAX_DIM, DataSetSpec, text_of


@runtime_checkable
class LazyArray(Protocol):
    """An array that reads what is asked of it, when it is indexed as numpy's arrays are."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray: ...


class DataSet:
    """One array, with a name for each dim, units, a long name and attributes.

    `array` is anything that numpy makes an array of, or a lazy one; it is not copied. `coordinates` are the names of
    DataSets of the same DataFile that say where the values lie. Dims that aren't given are named when the DataSet gets
    a name: <name>_0, <name>_1, …

    Raises:
        Invalid: a wrong value; its `field` is the name of the wrong one.
    """

    def __init__(
        self,
        array: Any,
        dims: Iterable[str] | None = None,
        units: str | None = None,
        long_name: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        coordinates: Iterable[str] = (),
    ) -> None:
        self._array = _as_array(array)
        self._named = dims is not None
        dims = default_dims("dim", self._array.ndim) if dims is None else _names(dims, "dims")
        attributes = dict(attributes or {})
        # CF gives them these names, so they'd be written over each other
        units = _taken_out(attributes, "units", units)
        long_name = _taken_out(attributes, "long_name", long_name)
        self._spec = DataSetSpec(
            dtype=dtype_name(self._array.dtype, "dtype"),
            shape=tuple(int(length) for length in self._array.shape),
            dims=dims,
            units=units,
            long_name=long_name,
            coordinates=_names(coordinates, "coordinates"),
            attributes=_free(attributes),
        )

    @property
    def array(self) -> np.ndarray | LazyArray:
        """The array as it was given, in numpy's terms or lazy."""
        return self._array

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._spec.shape

    @property
    def ndim(self) -> int:
        return len(self._spec.shape)

    @property
    def size(self) -> int:
        return self._spec.size

    @property
    def nbytes(self) -> int:
        return self._spec.nbytes

    @property
    def dims(self) -> tuple[str, ...]:
        return self._spec.dims

    @property
    def units(self) -> str | None:
        return self._spec.units

    @property
    def long_name(self) -> str | None:
        return self._spec.long_name

    @property
    def coordinates(self) -> tuple[str, ...]:
        return self._spec.coordinates

    @property
    def attributes(self) -> dict[str, Any]:
        return self._spec.attributes

    def spec(self, name: str | None = None) -> DataSetSpec:
        """What describes it, its default dims named after this name."""
        if name is None or self._named:
            return self._spec
        spec = self._spec
        dims = default_dims(name, self.ndim)
        return DataSetSpec(spec.dtype, spec.shape, dims, spec.units, spec.long_name, spec.coordinates, spec.attributes)

    def named(self, name: str) -> DataSet:
        """The DataSet, its default dims named after this name; the array is shared."""
        other = object.__new__(DataSet)
        other._array, other._named, other._spec = self._array, True, self.spec(name)
        return other

    def __getitem__(self, index: Any) -> Any:
        """What numpy gives for this index; of a lazy array only that is read."""
        part = self._array[index]
        # a scalar stays one, as numpy's are; what is still lazy is read
        return part if isinstance(part, np.ndarray | np.generic | str) else np.asarray(part)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._array, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a DataSet without dims")
        return self.shape[0]

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim}: {length}" for dim, length in zip(self.dims, self.shape, strict=True))
        units = f", units={self.units!r}" if self.units is not None else ""
        lazy = "" if isinstance(self._array, np.ndarray) else ", lazy"
        return f"<DataSet ({sizes}) {self._spec.dtype}{units}{lazy}>"


def _as_array(array: Any) -> np.ndarray | Any:
    if isinstance(array, DataSet):
        raise Invalid("this is a DataSet already", field="array")
    if isinstance(array, np.ma.MaskedArray):
        if np.ma.is_masked(array):
            raise Invalid(
                "masked values can't be stored: array.filled(np.nan), or a DataSet for the mask", field="array"
            )
        return np.asarray(array.data)
    if not isinstance(array, np.ndarray) and not _is_lazy(array):
        try:
            array = np.asarray(array)
        except (ValueError, TypeError, OverflowError) as error:
            raise Invalid(f"numpy can't make an array of this: {error}", field="array") from None
    if array.dtype.kind == "O":
        return _texts(array)
    dtype_name(array.dtype, "dtype")
    return array


def _is_lazy(array: Any) -> bool:
    # to_numpy: pandas and xarray index by label, and copying is cheap there
    return isinstance(array, LazyArray) and isinstance(array.dtype, np.dtype) and not hasattr(array, "to_numpy")


def _texts(array: Any) -> np.ndarray:
    values = np.asarray(array)
    wrong = next((value for value in values.flat if not isinstance(value, str)), None)
    if wrong is None and all(isinstance(value, str) for value in values.flat):
        try:
            return values.astype(np.dtypes.StringDType())
        except UnicodeEncodeError:
            raise Invalid("one of the texts has a lone surrogate, which is no character", field="array") from None
    fix = "texts only, or np.array(values, dtype=float)"
    if hasattr(wrong, "isoformat"):
        fix = "np.array(values, dtype='datetime64[us]')"
    raise Invalid(f"an array of objects such as {type(wrong).__name__} can't be stored: give {fix}", field="dtype")


def _names(names: Iterable[str], where: str) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise Invalid(f"{where} is a tuple of names, such as ({names!r},)", field=where)
    return tuple(str(name) if isinstance(name, str) else name for name in names)


def default_dims(name: str, ndim: int) -> tuple[str, ...]:
    """The names of dims that weren't given."""
    # room for the number in a dim that is named after a long name
    return tuple(f"{name[: MAX_DIM - 3]}_{axis}" for axis in range(ndim))


def _taken_out(attributes: dict[str, Any], name: str, given: str | None) -> str | None:
    if name not in attributes:
        return given
    value = attributes.pop(name)
    if given is not None and value != given:
        raise Invalid(f"{value!r} contradicts {name}={given!r}: give it once", field=f"attributes.{name}")
    return text_of(value, f"attributes.{name}")


def _free(attributes: dict[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = normal(attributes)
    except Invalid as error:
        path = ".".join(part for part in ("attributes", error.field) if part)
        raise Invalid(error.detail, field=path) from None
    return plain
