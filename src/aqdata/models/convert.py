"""DataFiles to and from xarray, which is imported when it is needed; no files are read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from aqdata.errors import Invalid
from aqdata.models.dataset import DataSet
from aqdata.models.metadata import MetaData

if TYPE_CHECKING:
    import xarray

    from aqdata.models.datafile import DataFile

# how a Dataset says which DataFile it was; not a lab's own fields
_ID, _NAME = "aqdata_id", "aqdata_name"


def to_xarray(datafile: DataFile) -> xarray.Dataset:
    """The DataSets as variables and coordinates of one xarray Dataset; nothing is copied or loaded but indexes.

    Raises:
        ImportError: xarray is not installed.
    """
    xr = _xarray()
    listed = {name for dataset in datafile.data.values() for name in dataset.coordinates}
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for name, dataset in datafile.data.items():
        variable = xr.Variable(dataset.dims, _shared(dataset), _attributes(dataset))
        (coordinates if name in listed or dataset.dims == (name,) else variables)[name] = variable
    attributes = {**datafile.metadata.custom, _ID: datafile.id, _NAME: datafile.metadata.name}
    result: xarray.Dataset = xr.Dataset(variables, coordinates, attributes)
    return result


def from_xarray(dataset: xarray.Dataset, metadata: MetaData | Mapping[str, Any]) -> tuple[MetaData, dict[str, DataSet]]:
    """The DataSets of an xarray Dataset, and the metadata with the Dataset's attributes in `custom`.

    Raises:
        Invalid: a variable or an attribute that can't be stored; its `field` is the path.
    """
    if not isinstance(metadata, MetaData):
        metadata = MetaData.from_document(metadata)
    own = {key: value for key, value in dataset.attrs.items() if key not in (_ID, _NAME)}
    metadata = metadata.model_copy()
    metadata.custom = {**own, **metadata.custom}
    names = {name: _listed(dataset, name) for name in dataset.data_vars}
    forgotten = [name for name in _extra(dataset) if not any(name in listed for listed in names.values())]
    for first in list(names)[:1]:
        names[first] += forgotten
    return metadata, {
        str(name): _data_set(name, variable, names.get(name, [])) for name, variable in dataset.variables.items()
    }


def _data_set(name: Any, variable: Any, coordinates: list[str]) -> DataSet:
    attributes = dict(variable.attrs)
    units, long_name = attributes.pop("units", None), attributes.pop("long_name", None)
    try:
        return DataSet(variable.data, variable.dims, units, long_name, attributes, coordinates)
    except Invalid as error:
        raise Invalid(error.detail, field=f"datasets.{name}.{error.field}") from None


def _extra(dataset: xarray.Dataset) -> list[Any]:
    """The coordinates that no dim names."""
    return [name for name, coordinate in dataset.coords.items() if coordinate.dims != (name,)]


def _listed(dataset: xarray.Dataset, name: Any) -> list[Any]:
    dims = set(dataset[name].dims)
    return [other for other in _extra(dataset) if dims >= set(dataset[other].dims)]


def _attributes(dataset: DataSet) -> dict[str, Any]:
    named = {"units": dataset.units, "long_name": dataset.long_name}
    return {key: value for key, value in named.items() if value is not None} | dataset.attributes


def _shared(dataset: DataSet) -> Any:
    array = dataset.array
    return array if isinstance(array, np.ndarray) else _indexed(dataset)


def _indexed(dataset: DataSet) -> Any:
    backends, indexing = import_module("xarray.backends"), import_module("xarray.core.indexing")

    def read(key: tuple[Any, ...]) -> np.ndarray:
        # numpy puts the axis of an array first when integers are beside it; xarray does not
        integers = tuple(axis for axis, item in enumerate(key) if isinstance(item, int | np.integer))
        key = tuple(slice(int(item), int(item) + 1) if axis in integers else item for axis, item in enumerate(key))
        values: np.ndarray = np.squeeze(dataset[key], axis=integers)
        return values

    class Backend(backends.BackendArray):  # type: ignore[name-defined, misc]
        shape, dtype = dataset.shape, dataset.dtype

        def __getitem__(self, key: Any) -> Any:
            support = indexing.IndexingSupport.OUTER_1VECTOR
            return indexing.explicit_indexing_adapter(key, self.shape, support, read)

    return indexing.LazilyIndexedArray(Backend())


def _xarray() -> Any:
    try:
        return import_module("xarray")
    except ImportError:
        raise ImportError('to_xarray needs xarray: pip install "aqdata[xarray]"') from None
