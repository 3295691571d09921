"""The whitelist of Zarr metadata: what is not as we write it is refused, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packs import changed, entries_of, group_of, json_values, make_pack, nodes, with_group

from aqdata.errors import Corrupt, Invalid
from aqdata.models import canonical
from aqdata.wire.pack import read_pack

WHOLE = make_pack(
    {
        "x": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "t": np.array(["a", "ü"], np.dtypes.StringDType()),
        "u": np.array(["ab"]),
        "s": np.array([b"ab"]),
        "when": np.array([1], "datetime64[us]"),
    },
    custom={"a": 1},
)
ENTRIES = entries_of(WHOLE)
ARRAYS = list(group_of(ENTRIES)["consolidated_metadata"]["metadata"])


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_change_of_the_metadata_is_refused_or_valid(data: st.DataObject) -> None:
    group = group_of(ENTRIES)
    path = data.draw(st.sampled_from(nodes(group)))
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    other = changed(group, path, how, data.draw(json_values))
    own = data.draw(st.booleans()) or not isinstance(other, dict)
    try:
        got = read_pack(with_group(ENTRIES, other, own=own))
    except (Invalid, Corrupt):
        return
    for spec, array in got.arrays.values():
        canonical.encode(spec.to_document())
        assert array.shape == spec.shape


def array_json(**fields: Any) -> bytes:
    """The pack with these fields of `x` changed."""
    group = group_of(ENTRIES)
    group["consolidated_metadata"]["metadata"]["x"] |= fields
    return with_group(ENTRIES, group)


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"data_type": "r16"},
        {"data_type": "float128"},
        {"data_type": "object"},
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}},
        {"data_type": {"name": "null_terminated_bytes", "configuration": {"length_bytes": 0}}},
        {"data_type": {"name": "null_terminated_bytes", "configuration": {"length_bytes": 999_999_999}}},
        {"data_type": {"name": "null_terminated_bytes", "configuration": {"length_bytes": "4; import os"}}},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]},
        {"codecs": [BYTES, {"name": "gzip", "configuration": {"level": 5}}]},
        {"codecs": [BYTES, {"name": "zstd", "configuration": {"level": 5, "checksum": False}}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {}}]},
        {"codecs": [{"name": "transpose", "configuration": {"order": [0, 1]}}, BYTES]},
        {"codecs": []},
        {"codecs": None},
        {"chunk_grid": {"name": "rectangular", "configuration": {}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 3]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 3]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2.0, 3]}}},
        {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}},
        {"fill_value": 1.0},
        {"fill_value": 0},
        {"fill_value": "NaN"},
        {"shape": [2, 4]},
        {"shape": [2, -3]},
        {"shape": [2, True]},
        {"shape": [2, 1 << 60]},
        {"zarr_format": 2},
        {"zarr_format": 3.0},
        {"node_type": "group"},
        {"storage_transformers": [{"name": "x"}]},
        {"dimension_names": ["a", "a"]},
        {"dimension_names": ["a"]},
        {"dimension_names": None},
        {"dimension_names": ["a", None]},
        {"attributes": {"aqdata": {"dtype": "U5"}}},
        {"attributes": {"aqdata": {"units": 5}}},
        {"attributes": {"aqdata": {"coordinates": 5}}},
        {"attributes": {"aqdata": {"attributes": 5}}},
        {"attributes": {"aqdata": []}},
        {"attributes": {"scale_factor": 2.0}},
        {"attributes": {"a": {"__float__": "1"}}},
        {"attributes": {"coordinates": ["y"]}},
        {"attributes": []},
    ],
    ids=lambda fields: json.dumps(fields)[:60],
)
def test_other_zarr_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        read_pack(array_json(**fields))
    assert caught.value.field


def test_other_attributes_of_the_group_are_refused() -> None:
    group = group_of(ENTRIES)
    group["attributes"]["more"] = 1
    with pytest.raises(Invalid, match="more"):
        read_pack(with_group(ENTRIES, group))


def test_right_metadata_pass() -> None:
    assert read_pack(array_json()).arrays["x"][1].tolist() == [[0, 1, 2], [3, 4, 5]]
