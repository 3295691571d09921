"""What the OpenAPI says beyond the routes' signatures: bodies, answers and examples; no code runs from here."""

from __future__ import annotations

from typing import Any

_ID = "019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42"
_BINARY = {"type": "string", "format": "binary"}

_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "which error it is", "examples": ["urn:aqdata:error:Invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong and how to mend it"},
        "field": {"type": "string", "description": "the path of what is wrong"},
    },
}


def _problem(status: int, title: str, kind: str, detail: str, field: str) -> dict[str, Any]:
    example = {"type": f"urn:aqdata:error:{kind}", "title": title, "status": status, "detail": detail, "field": field}
    return {
        "description": detail,
        "content": {"application/problem+json": {"schema": _PROBLEM_SCHEMA, "example": example}},
    }


_PROBLEMS: dict[int, dict[str, Any]] = {
    403: _problem(403, "Forbidden", "Forbidden", "the Host or Origin is not one this server answers", "Origin"),
    404: _problem(404, "Not Found", "NotFound", "there is no DataFile, DataSet or file of this name", "id"),
    409: _problem(409, "Conflict", "Conflict", "the id belongs to another DataFile", "id"),
    410: _problem(410, "Gone", "Deleted", "the DataFile is in the bin: restore it first", "id"),
    413: _problem(413, "Content Too Large", "TooLarge", "more than the server takes", "body"),
    422: _problem(
        422,
        "Unprocessable Content",
        "Invalid",
        "a text, not 3",
        "instruments.vna.settings.power.unit",
    ),
    503: _problem(503, "Service Unavailable", "StoreUnavailable", "a store does not answer", "store"),
    507: _problem(507, "Insufficient Storage", "StoreFull", "the disk is full: nothing was stored", "store"),
}


def problems(*statuses: int, conflict: str | None = None) -> dict[int | str, dict[str, Any]]:
    """What a route answers if it fails so, and as every route that asks the stores; `conflict` is the detail of 409."""
    found: dict[int | str, dict[str, Any]] = {status: _PROBLEMS[status] for status in sorted({403, 503, *statuses})}
    if conflict is not None:
        found[409] = _problem(409, "Conflict", "Conflict", conflict, "revision")
    return found


BUSY = "others change this DataFile all the time: try again"

_METADATA = {
    "name": "qubit spectroscopy",
    "user": "ana",
    "station": "cryo2",
    "tags": ["q1", "golden"],
    "instruments": {
        "vna": {"model": "ZNB20", "settings": {"power": {"value": -30.0, "unit": "dBm", "dtype": "float"}}}
    },
    "program": {"source": "OPENQASM 3; …", "compiler": "aq_compiler", "version": "2.1"},
}
_DATASETS = {
    "frequency": {"dtype": "float64", "shape": [501], "dims": ["frequency"], "units": "Hz"},
    "s21": {"dtype": "complex128", "shape": [41, 501], "dims": ["flux", "frequency"], "units": "V"},
}
_SYSTEM = {"id": _ID, "state": "complete", "revision": 1, "saved_at": "2026-11-22T10:07:00.123456Z"}
_FORM = _METADATA | {
    "datasets": {
        "frequency": {"dims": ["frequency"], "units": "Hz"},
        "s21": {"dims": ["flux", "frequency"], "units": "V"},
    },
    "files": ["fit.png"],
}

SAVE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["metadata"],
                    "properties": {"metadata": {"type": "object", "description": "JSON: metadata, datasets, files"}},
                    "additionalProperties": _BINARY | {"description": "an .npy, or a file that metadata.files lists"},
                },
                "example": {"metadata": _FORM, "frequency": "(bytes of an .npy)", "s21": "(bytes of an .npy)"},
            },
            "application/zip": {"schema": _BINARY | {"description": "a pack: a Zarr v3 group in a stored ZIP"}},
        },
    }
}

_RECEIPT = {
    "schema": {
        "type": "object",
        "required": ["id", "revision", "state", "saved_at"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "revision": {"type": "integer"},
            "state": {"type": "string"},
            "saved_at": {"type": "string", "format": "date-time"},
        },
    },
    "example": _SYSTEM,
}
SAVED: dict[int | str, dict[str, Any]] = {
    200: {"description": "the same DataFile was saved before", "content": {"application/json": _RECEIPT}},
    201: {"description": "saved, durable", "content": {"application/json": _RECEIPT}},
}

_HIT = {
    **_SYSTEM,
    "kind": "measurement",
    "name": "qubit spectroscopy",
    "user": "ana",
    "tags": ["q1", "golden"],
    "date": "2026-11-22T10:06:58.000000Z",
    "shapes": {"frequency": [501], "s21": [41, 501]},
}
PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "newest first; cursor is null on the last page",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["datafiles", "cursor"],
                    "properties": {
                        "datafiles": {"type": "array", "items": {"type": "object"}},
                        "cursor": {"type": ["string", "null"]},
                    },
                },
                "example": {"datafiles": [_HIT], "cursor": None},
            }
        },
    }
}

_DOCUMENT = {
    "schema": {"type": "object", "required": ["id", "state", "revision", "saved_at", "kind", "name", "date"]},
    "example": _SYSTEM
    | _METADATA
    | {"datasets": _DATASETS, "files": {"fit%2Epng": {"size": 40193, "media_type": "image/png"}}},
}
DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the document; ETag is its revision",
        "content": {"application/json": _DOCUMENT, "application/zip": {"schema": _BINARY}},
    }
}
PACK: dict[int | str, dict[str, Any]] = {
    200: {"description": "the pack", "content": {"application/zip": {"schema": _BINARY}}}
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the file, of the type that its name says",
        "content": {"*/*": {"schema": _BINARY}},
    }
}
PUT_FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
}

DATA: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the elements",
        "headers": {
            "X-Aqdata-Dtype": {"description": "the dtype", "schema": {"type": "string"}, "example": "complex128"},
            "X-Aqdata-Shape": {
                "description": "lengths, comma-separated",
                "schema": {"type": "string"},
                "example": "10,251",
            },
            "X-Aqdata-Order": {
                "description": "order of the elements",
                "schema": {"type": "string", "enum": ["C", "F"]},
            },
        },
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "application/x-npy": {"schema": _BINARY},
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "dtype": "float64",
                    "shape": [3],
                    "units": "Hz",
                    "data": [4.5e9, 4.6e9, {"__float__": "NaN"}],
                },
            },
            "text/csv": {"schema": {"type": "string"}, "example": "frequency\r\n4500000000.0\r\n4600000000.0\r\n"},
        },
    }
}
READ: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["index"],
                    "properties": {
                        "index": {
                            "type": "array",
                            "items": {"type": ["integer", "string", "object", "null"]},
                            "description": 'int, {"slice": [start, stop, step]}, "...", null, {"array": […]}',
                        }
                    },
                },
                "example": {"index": [{"array": [0, 5, 7]}, {"slice": [None, None, 2]}]},
            }
        },
    }
}

_CHUNK = {
    "application/octet-stream": {"schema": _BINARY},
    "application/json": {"schema": {"type": "object"}, "example": {"zarr_format": 3, "node_type": "group"}},
}
ZARR: dict[int | str, dict[str, Any]] = {
    200: {"description": "a `zarr.json`, or a chunk", "content": _CHUNK},
    206: {"description": "the bytes that a Range header asked for", "content": _CHUNK},
    416: _problem(416, "Range Not Satisfiable", "Range", "there are 32 bytes", "Range"),
}
ALIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"status": "ok", "version": "0.1.0"}}}},
    403: _PROBLEMS[403],
}
READY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": {"status": "ready"}}}}}
