"""Arrays as text for other programs and people, JSON and CSV; the binary formats are beside this."""

from __future__ import annotations

import csv
import io

import numpy as np

from aqdata.errors import Invalid
from aqdata.models import canonical
from aqdata.models.dtypes import dtype_name


def to_json(array: np.ndarray, units: str | None = None) -> bytes:
    """`{"dtype", "shape", "units", "data"}` as canonical JSON: bytes as Latin-1, dates as ISO 8601 text, durations as
    counts of the dtype's unit.
    """
    kind = array.dtype.kind
    if kind == "S":
        values = np.strings.decode(array, "latin-1").tolist()
    elif kind == "M":
        values = np.datetime_as_string(array).tolist()
    elif kind == "m":
        values = array.astype("int64").tolist()
    else:
        values = array.tolist()
    head = {"dtype": dtype_name(array.dtype), "shape": list(array.shape)}
    return canonical.encode({**head, **({} if units is None else {"units": units}), "data": values})


def to_csv(array: np.ndarray, name: str, field: str = "slice") -> bytes:
    """A line with titles, then a line a row; complex numbers take two columns, `re(name)` and `im(name)`.

    Raises:
        Invalid: the array has more than two dims.
    """
    if array.ndim > 2:
        raise Invalid(f"CSV has rows and columns, the selection has {array.ndim} dims: slice down to two", field=field)
    table = array.reshape(array.shape[0] if array.ndim else 1, -1) if array.size else array.reshape(0, 1)
    titles = [name] if table.shape[1] == 1 else [f"{name}[{column}]" for column in range(table.shape[1])]
    if array.dtype.kind == "c":
        titles = [f"{part}({title})" for title in titles for part in ("re", "im")]
        table = np.stack([table.real, table.imag], axis=-1).reshape(len(table), len(titles))
    if array.dtype.kind == "S":
        table = np.strings.decode(table, "latin-1")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(titles)
    # str gives the shortest text that reads back as the same number, whatever its width
    writer.writerows(map(str, row) for row in table)
    return stream.getvalue().encode(errors="replace")
