"""Errors as `application/problem+json` (RFC 9457): one table from domain errors to statuses; no routes."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import pydantic_core
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from aqdata.errors import (
    AqdataError,
    Conflict,
    Corrupt,
    Deleted,
    Forbidden,
    Invalid,
    NotFound,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)

PROBLEM = "application/problem+json"

# the first that fits: subclasses stand before their bases
STATUSES: tuple[tuple[type[AqdataError], int], ...] = (
    (TooLarge, 413),
    (Invalid, 422),
    (Deleted, 410),
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (StoreFull, 507),
    (StoreUnavailable, 503),
    (Corrupt, 500),
)

logger = logging.getLogger(__name__)


def status_of(error: AqdataError) -> int:
    """The HTTP status of a domain error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def problem(status: int, kind: str, detail: str, field: str | None = None) -> Response:
    """A problem document."""
    body: dict[str, Any] = {
        "type": f"urn:aqdata:error:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        body["field"] = field
    # a text out of a hostile request may hold what UTF-8 can't
    encoded = pydantic_core.to_json(body, inf_nan_mode="strings", serialize_unknown=True)
    return Response(
        encoded, status, {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None, PROBLEM
    )


def of_error(error: AqdataError) -> Response:
    """The answer that says what went wrong."""
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", type(error).__name__, error)
    return problem(status, type(error).__name__, error.detail, error.field)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    async def domain(request: Request, error: Exception) -> Response:
        assert isinstance(error, AqdataError)
        return of_error(error)

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return problem(422, "Invalid", str(first["msg"]), field)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = problem(error.status_code, "Http", str(error.detail))
        response.headers.update(error.headers or {})
        return response

    async def gone(request: Request, error: Exception) -> Response:
        # nobody is left to read it; it keeps a client that went away out of the error log
        return problem(400, "Invalid", "the client closed the connection before the body ended", "body")

    app.add_exception_handler(AqdataError, domain)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, gone)
