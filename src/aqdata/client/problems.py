"""The server's reason for a failure, as one of our errors; no sockets."""

from __future__ import annotations

import re

from urllib3 import BaseHTTPResponse

from aqdata import errors
from aqdata.errors import AqdataError, ServerError, Unreachable
from aqdata.models import canonical

_LIMIT = 64 << 10
_BY_STATUS: dict[int, type[AqdataError]] = {
    400: errors.Invalid,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.Invalid,
    406: errors.Invalid,
    409: errors.Conflict,
    410: errors.Deleted,
    411: errors.Invalid,
    412: errors.Conflict,
    413: errors.TooLarge,
    414: errors.TooLarge,
    415: errors.Invalid,
    416: errors.Invalid,
    421: errors.Forbidden,
    422: errors.Invalid,
    431: errors.TooLarge,
    503: errors.StoreUnavailable,
    507: errors.StoreFull,
}

# what stands between us and the server says these in its own words
_OF_PROXIES = (407, 408, 411, 413, 414, 429, 431, 500, 502, 503, 504, 507)


def _known() -> dict[str, type[AqdataError]]:
    found = (getattr(errors, name) for name in dir(errors))
    return {kind.__name__.lower(): kind for kind in found if isinstance(kind, type) and issubclass(kind, AqdataError)}


_BY_NAME = _known()


def foreign(response: BaseHTTPResponse, url: str) -> Unreachable:
    """The error for an answer that no aqdata server gives."""
    told = f"{response.status} {response.reason or ''}".rstrip()
    kind = response.headers.get("content-type", "").partition(";")[0]
    return Unreachable(f"{url} answers, but is it an aqdata server? It said {told}{f', {kind}' if kind else ''}")


def problem(response: BaseHTTPResponse, url: str) -> AqdataError:
    """The error that a response other than 2xx stands for; reads its body."""
    content = response.read(_LIMIT)
    fallback = _BY_STATUS.get(response.status, ServerError)
    told = f"the server answered {response.status} {response.reason or ''}".rstrip()
    if "problem+json" in response.headers.get("content-type", ""):
        try:
            tree = canonical.decode(content)
        except errors.Invalid:
            tree = None
        if isinstance(tree, dict):
            # the last part of the type names our class: …/not-found or urn:aqdata:NotFound
            name = re.sub(r"[-_]", "", re.split(r"[/:#]", str(tree.get("type", "")))[-1]).lower()
            kind = _BY_NAME.get(name, fallback)
            detail = tree.get("detail") or tree.get("title")
            field = tree.get("field")
            return kind(str(detail) if detail else told, field=str(field) if field else None)
    elif response.status not in _OF_PROXIES:
        return foreign(response, url)
    text = content[:500].decode(errors="replace").strip()
    return fallback(f"{told}: {text}" if text and "<" not in text else told)
