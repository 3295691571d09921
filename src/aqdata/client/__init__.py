"""The HTTP client: a `Transport` for `Lab`; it knows nothing of the server's code."""

from aqdata.client.http import HttpTransport

__all__ = ["HttpTransport"]
