"""Texts as Zarr's `vlen-utf8` codec writes them; no other dtype, and no Zarr metadata.

Format: a little-endian uint32 count, then for each text a uint32 length and that many bytes of UTF-8
(https://numcodecs.readthedocs.io/en/stable/other/vlen.html, the Zarr v3 codec `vlen-utf8`).
"""

from __future__ import annotations

import struct

import numpy as np

from aqdata.errors import Invalid

_U32 = struct.Struct("<I")


def encode_strings(array: np.ndarray, field: str | None = None) -> bytes:
    """The texts of an array of `U<n>` or `StringDType`, any shape, in C order.

    Raises:
        Invalid: a text has a lone surrogate, which UTF-8 can't hold.
    """
    texts: list[str] = array.ravel(order="C").tolist()
    parts = [_U32.pack(len(texts))]
    for text in texts:
        try:
            encoded = text.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"the text {text!r} has a lone surrogate, which UTF-8 can't hold", field=field) from error
        parts.append(_U32.pack(len(encoded)))
        parts.append(encoded)
    return b"".join(parts)


def decode_strings(data: bytes | bytearray | memoryview, field: str | None = None) -> np.ndarray:
    """The texts, shape (count,), `StringDType`.

    Raises:
        Invalid: the bytes are not in this format, or not UTF-8.
    """
    view = memoryview(data)
    if len(view) < 4:
        raise Invalid("a chunk of texts is cut short", field=field)
    (count,) = _U32.unpack_from(view, 0)
    # every text takes four bytes at least: a wild count must not allocate
    if count > (len(view) - 4) // 4:
        raise Invalid("a chunk of texts is cut short", field=field)
    texts: list[str] = []
    at = 4
    try:
        for _ in range(count):
            (length,) = _U32.unpack_from(view, at)
            end = at + 4 + length
            if end > len(view):
                raise Invalid("a chunk of texts is cut short", field=field)
            texts.append(str(view[at + 4 : end], "utf-8"))
            at = end
    except (struct.error, UnicodeDecodeError) as error:
        raise Invalid(f"a chunk of texts is damaged: {error}", field=field) from error
    if at != len(view):
        raise Invalid("a chunk of texts has bytes left over", field=field)
    return np.array(texts, dtype=np.dtypes.StringDType())
