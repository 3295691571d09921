"""What can go wrong, as one tree: no HTTP, no logging; `api/errors.py` maps it to statuses."""

from __future__ import annotations


class AqdataError(Exception):
    """Something went wrong in aqdata."""

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").partition("\n")[0]
        self.field = field
        super().__init__(self.detail)

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


class Invalid(AqdataError, ValueError):
    """The input is not valid."""


class InvalidIndex(Invalid, IndexError):
    """The index does not fit the array."""


class TooLarge(Invalid):
    """The input is larger than the server's limit."""


class NotFound(AqdataError, LookupError):
    """There is no such thing here."""


class Deleted(NotFound):
    """The DataFile is in the bin: restore it to read it."""


class Conflict(AqdataError):
    """The request contradicts what is stored."""


class Forbidden(AqdataError):
    """The server does not answer this host or origin."""


class StoreFull(AqdataError):
    """The disk or quota is full: nothing was stored; free some space and send it again."""


class StoreUnavailable(AqdataError):
    """A store does not answer: nothing was acknowledged; try again later."""


class Corrupt(AqdataError):
    """What is stored is not what was written."""


class ConfigError(AqdataError):
    """The configuration is not valid."""


class Unreachable(AqdataError, ConnectionError):
    """The server can't be reached, or broke off."""


class ServerError(AqdataError):
    """The server failed."""
