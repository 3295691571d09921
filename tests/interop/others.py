"""Run without aqdata: opens Zarr stores with xarray and zarr-python, and writes down what they see.

    python others.py FOLDER LOCATION …

For location number N: FOLDER/N.npz holds the values, FOLDER/N.json the rest.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import numpy as np


class Refusal(MetaPathFinder):
    """An environment in which aqdata and what only its server needs are not installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] in ("aqdata", "tensorstore", "fastapi", "apsw"):
            raise ModuleNotFoundError(fullname)


def by_xarray(location: str) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """What xarray sees."""
    import xarray as xr

    dataset = xr.open_zarr(location, consolidated=True, chunks=None)
    seen = {
        "attrs": dict(dataset.attrs),
        "coords": sorted(map(str, dataset.coords)),
        "indexes": sorted(map(str, dataset.indexes)),
        "sizes": dict(dataset.sizes),
        "variables": {
            name: {"dims": variable.dims, "dtype": str(variable.dtype), "attrs": variable.attrs}
            for name, variable in dataset.variables.items()
        },
    }
    # read by parts as well, so that chunks are found by their place
    parts = {
        f"{name}:part": np.asarray(variable[..., ::3]) for name, variable in dataset.variables.items() if variable.ndim
    }
    return seen, {**{str(name): np.asarray(variable) for name, variable in dataset.variables.items()}, **parts}


def by_zarr(location: str) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """What zarr-python sees."""
    import zarr
    import zarr.storage

    store: Any = location
    if location.startswith("zip::file://"):
        store = zarr.storage.ZipStore(location.removeprefix("zip::file://"), mode="r")
    group = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=True)
    arrays = dict(group.arrays())
    consolidated = group.metadata.consolidated_metadata
    assert consolidated is not None
    seen = {
        "attrs": dict(group.attrs),
        "consolidated": sorted(consolidated.metadata),
        "dims": {name: array.metadata.dimension_names for name, array in arrays.items()},
        "chunks": {name: array.chunks for name, array in arrays.items()},
    }
    # without consolidated metadata too
    alone = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
    for name in arrays:
        assert alone[name].metadata == arrays[name].metadata
    return seen, {name: np.asarray(array[...]) for name, array in arrays.items()}


def main(folder: Path, locations: list[str]) -> None:
    """Open each location with both."""
    for number, location in enumerate(locations):
        for kind, look in (("xarray", by_xarray), ("zarr", by_zarr)):
            seen, arrays = look(location)
            plain = {
                name: np.array(array.tolist(), "U") if array.dtype.kind in "OT" else array
                for name, array in arrays.items()
            }
            np.savez(folder / f"{number}.{kind}.npz", **plain)
            (folder / f"{number}.{kind}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    sys.meta_path.insert(0, Refusal())
    warnings.simplefilter("error")
    # zarr-python says this of every fixed-length dtype; others can still read it
    warnings.filterwarnings("ignore", "The data type .* does not have a Zarr V3 specification")
    main(Path(sys.argv[1]), sys.argv[2:])
