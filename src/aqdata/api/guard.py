"""Whom the server answers: the Host and Origin headers are checked before anything else; no routes.

Without this any web page could post a form to a server on loopback, or reach it through a name of its own
(DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from aqdata.api.errors import of_error
from aqdata.errors import Forbidden


class Guard:
    """ASGI middleware; `*` in the hosts answers to every name."""

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed, and answer 403 to the rest."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope))
            if refusal is not None:
                await of_error(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Forbidden | None:
        host = headers.get("host", "").lower()
        if "*" not in self._hosts and _name(host) not in self._hosts:
            return Forbidden(f"this server is not {host!r:.100}: add it to server.allowed_hosts", field="Host")
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            return Forbidden("requests from pages of other sites are refused", field="Origin")
        return None


def _name(host: str) -> str:
    """The host without its port; brackets of IPv6 stay."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
