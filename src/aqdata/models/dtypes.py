"""The dtypes that a DataSet may have, by name; how they are stored is in `wire/zarr.py`.

| name                                      | numpy                                        |
|-------------------------------------------|----------------------------------------------|
| bool, int8 … uint64, float16 … complex128 | the same                                     |
| str                                       | `StringDType()`: any length                  |
| U<n>, S<n>                                | fixed length: n code points, n bytes         |
| datetime64[<unit>], timedelta64[<unit>]   | the same, with a unit such as `ns` or `25us` |
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from aqdata.errors import Invalid

NUMERIC = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
SUPPORTED = (*NUMERIC, "str", "U<n>", "S<n>", "datetime64[<unit>]", "timedelta64[<unit>]")

# NumPy refuses larger ones in its own ways
_FIXED = re.compile(r"[US][1-9][0-9]{0,7}")
_TIME = re.compile(r"(?:datetime64|timedelta64)\[(?:[1-9][0-9]{0,8})?(?:[YMWDhms]|ms|us|ns|ps|fs|as)\]")


def dtype_name(dtype: np.dtype, field: str | None = None) -> str:
    """The name of a numpy dtype, whatever its byte order.

    Raises:
        Invalid: the dtype can't be stored.
    """
    if isinstance(dtype, np.dtypes.StringDType):
        if hasattr(dtype, "na_object"):
            raise Invalid("a StringDType with a missing-value object can't be stored: use plain str", field=field)
        return "str"
    if dtype.kind in "US":
        width = dtype.itemsize // (4 if dtype.kind == "U" else 1)
        # numpy makes '' arrays of width 0 in places; they hold what width 1 holds
        return f"{dtype.kind}{max(width, 1)}"
    name = dtype.name
    if name in NUMERIC or _TIME.fullmatch(name):
        return name
    hint = "; lists of texts: np.array(values, dtype=np.dtypes.StringDType())" if dtype.kind == "O" else ""
    raise Invalid(f"dtype {dtype} can't be stored; one of {', '.join(SUPPORTED)}{hint}", field=field)


def parse_dtype(name: str, field: str | None = None) -> np.dtype:
    """The native-order numpy dtype of a name that `dtype_name` gives.

    Raises:
        Invalid: no such dtype, or one that can't be stored.
    """
    dtype = _parse(name)
    if dtype is not None:
        return dtype
    raise Invalid(f"unknown dtype {name!r}; one of {', '.join(SUPPORTED)}", field=field)


@lru_cache(maxsize=256)
def _parse(name: str) -> np.dtype | None:
    if name == "str":
        return np.dtypes.StringDType()
    if name in NUMERIC or _FIXED.fullmatch(name) or _TIME.fullmatch(name):
        dtype = np.dtype(name)
        if dtype_name(dtype) == name:
            return dtype
    return None
