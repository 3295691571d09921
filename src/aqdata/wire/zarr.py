"""The `zarr.json` of arrays and groups, both ways, from a whitelist; no chunks, no ZIP, no store.

Written are Zarr v3 arrays (https://zarr-specs.readthedocs.io/en/latest/v3/core/) with `dimension_names` and CF's
`units`, `long_name` and `coordinates`. What only aqdata needs to give a DataSet back as it was is in one attribute
`aqdata`: dtypes that Zarr has no name for, and units and attributes on which CF decoding would act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic_core

from aqdata.errors import Invalid
from aqdata.models.canonical import from_json_value, to_json_value
from aqdata.models.dtypes import NUMERIC
from aqdata.models.spec import DataSetSpec
from aqdata.wire.layout import Layout

Json = Any

# attributes on which xarray's decoding acts, or which it takes away (xarray/conventions.py, xarray/coding/)
_ACTING = frozenset(
    [
        "units",
        "long_name",
        "aqdata",
        "coordinates",
        "calendar",
        "dtype",
        "_FillValue",
        "missing_value",
        "scale_factor",
        "add_offset",
        "grid_mapping",
        "bounds",
        "cell_measures",
        "formula_terms",
        "ancillary_variables",
        "climatology",
        "_Unsigned",
        "_Encoding",
        "_ARRAY_DIMENSIONS",
        "char_dim_name",
        "compress",
        "geometry",
        "node_coordinates",
    ]
)
# units that some versions of xarray turn into time differences, and the same units in short
_SHORT = {
    "days": "d",
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}
# numpy's time units, and CF's for the same
_CF_TIME = {
    "D": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}


def array_json(spec: DataSetSpec, layout: Layout) -> dict[str, Json]:
    """The `zarr.json` of an array."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(spec.shape),
        "data_type": _data_type(spec.dtype),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": _fill_value(spec.dtype),
        "codecs": _codecs(layout),
        "attributes": _attributes(spec),
        "dimension_names": list(spec.dims),
    }


def group_json(attributes: Mapping[str, Json], arrays: Mapping[str, Json]) -> dict[str, Json]:
    """The `zarr.json` of the group, with that of its arrays in it as consolidated metadata."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(arrays)},
    }


def group_bytes(attributes: Mapping[str, Json], metadata: bytes, arrays: Mapping[str, bytes]) -> bytes:
    """The same as JSON, with an attribute `metadata`; takes what is JSON already, since metadata are large."""
    frame = pydantic_core.to_json(group_json({**attributes, "metadata": None}, {}))
    head, _, rest = frame.partition(b'"metadata":null')
    middle, _, tail = rest.partition(b'"metadata":{')
    described = b",".join(pydantic_core.to_json(name) + b":" + array for name, array in arrays.items())
    return b"".join((head, b'"metadata":', metadata, middle, b'"metadata":{', described, tail))


def parse_group(given: Json) -> tuple[dict[str, Json], dict[str, Json]]:
    """The attributes and the arrays' `zarr.json` of a group's.

    Raises:
        Invalid: it is anything but what `group_json` writes.
    """
    try:
        attributes, arrays = given["attributes"], given["consolidated_metadata"]["metadata"]
        rendered = group_json(attributes, arrays)
    except (TypeError, KeyError, ValueError) as error:
        raise Invalid(
            "the group needs zarr_format, node_type, attributes and inline consolidated_metadata", field="zarr.json"
        ) from error
    _refuse_differences(given, rendered, "zarr.json")
    return attributes, arrays


def parse_array(given: Json, name: str) -> tuple[DataSetSpec, Layout]:
    """The description and layout of an array's `zarr.json`.

    Raises:
        Invalid: it is anything but what `array_json` writes; the field names the key.
    """
    field = f"{name}/zarr.json"
    try:
        transposed = given["codecs"][0]["name"] == "transpose"
        shape = tuple(map(_length, given["shape"]))
        chunk = tuple(map(_length, given["chunk_grid"]["configuration"]["chunk_shape"]))
        attributes, own = dict(given["attributes"]), given["attributes"].get("aqdata", {})
        dtype = own.get("dtype") or _numpy_name(given["data_type"])
        dims = tuple(given["dimension_names"])
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise Invalid(f"not the metadata of a Zarr v3 array ({error!r})", field=field) from error
    if len(chunk) != len(shape) or not all(chunk):
        raise Invalid("chunk_shape needs one length of at least 1 for each dim", field=field)
    try:
        spec = DataSetSpec(
            dtype=dtype,
            shape=shape,
            dims=dims,
            units=_units(attributes, own),
            long_name=attributes.get("long_name"),
            coordinates=_coordinates(attributes, own),
            attributes=_user_attributes(attributes, own),
        )
    except Invalid as error:
        raise Invalid(error.detail, field=f"datasets.{name}.{error.field}") from None
    layout = Layout(dtype, shape, "F" if transposed else "C", chunk)
    layout.check(field)
    _compare(given, array_json(spec, layout), field)
    return spec, layout


def _compare(given: Json, rendered: dict[str, Json], field: str) -> None:
    # the quick way for what aqdata wrote, keys in the same order
    if pydantic_core.to_json(given) != pydantic_core.to_json(rendered):
        _refuse_differences(given, rendered, field)


def _refuse_differences(given: Json, rendered: dict[str, Json], field: str) -> None:
    for key in (*rendered, *given):
        if key not in given or key not in rendered or not _same(given[key], rendered[key]):
            expected = f"; expected {rendered[key]!r:.200}" if key in rendered else ""
            raise Invalid(f"{key} is not as this format has it: {given.get(key)!r:.200}{expected}", field=field)


def _same(given: Json, rendered: Json) -> bool:
    """Equality of JSON, where 1, 1.0 and true differ."""
    if given is rendered:
        return True
    if type(given) is not type(rendered):
        return False
    if isinstance(given, dict):
        return given.keys() == rendered.keys() and all(_same(given[key], rendered[key]) for key in given)
    if isinstance(given, list):
        return len(given) == len(rendered) and all(map(_same, given, rendered))
    return bool(given == rendered)


def _length(value: Json) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError(f"{value!r} is no length")
    return value


def _data_type(dtype: str) -> Json:
    kind = dtype[0]
    if dtype in NUMERIC:
        return dtype
    if dtype == "str" or kind == "U":
        return "string"
    if kind == "S":
        # registered at github.com/zarr-developers/zarr-extensions as null_terminated_bytes
        return {"name": "null_terminated_bytes", "configuration": {"length_bytes": int(dtype[1:])}}
    return "int64"


def _numpy_name(data_type: Json) -> str:
    if data_type == "string":
        return "str"
    if isinstance(data_type, dict) and data_type.get("name") == "null_terminated_bytes":
        return f"S{data_type['configuration']['length_bytes']}"
    if data_type in NUMERIC:
        return str(data_type)
    raise ValueError(f"unknown data_type {data_type!r:.100}")


def _fill_value(dtype: str) -> Json:
    kind = dtype[0]
    if dtype == "bool":
        return False
    if dtype.startswith("complex"):
        return [0.0, 0.0]
    if dtype.startswith("float"):
        return 0.0
    return "" if dtype == "str" or kind in "US" else 0


def _codecs(layout: Layout) -> list[Json]:
    codecs: list[Json] = []
    if layout.order == "F":
        codecs.append({"name": "transpose", "configuration": {"order": list(reversed(range(layout.ndim)))}})
    if layout.is_text:
        codecs.append({"name": "vlen-utf8"})
    elif layout.dtype[0] == "S":
        codecs.append({"name": "bytes"})
    else:
        codecs.append({"name": "bytes", "configuration": {"endian": "little"}})
    return codecs


def _attributes(spec: DataSetSpec) -> dict[str, Json]:
    plain: dict[str, Json] = {}
    own: dict[str, Json] = {}
    if spec.dtype != _numpy_name(_data_type(spec.dtype)):
        own["dtype"] = spec.dtype
    shown = _shown_units(spec)
    plain |= shown
    if spec.units is not None and shown.get("units") != spec.units:
        own["units"] = spec.units
    elif spec.units is None and "units" in shown:
        own["units"] = None
    if spec.long_name is not None:
        plain["long_name"] = spec.long_name
    if spec.coordinates:
        if any(character.isspace() for name in spec.coordinates for character in name):
            own["coordinates"] = list(spec.coordinates)
        else:
            plain["coordinates"] = " ".join(spec.coordinates)
    acting = {key: value for key, value in spec.attributes.items() if key in _ACTING}
    plain |= to_json_value({key: value for key, value in spec.attributes.items() if key not in _ACTING})
    if acting:
        own["attributes"] = to_json_value(acting)
    if own:
        plain["aqdata"] = own
    return plain


def _shown_units(spec: DataSetSpec) -> dict[str, Json]:
    """The CF attributes that say the units to others."""
    family, _, unit = spec.dtype.rstrip("]").partition("64[")
    if unit:
        if unit not in _CF_TIME:
            return {}
        if family == "datetime":
            return {"units": f"{_CF_TIME[unit]} since 1970-01-01", "calendar": "proleptic_gregorian"}
        # xarray decodes time differences by their dtype attribute, and knows no longer units than seconds there
        return {"units": _CF_TIME[unit]} | ({"dtype": spec.dtype} if unit.endswith("s") else {})
    if spec.units is None or "since" in spec.units:
        return {}
    return {"units": _SHORT.get(spec.units, spec.units)}


def _units(attributes: dict[str, Json], own: dict[str, Json]) -> str | None:
    units = own["units"] if "units" in own else attributes.get("units")
    if units is not None and not isinstance(units, str):
        raise Invalid(f"units are a text, not {units!r:.100}", field="units")
    return units


def _coordinates(attributes: dict[str, Json], own: dict[str, Json]) -> tuple[str, ...]:
    coordinates = own["coordinates"] if "coordinates" in own else str(attributes.get("coordinates", "")).split()
    if not isinstance(coordinates, list):
        raise Invalid(f"coordinates are a list of names, not {coordinates!r:.100}", field="coordinates")
    return tuple(coordinates)


def _user_attributes(attributes: dict[str, Json], own: dict[str, Json]) -> dict[str, Any]:
    plain = from_json_value({key: value for key, value in attributes.items() if key not in _ACTING}, "attributes")
    acting = from_json_value(own.get("attributes", {}), "attributes")
    if not isinstance(plain, dict) or not isinstance(acting, dict):
        raise Invalid("attributes are an object", field="attributes")
    return plain | acting


def tensorstore_metadata(layout: Layout) -> dict[str, Json] | None:
    """The metadata with which tensorstore opens the array's chunks; None for texts and `S<n>`, which it lacks."""
    if layout.is_text or layout.dtype[0] == "S":
        return None
    spec = DataSetSpec(
        dtype=layout.dtype if layout.dtype in NUMERIC else "int64",
        shape=layout.shape,
        dims=tuple(f"d{axis}" for axis in range(layout.ndim)),
    )
    return array_json(spec, layout)
